"""With orjson and without it, any bytes are read as the same value, or refused for the same reason.

What is tabled here is where a fast reader is known to be laxer than we are, stricter, or just different.
"""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.claims import strict_json
from tests.support.speed import require_speed, without_speed

require_speed()


def outcome(data: bytes, max_depth: int = 16) -> str:
    """The value as it is spelled, types, order and signs included; or the text of the error."""
    try:
        return repr(strict_json.loads(data, max_depth=max_depth))
    except strict_json.StrictJSONError as error:
        return f"refused: {error}" if error.__context__ is error.__cause__ is None else "it carries what it read"


def both(data: bytes, max_depth: int = 16) -> str:
    """What comes of the bytes, which is the same with orjson and without."""
    with without_speed():
        plain = outcome(data, max_depth)
    assert outcome(data, max_depth) == plain
    return plain


def value(text: str) -> bytes:
    return b'{"a":' + text.encode() + b"}"


def string(inside: bytes) -> bytes:
    return b'{"a":"' + inside + b'"}'


def nested(levels: int, opening: str = '{"a":', closing: str = "}", inside: str = "1") -> bytes:
    return (opening * levels + inside + closing * levels).encode()


NAMES = [
    b'{"a":1,"a":1}',
    b'{"a":1,"b":2,"a":3}',
    b'{"a":{"b":1,"b":2}}',
    b'{"a":[{"b":1},{"b":1,"c":{"d":1,"d":1}}]}',
    b'{"a":1,"\\u0061":2}',
    b'{"\\u0061":1,"\\u0061":2}',
    b'{"":1,"":2}',
    b'{"a":1,"a":1,"a":1}',
    b'{"a":{"a":{"a":1}}}',
    b'{"a":1,"A":2,"\\u0041\\u0301":3,"\\u00c1":4}',
    b'{"a":[{"b":1},{"b":2}],"b":{"a":1}}',
    b'{"a\\u0000":1,"a":2}',
    b'{"a":1,"a ":2," a":3}',
    b'{"a:":1,"a":2}',
    b'{"\\"a\\":":1,"\\"a\\":":2}',
    b'{"a":"\\":","b":"\\\\","b":1}',
    '{"é":1,"e\u0301":2}'.encode(),
    '{"é":1,"\\u00e9":2}'.encode(),
    b'{"\xf0\x9f\x98\x80":1,"\\ud83d\\ude00":2}',
]

STRINGS_THAT_LOOK_LIKE_MORE = [
    b'{"a":"b\\":1,\\"a"}',
    b'{"a":"\\",\\"a\\":1","b":":::"}',
    b'{"a:b":"c:d","e":":"}',
    b'{"a":"{}[],:","b":"[[[[[[[[[[[[[[[[[[[[[[[["}',
    b'{"{\\"":"}"}',
    b'{"a":"\\\\","b":"\\\\\\""}',
    b'{"a":"1e999","b":"NaN","c":"99999999999999999999999999999999999"}',
    b'{"a":"\\\\ud800"}',
    b'{"a":"\\/\\b\\f\\n\\r\\t\\"\\\\"}',
]

NUMBERS = """
0 -0 -0.0 0.0 1 -1 10 1.0 1.5 1e0 1E5 1e+5 1e-5 1.0E+2 0e0 0e999 -0e5 123456789012345678 3.141592653589793238462643383
9007199254740991 9007199254740992 9007199254740993 -9007199254740993 9007199254740993.0
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
18446744073709551615 18446744073709551616 18446744073709551617 -18446744073709551616
99999999999999999999 12345678901234567890123456789012 -1234567890123456789012345678901
123456789012345678901234567890123 -12345678901234567890123456789012 1e22 1e23 100000000000000000000000
1e308 1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 1e309 -1e309 1e999 -1e999
1e99999999999999999999
2.2250738585072011e-308 2.2250738585072014e-308 5e-324 4.9e-324 2.5e-324 2.4e-324 1e-400 -1e-400 1e-99999999999999999999
0.1 0.30000000000000004 0.1000000000000000055511151231257 0.12345678901234567890123456789
0.123456789012345678901234567890 0.1234567890123456789012345678901 2.00000000000000011102230246251
7.2057594037927933e16 9007199254740993e0 9.5e-7 1.00000000000000011102230246251
1e00000000000000000000000000000 1e0000000000000000000000000000000000005 0.000000000000000000000000000000000000000001
NaN Infinity -Infinity nan inf +1 +Infinity 01 -01 00 1. .5 -.5 1.e5 1e 1e+ 1.5e - -- 0x10 1_000 1,000 ١ １
1f 1d --1 1.2.3 1e5.5 true false null True None undefined tru nul truefalse
""".split()

