"""Typed claims: what fits comes out as its type, what does not is named by path and never by value."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import msgspec
import pydantic
import pytest

from mintkey.claims.typed import codec_for
from mintkey.errors import ClaimError, ConfigurationError, Reason

SECRET = "do-not-show-me"


class Role(enum.Enum):
    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True)
class Address:
    city: str
    zip_code: str | None = None


@dataclass
class Person:
    email: str
    age: int
    address: Address
    roles: list[Role] = field(default_factory=list)
    score: float = 0.0
    plan: Literal["free", "paid"] = "free"
    labels: dict[str, int] = field(default_factory=dict)
    friends: Sequence["Person"] = ()
    anything: Any = None
    nickname: Annotated[Optional[str], "shown"] = None  # noqa: UP045 - the old spelling is read too
    shouted: str = field(init=False, default="")

    def __post_init__(self):
        if self.age < 0:
            raise ValueError(SECRET)
        self.shouted = self.email.upper()


class Movie(TypedDict):
    title: str
    year: NotRequired[int]
    tags: NotRequired[Mapping[str, bool]]


class Struct(msgspec.Struct):
    email: str
    age: int = 0
    inner: dict[str, int] | None = None


class Model(pydantic.BaseModel):
    email: str
    age: int = 0
    inner: dict[str, int] = {}


PERSON = {"email": "a@b", "age": 3, "address": {"city": "Ulm"}}


def test_a_dict_passes_through_and_what_is_minted_is_a_copy():
    codec = codec_for(dict)
    given = {"a": [1]}
    assert codec.encode(given) == given
    assert codec.encode(given) is not given
    assert codec.decode(given) is given
    with pytest.raises(ConfigurationError, match="mapping"):
        codec.encode([1])


def test_a_dataclass_comes_back_as_it_went():
    codec = codec_for(Person)
    friend = Person("f@b", 1, Address("Bonn", "53111"), friends=[])
    person = Person("a@b", 3, Address("Ulm"), [Role.ADMIN], 1.5, "paid", {"x": 1}, [friend], {"k": [1]}, "al")
    encoded = codec.encode(person)
    assert encoded["roles"] == ["admin"]
    assert "shouted" not in encoded
    assert codec.decode(encoded) == person


def test_defaults_fill_what_is_absent_and_strange_members_are_left_out():
    assert codec_for(Person).decode({**PERSON, "extra": 1}) == Person("a@b", 3, Address("Ulm"))
    assert codec_for(Movie).decode({"title": "M", "extra": 1}) == {"title": "M"}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"email": 7}, "email"),
        ({"email": None}, "email"),
        ({"age": True}, "age"),
        ({"age": 3.0}, "age"),
        ({"age": "3"}, "age"),
        ({"age": -1}, ""),
        ({"address": {}}, "address.city"),
        ({"address": "Ulm"}, "address"),
        ({"address": {"city": "Ulm", "zip_code": 1}}, "address.zip_code"),
        ({"roles": "admin"}, "roles"),
        ({"roles": ["admin", SECRET]}, "roles[1]"),
        ({"roles": [["admin"]]}, "roles[0]"),
        ({"score": "1"}, "score"),
        ({"score": True}, "score"),
        ({"plan": SECRET}, "plan"),
        ({"plan": ["free"]}, "plan"),
        ({"labels": {"x": SECRET}}, "labels.x"),
        ({"labels": [1]}, "labels"),
        ({"friends": [{**PERSON, "email": 1}]}, "friends[0].email"),
        ({"nickname": 1}, "nickname"),
    ],
)
def test_a_misfit_is_named_by_its_path(change, path):
    with pytest.raises(ClaimError) as caught:
        codec_for(Person).decode({**PERSON, **change})
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, path)
    assert SECRET not in f"{caught.value!r}{caught.value.details}"


def test_a_typed_dict_is_checked_too():
    assert codec_for(Movie).decode({"title": "M", "year": 1931, "tags": {"old": True}})["year"] == 1931
    with pytest.raises(ClaimError) as caught:
        codec_for(Movie).decode({"year": 1931})
    assert caught.value.claim == "title"


def test_what_does_not_fit_is_found_at_mint():
    with pytest.raises(ConfigurationError, match="city"):
        codec_for(Person).encode(Person("a@b", 3, Address(7)))
    with pytest.raises(ConfigurationError, match="the top"):
        codec_for(Movie).encode(7)


@dataclass
class Bare:
    items: list  # type: ignore[type-arg]
    members: dict  # type: ignore[type-arg]
    nothing: None


def test_bare_containers_take_anything():
    assert codec_for(Bare).decode({"items": [1, "a"], "members": {"x": []}, "nothing": None}).items == [1, "a"]


@dataclass
class Unreadable:
    when: complex


@dataclass
class IntKeys:
    by_number: dict[int, str]


@pytest.mark.parametrize("kind", [int, str, list, Unreadable, IntKeys, Role])
def test_a_type_without_a_json_form_is_refused_at_once(kind):
    with pytest.raises(ConfigurationError, match="claims"):
        codec_for(kind)


@pytest.mark.parametrize("kind", [Struct, Model])
def test_msgspec_and_pydantic_read_their_own(kind):
    codec = codec_for(kind)
    value = kind(email="a@b", age=3, inner={"x": 1})
    assert codec.encode(value) == {"email": "a@b", "age": 3, "inner": {"x": 1}}
    assert codec.decode(codec.encode(value)) == value
    with pytest.raises(ConfigurationError, match=kind.__name__):
        codec.encode({"email": "a@b"})


@pytest.mark.parametrize("kind", [Struct, Model])
@pytest.mark.parametrize(
    ("claims", "path"),
    [({"email": 7}, "email"), ({"age": 1}, "email"), ({"email": "a", "inner": {"x": SECRET}}, "inner")],
)
def test_msgspec_and_pydantic_misfits_name_the_path_and_not_the_value(kind, claims, path):
    with pytest.raises(ClaimError) as caught:
        codec_for(kind).decode(claims)
    assert caught.value.claim.startswith(path)
    assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    a: int = 0


def test_a_misfit_without_a_path_is_of_the_whole():
    with pytest.raises(ClaimError) as caught:
        codec_for(Strict).decode({SECRET: 1})
    assert caught.value.claim == ""
