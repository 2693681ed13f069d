"""The JOSE header: an allow-list of members, and none of them decides how it is read (RFC 7515 §4, RFC 8725 §3)."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError, MalformedTokenError, Reason
from mintkey.jose import base64url
from mintkey.jose.members import check_kid
from mintkey.keys.base import Algorithm
from mintkey.purpose import FORBIDDEN_HEADERS

__all__ = ["NO_HEADERS", "Header", "header_segment", "read_header", "read_own_header", "same_typ"]

_OWN = frozenset({"alg", "kid", "typ"})

# Certificate thumbprints: some issuers cannot leave them out. They choose nothing here, so nobody gets to see them.
_IGNORED = frozenset({"x5t", "x5t#S256"})

_MAX_TYP_LENGTH = 128
NO_HEADERS: Mapping[str, Any] = MappingProxyType({})


class Header(NamedTuple):
    """A header in which every member is allowed and of its type.

    Attributes:
        alg: What the token says its algorithm is; the key decides whether that is so.
        kid: The key id, of whatever shape; empty if there is none.
        typ: The type; None if there is none.
        private: The allowed private members; `NO_HEADERS` itself if the header has nothing but its own three.
    """

    alg: str
    kid: str
    typ: str | None
    private: Mapping[str, Any]


def read_header(segment: bytes, allowed: Collection[str], /) -> Header:
    """The header in the first segment of a token.

    Args:
        segment: The segment, in base64url.
        allowed: The private members that may appear. Those of `FORBIDDEN_HEADERS` may not, whatever this says.

    Raises:
        MalformedTokenError: It is no strict JSON object, or `alg`, `kid` or `typ` are of the wrong type (`malformed`);
            there is a member that is not allowed (`header_unsupported`).
    """
    try:
        members = strict_json.loads(base64url.decode(segment))
    except ValueError:
        members = None
    if members is None:
        raise MalformedTokenError("the header is no JSON object in base64url")
    private = NO_HEADERS if members.keys() <= _OWN else _private(members, allowed)
    alg, kid = members.get("alg"), members.get("kid", "")
    if not isinstance(alg, str) or not isinstance(kid, str):
        raise MalformedTokenError("alg is missing, or alg or kid is no string")
    return Header(alg, kid, _typ(members["typ"]) if "typ" in members else None, private)


def _typ(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TYP_LENGTH or not value.isascii():
        raise MalformedTokenError("typ is no string, too long or not ASCII")
    return value


def _private(members: Mapping[str, Any], allowed: Collection[str]) -> Mapping[str, Any]:
    foreign = members.keys() - _OWN
    for name in foreign & FORBIDDEN_HEADERS:
        _refuse(f"the header member {name} is never accepted")
    if not foreign <= set(allowed):
        _refuse("the header has a member that nobody asked for")
    return MappingProxyType({name: value for name, value in members.items() if name in foreign - _IGNORED})


def _refuse(problem: str) -> NoReturn:
    raise MalformedTokenError(problem, reason=Reason.HEADER_UNSUPPORTED)


def read_own_header(segment: bytes, allowed: Collection[str], /) -> Header:
    """The header of a token that one of our keys may have signed: with a `kid` of the shape that ours have.

    Raises:
        MalformedTokenError: As for `read_header`, or the kid is missing or of another shape (`malformed`).
    """
    header = read_header(segment, allowed)
    if not check_kid(header.kid):
        raise MalformedTokenError("kid is missing or not of the shape that ours have")
    return header


def header_segment(*, kid: str, algorithm: Algorithm, typ: str, headers: Mapping[str, Any] = NO_HEADERS) -> bytes:
    """The first segment of a token to be; without private members it is worth keeping for as long as the key signs.

    Args:
        kid: The key's id.
        algorithm: The key's algorithm.
        typ: The token's type.
        headers: Private members.

    Raises:
        ConfigurationError: A private member is a forbidden one, or no JSON (`configuration`).

    Example:
        >>> header_segment(kid="1", algorithm="EdDSA", typ="login+jwt")
        b'eyJhbGciOiJFZERTQSIsImtpZCI6IjEiLCJ0eXAiOiJsb2dpbitqd3QifQ'
    """
    refused = sorted(headers.keys() & FORBIDDEN_HEADERS)
    if refused:
        raise ConfigurationError(f"headers must not set {', '.join(refused)}")
    try:
        encoded = strict_json.dumps({"alg": algorithm, "kid": kid, "typ": typ, **headers})
    except strict_json.StrictJSONError as error:
        raise ConfigurationError(f"headers: {error}") from None
    return base64url.encode(encoded).encode("ascii")


def same_typ(one: str | None, other: str, /) -> bool:
    """Whether two values of `typ` are one: without case, and `application/` goes without saying (RFC 7515 §4.1.9).

    Example:
        >>> same_typ("application/AT+JWT", "at+jwt"), same_typ("text/at+jwt", "at+jwt"), same_typ(None, "at+jwt")
        (True, False, False)
    """
    return one is not None and _media_type(one) == _media_type(other)


def _media_type(typ: str) -> str:
    # Only a value without any slash may have lost its `application/`.
    return typ.lower() if "/" in typ else f"application/{typ.lower()}"
