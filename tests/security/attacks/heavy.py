"""Attacks on time and memory: texts of any size, made for those who allow tokens of any size."""

from collections.abc import Callable
from typing import NamedTuple

from mintkey import Reason
from mintkey.jose.base64url import encode
from tests.security.attacks.forge import Forge

__all__ = ["HEAVY", "Heavy"]


class Heavy(NamedTuple):
    """A kind of heavy token.

    Attributes:
        make: Makes one, of about so many bytes.
        reason: What whoever looks at it says to it. None of it is ever accepted.
    """

    make: Callable[[Forge, int], str]
    reason: Reason


def _in_header(text: Callable[[int], bytes], reason: Reason = Reason.MALFORMED) -> Heavy:
    return Heavy(lambda _, size: f"{encode(text(size))}.e30.AAAA", reason)


def _in_member(value: Callable[[int], bytes], reason: Reason = Reason.MALFORMED) -> Heavy:
    """In a member that the purpose allows, of a header that is good but for that."""

    def make(forge: Forge, size: int) -> str:
        header = b'{"alg":"%b","kid":"%b","tenant":%b}'
        text = header % (forge.algorithm.encode(), forge.key.kid.encode(), value(size))
        return f"{encode(text)}.e30.AAAA"

    return Heavy(make, reason)


def _signed(payload: Callable[[int], bytes], reason: Reason = Reason.MALFORMED) -> Heavy:
    return Heavy(lambda forge, size: forge.token(claims=payload(size)), reason)


def _text(text: Callable[[Forge, int], str], reason: Reason = Reason.MALFORMED) -> Heavy:
    return Heavy(text, reason)


def _levels(before: bytes, within: bytes, after: bytes) -> Callable[[int], bytes]:
    """As deep as that many bytes reach: a hundred thousand levels and more in ten megabytes."""
    return lambda size: before * (size // 100) + within + after * (size // 100)


def _members(count: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % number for number in range(count)) + b"}"


_INVALID = Reason.SIGNATURE_INVALID

HEAVY: dict[str, Heavy] = {
    "letters": _text(lambda _, size: "A" * size),
    "dots": _text(lambda _, size: "." * size),
    "letters and dots": _text(lambda _, size: "A." * (size // 2)),
    "segments of letters": _text(lambda _, size: ".".join(["A" * (size // 12 * 4)] * 3)),
    "not ASCII": _text(lambda _, size: "\u00e9" * size),
    "foreign at the end": _text(lambda forge, size: f"{forge.good}{'A' * size}!"),
    "payload of letters": _text(lambda forge, size: f"{forge.segments[0]}.{'A' * size}.AAAA", _INVALID),
    "signature of letters": _text(lambda forge, size: f"{forge.good}{'A' * (size // 4 * 4)}", _INVALID),
    "white space": _in_header(lambda size: b" " * size),
    "string": _in_header(lambda size: b'{"alg":"' + b"a" * size + b'"}'),
    "string without an end": _in_header(lambda size: b'{"alg":"' + b"a" * size),
    "backslashes": _in_header(lambda size: b'{"alg":"' + b"\\\\" * (size // 2) + b'"}'),
    "quotation marks": _in_header(lambda size: b'"' * size),
    "digits": _in_header(lambda size: b'{"alg":' + b"9" * size + b"}"),
    "digits of an exponent": _in_header(lambda size: b'{"alg":1e' + b"9" * size + b"}"),
    "kid of letters": _in_header(lambda size: b'{"alg":"EdDSA","kid":"' + b"a" * size + b'"}'),
    "many members": _in_header(lambda size: _members(size // 20), Reason.HEADER_UNSUPPORTED),
    "one member, many times": _in_header(lambda size: b"{" + b'"alg":1,' * (size // 8) + b'"alg":1}'),
    "arrays, not closed": _in_member(_levels(b"[", b"", b"")),
    "arrays, closed": _in_member(_levels(b"[", b"", b"]")),
    "objects, closed": _in_member(_levels(b'{"a":', b"1", b"}")),
    "both, closed": _in_member(_levels(b'[{"a":', b"1", b"}]")),
    "arrays side by side": _in_member(lambda size: b"[" + b"[]," * (size // 6) + b"[]]", _INVALID),
    "deep claims": _signed(lambda size: b'{"a":' + _levels(b"[", b"", b"]")(size) + b"}"),
    "long claims": _signed(lambda size: b'{"a":"' + b"a" * size + b'"}', Reason.CLAIM_MISSING),
    "one claim, many times": _signed(lambda size: b"{" + b'"a":1,' * (size // 10) + b'"b":1}'),
    "digits of a time": _signed(lambda size: b'{"exp":' + b"9" * size + b"}"),
}
