"""Typed claims where types are nearly alike, and the strict reader where closed brackets come before deep ones."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict, TypeVar

import pytest

from mintkey.claims.strict_json import MAX_DEPTH, StrictJSONError, loads
from mintkey.claims.typed import ClaimsCodec, codec_for
from mintkey.errors import ClaimError, ConfigurationError


class Level(enum.Enum):
    ONE = 1
    HIGH = "high"


@dataclass
class Claims:
    name: str
    score: float = 0.5
    plan: Literal[1, "free", True] = "free"
    level: Level = Level.HIGH
    count: int = 5
    computed: str = field(init=False)
    preset: str = field(init=False, default="preset")

    def __post_init__(self) -> None:
        self.computed = self.name.upper()
        if self.name == "type":
            raise TypeError("no such name")
        if self.name == "value":
            raise ValueError("no such name")


@pytest.fixture
def codec() -> ClaimsCodec[Claims]:
    return codec_for(Claims)


def test_what_a_dataclass_computes_is_neither_asked_for_nor_taken(codec: ClaimsCodec[Claims]) -> None:
    found = codec.decode({"name": "a", "computed": "forged", "preset": "forged"})
    assert found == Claims("a")
    assert (found.computed, found.preset) == ("A", "preset")
    assert codec.encode(found).keys() == {"name", "score", "plan", "level", "count"}


def test_what_has_a_default_is_read_if_it_is_there(codec: ClaimsCodec[Claims]) -> None:
    assert codec.decode({"name": "a", "count": 6}).count == 6
    assert codec.decode({"name": "a"}).count == 5


@pytest.mark.parametrize("score", [1, 1.5])
def test_a_number_may_be_written_without_a_fraction(codec: ClaimsCodec[Claims], score: float) -> None:
    found = codec.decode({"name": "a", "score": score}).score
    assert found == score
    assert type(found) is float


WRONG: dict[str, list[Any]] = {
    "score": [True, "1", None, [1], {}],
    "plan": [2, 1.0, False, "paid", None, [], {}, ["free"], {"free": 1}],
    "level": ["ONE", 1.0, True, None, [], {}, ["high"], {"high": 1}],
    "count": [5.0, True, "5", None, []],
    "name": [1, None, [], {}],
}


@pytest.mark.parametrize(("claim", "value"), [(claim, value) for claim, values in WRONG.items() for value in values])
def test_what_is_nearly_right_is_named(codec: ClaimsCodec[Claims], claim: str, value: Any) -> None:
    with pytest.raises(ClaimError) as caught:
        codec.decode({"name": "a", claim: value})
    assert caught.value.claim == claim


@pytest.mark.parametrize("value", [1, "free", True])
def test_each_value_of_a_literal_comes_back_as_it_is(codec: ClaimsCodec[Claims], value: object) -> None:
    found = codec.decode({"name": "a", "plan": value}).plan
    assert found == value
    assert type(found) is type(value)


def test_members_are_found_by_value(codec: ClaimsCodec[Claims]) -> None:
    assert [codec.decode({"name": "a", "level": value}).level for value in (1, "high")] == [Level.ONE, Level.HIGH]


@pytest.mark.parametrize("name", ["type", "value"])
def test_a_dataclass_may_refuse_what_it_gets(codec: ClaimsCodec[Claims], name: str) -> None:
    with pytest.raises(ClaimError) as caught:
        codec.decode({"name": name})
    assert caught.value.claim == ""


T = TypeVar("T")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(Decimal, "Decimal"), (bytes, "bytes"), (Callable[[], int], "Callable"), (tuple[int, ...], "tuple"), (T, "T")],
    ids=["a number", "bytes", "a function", "a tuple", "a variable"],
)
def test_a_type_without_a_json_form_is_named_when_the_purpose_is_made(kind: Any, shown: str) -> None:
    record = make_dataclass("Record", [("member", kind)])
    with pytest.raises(ConfigurationError, match=f"claims: {shown} has no JSON form"):
        codec_for(record)


@pytest.mark.parametrize("kind", [list[int], int, "dict", None])
def test_claims_are_of_one_of_the_kinds_that_are_told(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="claims must be dict, a TypedDict, a dataclass"):
        codec_for(kind)


def test_a_type_in_place_of_a_value_does_not_fit() -> None:
    class Record(TypedDict):
        member: str

    with pytest.raises(ConfigurationError, match="member"):
        codec_for(Record).encode({"member": Claims})  # type: ignore[typeddict-item]  # it is wrong


def nested(depth: int) -> bytes:
    """An object in which a list follows many that are closed again."""
    return b'{"a":[' + b"[]," * 50 + b"[" * (depth - 2) + b"]" * (depth - 2) + b"]}"


def test_closed_brackets_do_not_make_up_for_open_ones() -> None:
    assert loads(nested(MAX_DEPTH)).keys() == {"a"}
    with pytest.raises(StrictJSONError, match="nested deeper"):
        loads(nested(MAX_DEPTH + 1))
