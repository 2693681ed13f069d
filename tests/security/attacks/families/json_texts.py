"""Two readings of one text: duplicate names, encodings, numbers, nesting (RFC 8725 §2.4, RFC 8259)."""

import json
from collections.abc import Callable, Iterator

from mintkey import Reason
from tests.security.attacks.case import Case
from tests.security.attacks.forge import Forge

__all__ = ["header_texts", "payload_texts"]

_Bend = Callable[[bytes], bytes]

_WHOLE: dict[str, _Bend] = {
    "UTF-8 with BOM": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16 with BOM": lambda text: text.decode().encode("utf-16"),
    "UTF-16 big-endian": lambda text: text.decode().encode("utf-16-be"),
    "UTF-16 little-endian": lambda text: text.decode().encode("utf-16-le"),
    "UTF-32 with BOM": lambda text: text.decode().encode("utf-32"),
    "UTF-32 big-endian": lambda text: text.decode().encode("utf-32-be"),
    "UTF-32 little-endian": lambda text: text.decode().encode("utf-32-le"),
    "UTF-7": lambda text: b"+/v8-" + text,
    "EBCDIC": lambda text: text.decode().encode("cp500"),
    "NUL behind": lambda text: text + b"\0",
    "NUL in front": lambda text: b"\0" + text,
    "garbage behind": lambda text: text + b"x",
    "garbage in front": lambda text: b"x" + text,
    "second object": lambda text: text + b"{}",
    "second object after a line": lambda text: text + b"\n" + text,
    "XSSI prefix": lambda text: b")]}'\n" + text,
    "brace too many": lambda text: text + b"}",
    "brace too few": lambda text: text[:-1],
    "in an array": lambda text: b"[" + text + b"]",
    "as a string": lambda text: json.dumps(text.decode()).encode(),
    "half": lambda text: text[: len(text) // 2],
    "trailing comma": lambda text: text[:-1] + b",}",
    "leading comma": lambda text: b"{," + text[1:],
    "comment": lambda text: text[:-1] + b"/**/}",
    "line comment": lambda text: text + b"//",
    "hash comment": lambda text: text + b"#",
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "names without quotes": lambda text: text.replace(b'"typ"', b"typ").replace(b'"iss"', b"iss"),
    "equals signs": lambda text: text.replace(b'":', b'"='),
    "form feed": lambda text: text + b"\x0c",
    "vertical tab": lambda text: b"\x0b" + text,
    "no-break space": lambda text: text + b"\xc2\xa0",
    "line separator": lambda text: text + b"\xe2\x80\xa8",
    "next line": lambda text: text + b"\xc2\x85",
}
_TEXTS = {
    "nothing": b"",
    "a space": b" ",
    "null alone": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"alg"',
    "array": b"[]",
    "array of the names": b'["alg","kid","typ","iss","exp"]',
    "array of pairs": b'[["alg","none"]]',
    "a brace": b"{",
    "a hundred braces": b"{" * 100,
    "XML": b"<a/>",
    "YAML": b"alg: none\n",
    "pickle": b"\x80\x04}\x94.",
    "CBOR": b"\xa1\x63alg\x64none",
    "BSON": b"\x05\x00\x00\x00\x00",
    "random bytes": bytes(range(256)),
    "ff": b"\xff" * 40,
}
# Members: what stands behind the last one, before the closing brace.
_REFUSED = {
    "NaN": b'"tenant":NaN',
    "Infinity": b'"tenant":Infinity',
    "minus Infinity": b'"tenant":-Infinity',
    "a number beyond every float": b'"tenant":1e999',
    "minus that": b'"tenant":-1e999',
    "33 digits": b'"tenant":' + b"9" * 33,
    "5,000 digits": b'"tenant":' + b"9" * 5000,
    "33 characters of a fraction": b'"tenant":0.' + b"1" * 31,
    "5,000 digits of an exponent": b'"tenant":1e' + b"0" * 5000,
    "leading zero": b'"tenant":01',
    "plus sign": b'"tenant":+1',
    "hexadecimal": b'"tenant":0x10',
    "octal": b'"tenant":0o10',
    "no digit before the point": b'"tenant":.5',
    "no digit behind the point": b'"tenant":5.',
    "two minus signs": b'"tenant":--1',
    "underscore": b'"tenant":1_000',
    "full width digits": '"tenant":\uff11\uff12'.encode(),
    "Python's True": b'"tenant":True',
    "Python's None": b'"tenant":None',
    "undefined": b'"tenant":undefined',
    "half a pair, high": rb'"tenant":"\ud800"',
    "half a pair, low": rb'"tenant":"\udc00"',
    "pair the wrong way round": rb'"tenant":"\udc00\ud800"',
    "half a pair in a name": rb'"tenant":{"\ud800":1}',
    "surrogates in UTF-8": b'"tenant":"\xed\xa0\x80\xed\xb0\x80"',
    "overlong NUL": b'"tenant":"\xc0\x80"',
    "overlong slash": b'"tenant":"\xe0\x80\xaf"',
    "overlong quote": b'"tenant":"\xc0\xa2,"',
    "beyond the last code point": b'"tenant":"\xf4\x90\x80\x80"',
    "Latin-1": b'"tenant":"\xfc"',
    "continuation byte": b'"tenant":"\x80"',
    "UTF-8 cut short": b'"tenant":"\xe2\x82"',
    "control character": b'"tenant":"\x01"',
    "newline in a string": b'"tenant":"a\nb"',
    "tab in a string": b'"tenant":"a\tb"',
    "unknown escape": rb'"tenant":"\q"',
    "hex escape": rb'"tenant":"\x41"',
    "short escape": rb'"tenant":"\u41"',
    "signed escape": rb'"tenant":"\u+041"',
    "string without an end": b'"tenant":"a',
    "backslash at the end": b'"tenant":"a\\"',
    "member without a value": b'"tenant":',
    "member without a name": b":1",
    "value alone": b'"tenant"',
    "two colons": b'"tenant"::1',
    "name that is a number": b"1:1",
    "same member twice": b'"tenant":1,"tenant":1',
    "same member, other values": b'"tenant":1,"tenant":2',
    "twice further in": b'"tenant":{"a":1,"a":2}',
    "twice in an array": b'"tenant":[{"a":1,"b":2,"a":3}]',
    "twice, once escaped": rb'"tenant":{"a":1,"\u0061":2}',
    "twice the empty name": b'"tenant":{"":1,"":2}',
    "17 levels": b'"tenant":' + b"[" * 16 + b"]" * 16,
    "17 levels of objects": b'"tenant":' + b'{"a":' * 16 + b"1" + b"}" * 16,
    "1,000 levels": b'"tenant":' + b"[" * 1000 + b"]" * 1000,
    "5,000 levels, not closed": b'"tenant":' + b"[" * 5000,
    "1,000 objects, not closed": b'"tenant":' + b'{"a":' * 1000,
    "brackets crossed": b'"tenant":[{]}',
}
_ACCEPTED = {
    "16 levels": b'"tenant":' + b"[" * 15 + b"]" * 15,
    "brackets in a string": b'"tenant":"' + b"[{" * 500 + b'"',
    "32 digits": b'"tenant":' + b"9" * 31,
    "64 bits and one": b'"tenant":18446744073709551616',
    "minus zero": b'"tenant":-0',
    "minus zero as a fraction": b'"tenant":-0.0',
    "exponent": b'"tenant":1E+2',
    "tiny": b'"tenant":1e-300',
    "less than that": b'"tenant":1e-400',
    "fraction": b'"tenant":1.5',
    "escaped pair": rb'"tenant":"\ud83d\udd11"',
    "escaped NUL": rb'"tenant":"\u0000"',
    "every escape": rb'"tenant":"\"\\\/\b\f\n\r\t\u00fc"',
    "escaped name": rb'"\u0074enant":1',
    "UTF-8 of every length": '"tenant":"a\u00fc\u20ac\U0001f511"'.encode(),
    "non-characters": '"tenant":"\ufffe\U0010ffff"'.encode(),
    "DEL": b'"tenant":"\x7f"',
    "names of JavaScript": b'"tenant":{"__proto__":{"admin":true},"constructor":1}',
    "empty name": b'"tenant":{"":1}',
    "same name on two levels": b'"tenant":{"tenant":{"tenant":1}}',
    "white space of every kind": b'"tenant"\n:\t[ \r1 , 2 ] ',
    "null": b'"tenant":null',
}
_SPACED: dict[str, _Bend] = {
    "spaces around": lambda text: b"  " + text + b"  ",
    "newlines around": lambda text: b"\r\n" + text + b"\r\n",
    "spread over lines": lambda text: json.dumps(json.loads(text), indent=2).encode(),
    "tabs": lambda text: json.dumps(json.loads(text), indent="\t").encode(),
    "members backwards": lambda text: json.dumps(dict(reversed(json.loads(text).items()))).encode(),
    "members sorted": lambda text: json.dumps(json.loads(text), sort_keys=True).encode(),
    "names escaped": lambda text: text.replace(b'"typ"', rb'"\u0074yp"').replace(b'"jti"', rb'"\u006ati"'),
    "values escaped": lambda text: text.replace(b"/", rb"\/").replace(b"magic", rb"m\u0061gic"),
}


def header_texts(forge: Forge) -> Iterator[Case]:
    """The header in every text. A member `tenant` is allowed by the purpose, and never by `verify_compact`."""
    good = json.dumps(forge.header, separators=(",", ":")).encode()
    why = "two readers, two readings"
    for name, text in _refused(good):
        yield from forge.both(name, Reason.MALFORMED, why, header=text)
    for name, text in _doubles(good, "alg", b"none", b"HS256", forge.algorithm.encode()):
        yield from forge.both(name, Reason.MALFORMED, "the first one checks, the last one counts", header=text)
    for name, text in _doubles(good, "kid", b"other", forge.key.kid.encode()):
        yield from forge.both(name, Reason.MALFORMED, "one looks up, the other one logs", header=text)
    for name, text in _doubles(good, "typ", b"at+jwt", b"magic-login+jwt"):
        yield from forge.both(name, Reason.MALFORMED, "a token for two purposes", header=text)
    for name, bend in _SPACED.items():
        yield from forge.both(name, None, "the same members", header=bend(good))
    for name, member in _ACCEPTED.items():
        text = good[:-1] + b"," + member + b"}"
        yield from forge.both(name, None, "JSON as it may be", header=text, bare=Reason.HEADER_UNSUPPORTED)


def payload_texts(forge: Forge) -> Iterator[Case]:
    """The claims in every text, signed and not signed; `verify_compact` returns whatever bytes were signed."""
    good = json.dumps(forge.claims, separators=(",", ":")).encode()
    why = "two readers, two readings"
    for name, text in _refused(good):
        yield from forge.both(name, Reason.MALFORMED, why, claims=text, bare="accepted")
    for claim, other in {"exp": b"99999999999", "sub": b'"admin"', "aud": b'"myapp.admin"', "jti": b'"2"'}.items():
        value = json.dumps(forge.claims[claim]).encode()
        for name, text in _doubles(good, claim, other, value, quoted=False):
            yield from forge.both(name, Reason.MALFORMED, "a claim with two values", claims=text, bare="accepted")
    for name, bend in _SPACED.items():
        yield from forge.both(name, None, "the same claims", claims=bend(good))
    for name, member in _ACCEPTED.items():
        yield from forge.both(name, None, "JSON as it may be", claims=good[:-1] + b"," + member + b"}")
        yield from forge.both(f"{name}, in front", None, "JSON as it may be", claims=b"{" + member + b"," + good[1:])


def _refused(good: bytes) -> Iterator[tuple[str, bytes]]:
    for name, bend in _WHOLE.items():
        yield name, bend(good)
    yield from _TEXTS.items()
    for name, member in _REFUSED.items():
        yield name, good[:-1] + b"," + member + b"}"


def _doubles(good: bytes, name: str, *values: bytes, quoted: bool = True) -> Iterator[tuple[str, bytes]]:
    """A member that is there already, once more: behind and in front, and with an escape in its name."""
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}".encode()
    for number, value in enumerate(values):
        written = b'"' + value + b'"' if quoted else value
        yield f"second {name} behind, {number}", good[:-1] + b',"' + name.encode() + b'":' + written + b"}"
        yield f"second {name} in front, {number}", b'{"' + name.encode() + b'":' + written + b"," + good[1:]
        yield f"second {name}, escaped, {number}", good[:-1] + b',"' + escaped + b'":' + written + b"}"
