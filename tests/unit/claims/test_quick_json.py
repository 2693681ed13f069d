"""The quick reader: what it reads at once, what it leaves to the strict reader, and that both read the same."""

import json

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mintkey.claims import strict_json
from mintkey.claims.quick_json import read_quickly

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

DEPTH = strict_json.MAX_DEPTH


def quickly(data: bytes, max_depth: int = DEPTH) -> object:
    """What it reads, which is what the strict reader reads, in kind and in order."""
    found = read_quickly(data, max_depth=max_depth)
    if found is not None:
        assert repr(found) == repr(strict_json._read_strictly(data, max_depth))
    return found


def arrays(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


# --- what is read at once


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"sub":"20"}',
        b'{"":""}',
        b'{"a":[],"b":{},"c":[[],{}]}',
        b'{"a":true,"b":false,"c":null}',
        b'{"a":0,"b":-7,"c":9999999999999999}',
        b'{ "a" : [ 1 , "b" ] }',
        '{"ä":"€😀"}'.encode(),
        b'{"a":"{}[]:,1e999 NaN"}',
        b'{"a":{"a":{"a":"a"}},"b":[{"a":1},{"a":1}]}',
    ],
)
def test_most_objects(data) -> None:
    assert quickly(data) == json.loads(data)


def test_an_object_as_deep_as_allowed_and_no_deeper() -> None:
    for limit in (2, 3, DEPTH):
        assert quickly(arrays(limit), limit) is not None
        assert quickly(arrays(limit + 1), limit) is None
        assert quickly(arrays(200), limit) is None


def test_numbers_at_the_last_level_are_not_deeper_than_it() -> None:
    data = b'{"a":[[1,true,"x"],[]]}'
    assert quickly(data, 3) == {"a": [[1, True, "x"], []]}


@pytest.mark.parametrize("number", [10**18, 2**63 - 1, -(2**63), 2**64 - 1])
def test_integers_of_any_usual_size(number) -> None:
    found = quickly(b'{"a":%d}' % number)
    assert found == {"a": number}


# --- what is left to the strict reader


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"\\u0041"}',
        b'{"\\u0061":1}',
        b'{"a":"\\\\"}',
        b"\\",
        b'{"a":1.0}',
        b'{"a":[0.5]}',
        b'{"a":1e3}',
        b'{"a":-0.0}',
        b'{"a":%d}' % 10**31,
        b'{"a":%d}' % -(10**31),
        b'{"a":%d}' % 10**400,
        b'{"a":%b}' % (b"9" * 5000),
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
    ],
)
def test_escapes_fractions_and_numbers_that_only_the_text_can_tell(data) -> None:
    assert quickly(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":"x","a":"x"}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"c":2,"b":3}]}',
        b'{"a":{"a":1,"b":"c"},"a":["x","y"]}',
        b'{"":0,"":0}',
        b'{"a":"","":"","a":""}',
    ],
)
def test_a_name_that_appears_twice_is_noticed(data) -> None:
    assert quickly(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"a"',
        b"1",
        b"null",
        b"{",
        b"{}}",
        b"{},",
        b'{"a":1,}',
        b'{"a":1}x',
        b'{"a":1}\x00',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\n"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_is_no_object_is_never_its_business_to_refuse(data) -> None:
    assert quickly(data) is None


def test_doubt_about_one_value_is_doubt_about_all_however_many_strings_follow() -> None:
    many = ",".join(f'"n{number}":"x"' for number in range(1000))
    for doubtful in ("1.5", "[1.5]", str(10**31), "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", '{"a":[0.5,"b"]}'):
        assert quickly(f'{{"a":{doubtful},{many}}}'.encode()) is None


# --- and in general

TEXT = st.sampled_from(["a", "b", "", "é", "ab", "\u2028"]) | st.text(st.characters(codec="utf-8"), max_size=4)
# Mostly what is read at once: one doubtful value is doubt about all.
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT
SCALAR = PLAIN | PLAIN | PLAIN | st.integers(-(10**33), 10**33) | st.floats()
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=4)
LIMIT = st.sampled_from([DEPTH, DEPTH, 1, 2, 3, 4])
PIECES = """{ } [ ] : , "a" "b" "a": "b": "a":1 "a":"b" {} [] \\ "\\u0061": 1 -0 0.5 1e9 NaN true null "é" """.split()
NUMBER = st.integers().map(str) | st.from_regex(r"-?[0-9]{1,34}(\.[0-9]{1,3})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)


def write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def reads(data: bytes, limit: int = DEPTH) -> None:
    event("left to the strict reader" if quickly(data, limit) is None else "read at once")


@given(OBJECT, st.sampled_from([False, False, True]), st.sampled_from([None, 1]), LIMIT)
def test_any_object(value, ascii_only, indent, limit) -> None:
    reads(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(), limit)


@given(st.lists(st.tuples(TEXT, JSON), max_size=4), LIMIT)
def test_members_with_any_names_twice_or_not(pairs, limit) -> None:
    members = ",".join(f"{write(name)}:{write(value)}" for name, value in pairs)
    reads(f"{{{members}}}".encode(), limit)
    reads(f'{{"a":[{{{members}}}],"b":{{{members}}}}}'.encode(), limit)


@given(st.lists(st.sampled_from([*PIECES, " ", "\n", "\x00"]), max_size=12), LIMIT)
def test_any_pieces_of_json(pieces, limit) -> None:
    reads("".join(pieces).encode(), limit)
    reads(b"{" + ",".join(pieces).encode() + b"}", limit)
    reads(b'{"a":' + "".join(pieces).encode() + b"}", limit)


@given(st.lists(NUMBER, min_size=1, max_size=3))
def test_any_numbers(numbers) -> None:
    reads(f'{{"a":[{",".join(numbers)}]}}'.encode())


@given(OBJECT, st.integers(0, 255), st.integers(0, 10_000), LIMIT)
def test_one_changed_byte(value, byte, position, limit) -> None:
    data = bytearray(write(value).encode())
    data[position % len(data)] = byte
    reads(bytes(data), limit)


@given(st.binary(max_size=40))
def test_any_bytes(data) -> None:
    reads(data)
    reads(b'{"a":"' + data + b'"}')
    reads(b'{"a":' + data + b"}")