SURROGATES = [
    rb"\ud800",
    rb"\udfff",
    rb"\udc00\ud800",
    rb"\ud800\ud800",
    rb"\ud800x",
    rb"\ud800\n",
    rb"\ud800\u0041",
    rb"\ud83d\ude00",
    rb"\uD83D\uDE00",
    rb"\ud83d\ude0",
    rb"\ud83d\\ude00",
    rb"\\ud800",
    rb"\u0000",
    rb"\u000",
    rb"\u00g0",
    rb"\u+041",
    rb"\u 041",
    rb"\U0041",
    rb"\uffff",
    rb"\ufffe",
    rb"\ufeff",
    rb"\x41",
    rb"\a",
    rb"\v",
    rb"\'",
    rb"\0",
    b"\\",
    b"\\\n",
]

BYTES_IN_STRINGS = [
    b"\xff",
    b"\xfe",
    b"\x80",
    b"\xc3",
    b"\xc0\xaf",
    b"\xc0\x80",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xf0\x80\x80\xaf",
    b"\xf4\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xf0\x9f\x98",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbe",
    b"\xe2\x80\xa8",
    b"\xc2\xa0",
    b"\x7f",
    b"\xc2\x85",
    *(bytes([control]) for control in range(32)),
]

AROUND = [
    b"",
    b" ",
    b"\n\t\r {} \r\n\t",
    b"\x0b{}",
    b"\x0c{}",
    b"{}\x0c",
    b"\x00{}",
    b"{}\x00",
    b"{}\n\x00",
    b"\x1f{}\x1e",
    b"\xc2\xa0{}",
    b"{}\xc2\x85",
    b"\xe2\x80\xa8{}",
    b"{}\xe3\x80\x80",
    b"\xef\xbb\xbf{}",
    b"{}\xef\xbb\xbf",
    b" \xef\xbb\xbf{}",
    b"\xff{}",
    b"{}\xff",
    b"{} {}",
    b"{}{}",
    b"{},",
    b"{}x",
    b"{}]",
    b"{}}",
    b'{}"',
    b"{}//",
    b"/**/{}",
    b"#\n{}",
    b"({})",
    b'{"a":1}\n{"a":2}',
    '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-16-le"),
    '{"a":1}'.encode("utf-32-be"),
]

BROKEN = [
    b"{",
    b"}",
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b'{"a":1,',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a":1,,"b":2}',
    b'{"a" 1}',
    b'{"a"::1}',
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b'{["a"]:1}',
    b'{"a":[1,]}',
    b'{"a":[,1]}',
    b'{"a":[1 2]}',
    b'{"a":[}',
    b'{"a":{]}',
    b'{"a":"',
    b'{"a":"\\"}',
    b'{"a":1;}',
    b'{"a":1}}',
    b'{"a":1,"a"}',
    b'{"a":1,"a":}',
    b'{"a":NaN,"a":1}',
    b'{"a":1,"a":1e999}',
    b'{"a":1,"a":"\\ud800"}',
    b'{"a":"\\ud800","b":1e999}',
]

TOP_LEVELS = [
    b"[]",
    b"[{}]",
    b'"a"',
    b'"\\ud800"',
    b"1",
    b"-0",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"[1e999]",
    b"[" * 5,
]

SPACED = [
    b'{ "a" : 1 , "b" : [ 1 , 2 ] }',
    b'{\n"a"\n:\n1\n}',
    b'{\t"a":\r1}',
    b'{"a":\x0b1}',
    b'{"a":\x0c1}',
    b'{"a":\xc2\xa01}',
    b'{"a":\x001}',
    b'{"a":1\x00}',
    b'{"a":\xef\xbb\xbf1}',
    b'{"a":- 1}',
    b'{"a":1 .5}',
    b'{"a":1e 5}',
    b'{"a":t rue}',
]


