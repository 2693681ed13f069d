"""The strict JSON reader and writer: one reading for any bytes, or none."""

import json
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from mintkey.claims.strict_json import StrictJSONError, dumps, loads

pytestmark = pytest.mark.usefixtures("with_and_without_speed")


def nested(levels: int, inside: str = "1") -> bytes:
    return ('{"a":' * levels + inside + "}" * levels).encode()


def test_an_object_is_read_as_the_standard_library_would() -> None:
    text = b'{"s":"\xc3\xa4\\n\\u00e4\\ud83d\\ude00","i":-12,"f":1.5e3,"t":true,"n":null,"a":[1,[2],{"b":{}}],"":0}'
    assert loads(text) == json.loads(text)


def test_white_space_around_tokens_is_fine() -> None:
    assert loads(b' \t\r\n{ "a" :\t1 }\r\n ') == {"a": 1}


@pytest.mark.parametrize("text", [b'{"a":1,"a":1}', b'{"a":[{"b":1,"c":2,"b":3}]}', b'{"a":1,"\\u0061":2}'])
def test_a_name_may_appear_once_however_deep_and_however_spelled(text: bytes) -> None:
    with pytest.raises(StrictJSONError, match="twice"):
        loads(text)


@pytest.mark.parametrize("text", [b"[]", b'"alg"', b'["alg"]', b"1", b"null", b"true"])
def test_only_an_object_is_read(text: bytes) -> None:
    with pytest.raises(StrictJSONError, match="object"):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half"),
        pytest.param(b"{} {}", id="two objects"),
        pytest.param(b"{}x", id="something behind"),
        pytest.param(b'{"a":1,}', id="comma"),
        pytest.param(b"{'a':1}", id="quotes"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'{"a":"\n"}', id="control character"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-32-le"), id="UTF-32"),
        pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b"\xc2\xa0{}", id="space that JSON does not know"),
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(text: bytes) -> None:
    with pytest.raises(StrictJSONError, match="JSON"):
        loads(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_are_finite(number: str) -> None:
    with pytest.raises(StrictJSONError, match="finite"):
        loads(f'{{"a":{number}}}'.encode())


@pytest.mark.parametrize("number", ["1" * 33, "-" + "1" * 32, "0." + "1" * 31, "1" * 100_000])
def test_numbers_have_at_most_32_characters(number: str) -> None:
    with pytest.raises(StrictJSONError, match="32"):
        loads(f'{{"a":{number}}}'.encode())


def test_numbers_of_32_characters_are_read() -> None:
    assert loads(b'{"a":' + b"1" * 32 + b',"b":0.' + b"1" * 30 + b"}")["a"] == int("1" * 32)


@pytest.mark.parametrize(
    "text", [rb'{"a":"\ud800"}', rb'{"a":["x\udc00"]}', rb'{"\udfff":1}', rb'{"a":"\udc00\ud800"}']
)
def test_half_a_surrogate_pair_is_refused(text: bytes) -> None:
    with pytest.raises(StrictJSONError, match="surrogate") as caught:
        loads(text)
    assert caught.value.__context__ is None


def test_an_escaped_backslash_is_no_surrogate() -> None:
    assert loads(rb'{"a":"\\ud800"}') == {"a": r"\ud800"}


def test_nesting_is_bounded() -> None:
    assert loads(nested(16))
    with pytest.raises(StrictJSONError, match="16 levels"):
        loads(nested(17))
    with pytest.raises(StrictJSONError, match="2 levels"):
        loads(nested(3), max_depth=2)
    with pytest.raises(StrictJSONError, match="levels"):
        loads(b'{"a":' + b"[" * 100_000)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(loads(b'{"a":[' + b"[]," * 100 + b"[]]}")["a"]) == 101


@pytest.mark.parametrize("text", ["[" * 30, '"[' * 30, "\\[{" * 30, '\\"[' * 30])
def test_brackets_in_strings_are_not_deep(text: str) -> None:
    assert loads(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_string_that_never_ends_hides_no_depth_and_costs_no_time() -> None:
    with pytest.raises(StrictJSONError):
        loads(b"[" * 20 + b'"' + rb"\"" * 200_000)
    with pytest.raises(StrictJSONError):
        loads(b'{"a":"' + b"[" * 40 + b"\\")


def test_errors_say_nothing_of_the_content_and_keep_no_context() -> None:
    for text in (b'{"secret":"\xff"}', b'{"secret"', b'{"secret":1,"secret":2}'):
        with pytest.raises(StrictJSONError) as caught:
            loads(text)
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_what_is_written_is_compact_utf_8() -> None:
    assert dumps({"ä": "\n", "b": [1, None, True, 1.5, ()]}) == '{"ä":"\\n","b":[1,null,true,1.5,[]]}'.encode()


def test_mappings_tuples_and_subclasses_are_written_as_what_they_are_like() -> None:
    class Colour(StrEnum):
        RED = "red"

    value = MappingProxyType({"a": MappingProxyType({"b": (Colour.RED, [])}), Colour.RED: Colour.RED})
    assert loads(dumps(value)) == {"a": {"b": ["red", []]}, "red": "red"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "finite"),
        (float("-inf"), "finite"),
        (10**32, "32"),
        (-(10**31), "32"),
        (b"bytes", "bytes"),
        ({1, 2}, "set"),
        (object(), "object"),
        ({1: "a"}, "int"),
        ({None: "a"}, "NoneType"),
        ("\ud800", "surrogate"),
        ({"\udc00": 1}, "surrogate"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"x": ({"y": value},)}])
def test_what_is_no_json_is_not_written(value: object, problem: str, wrap) -> None:
    with pytest.raises(StrictJSONError, match=problem) as caught:
        dumps({"a": wrap(value)})
    assert caught.value.__context__ is None


def test_the_longest_numbers_that_are_read_are_written_too() -> None:
    text = b'{"a":%d,"b":%d}' % (10**32 - 1, 1 - 10**31)  # 32 characters each; the sign is one of them
    assert dumps(loads(text)) == text


def test_what_would_not_be_read_for_its_depth_is_not_written() -> None:
    good: dict[str, Any] = {}
    for _ in range(15):
        good = {"a": good}
    assert loads(dumps(good)) == good
    with pytest.raises(StrictJSONError, match="16 levels"):
        dumps({"a": [good]})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(StrictJSONError, match="levels"):
        dumps({"a": endless})


def test_the_callers_value_is_left_alone() -> None:
    value = {"a": (1, {"b": ()})}
    dumps(value)
    assert value == {"a": (1, {"b": ()})}