@pytest.mark.parametrize(
    "data",
    [*NAMES, *STRINGS_THAT_LOOK_LIKE_MORE, *AROUND, *BROKEN, *TOP_LEVELS, *SPACED],
    ids=lambda data: data.decode("latin-1").encode("unicode_escape").decode()[:40],
)
def test_members_white_space_and_what_is_no_json(data) -> None:
    both(data)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers(number) -> None:
    for data in (value(number), value(f"[{number}]"), value(f"[{number},{number}]"), value(f'{number},"b":{number}')):
        both(data)


def test_a_number_is_the_same_integer_or_the_same_float() -> None:
    assert both(value("18446744073709551616")) == "{'a': 18446744073709551616}"
    assert both(value("-0")) == "{'a': 0}"
    assert both(value("-0.0")) == "{'a': -0.0}"
    assert both(value("1e2")) == "{'a': 100.0}"
    assert both(value("1e999")) == both(value("NaN")) == "refused: a number that is not finite"
    assert both(value("1" * 33)) == both(value("1" * 33 + ".5")) == "refused: a number of more than 32 characters"


@pytest.mark.parametrize("inside", [*SURROGATES, *BYTES_IN_STRINGS], ids=lambda inside: repr(inside)[1:])
def test_strings(inside) -> None:
    for data in (
        string(inside),
        string(b"x" * 40 + inside + b"y" * 40),
        b'{"%b":1}' % inside,
        b'{"a":["%b"]}' % inside,
    ):
        both(data)
    both(b'{"a":"%b","b":"\\u0041"}' % inside)


@pytest.mark.parametrize("levels", [1, 15, 16, 17, 18, 30, 127, 128, 129, 254, 255, 256, 1023, 1024, 1025, 100_000])
@pytest.mark.parametrize("max_depth", [1, 2, 16, 64, 2000])
def test_depth(levels, max_depth) -> None:
    if levels <= 200 or max_depth <= 64:  # where the limit does not help, the standard library would recurse
        both(nested(levels), max_depth)
        both(b'{"a":' + nested(levels, "[", "]") + b"}", max_depth)
        both(nested(levels, '{"a":[', "]}"), max_depth)
    both(nested(levels)[:-1], min(max_depth, 64))
    both(nested(levels, "[", ""), min(max_depth, 64))
    both(value("[" + "[],{}," * min(levels, 300) + "1]"), max_depth)


@pytest.mark.parametrize("size", [15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 4096, 65_536])
def test_sizes(size) -> None:
    both(string(b"x" * size))
    both(string(b"\xc3\xa4" * size))
    both(string(b"\\n" * size))
    both(value("[" + "1," * size + "1]"))
    both(value(json.dumps({f"n{number}": number for number in range(size % 5000)})))
    both(value("1" * size))
    both(value("0." + "1" * size))
    both(value("1e" + "0" * size + "1"))


def test_long_member_names_and_many_members() -> None:
    """A fast reader may keep the names it has seen, by their length."""
    for length in (1, 63, 64, 65, 300):
        both(b'{"%b":1,"%b":2}' % (b"n" * length, b"n" * length))
        both(b'{"%b":1,"%b":2}' % (b"n" * length, b"n" * (length + 1)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**33), 10**33) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_any_object(found, ascii_only, indent) -> None:
    both(json.dumps(found, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass"))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.binary(min_size=8, max_size=8))
def test_any_float(number) -> None:
    if isinstance(number, bytes):
        (number,) = struct.unpack("<d", number)
    both(value(repr(number)))
    both(value(f"{number:.24e}"))


@given(st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,14})?([eE][-+]?[0-9]{1,4})?", fullmatch=True))
def test_any_decimal(text) -> None:
    both(value(text))


PIECES = (
    """{ } [ ] : , " "a" "b" "a": \\ \\ud800 \\u0061 1 - 0 . e NaN 1e999 true null é 99999999999999999999""".split()
)


@given(st.lists(st.sampled_from([*PIECES, " ", "\n", "\x00"]), max_size=14))
def test_any_pieces_of_json(pieces) -> None:
    both("".join(pieces).encode())
    both(b'{"a":' + "".join(pieces).encode() + b"}")


@given(st.binary(max_size=60))
def test_any_bytes(data) -> None:
    both(data)
    both(string(data))


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.integers(0, 255), st.integers(0, 10_000))
def test_one_changed_byte(found, byte, position) -> None:
    data = bytearray(json.dumps(found).encode())
    data[position % len(data)] = byte
    both(bytes(data))
