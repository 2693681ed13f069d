"""A token in one piece: what the verifier does with it step by step, up to the claims."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from mintkey.jose import compact
from mintkey.jose.compact import HeaderCache
from mintkey.jose.header import NO_HEADERS, Header, header_segment, read_own_header
from mintkey.keys.base import Algorithm, VerificationKey

__all__ = ["Parts", "authenticate", "parse", "remember", "signing_input"]


class Parts(NamedTuple):
    """The parts of a well-formed token, and whether its header came from the cache."""

    header: Header
    signing_input: bytes
    segment: bytes
    payload: bytes
    signature: bytes
    header_is_known: bool


def parse(
    token: object, /, *, max_bytes: int, allowed_headers: Collection[str] = (), cache: HeaderCache | None = None
) -> Parts:
    """The parts of a token, after every check that needs no key."""
    signed, segment, payload, signature = compact.split(token, max_bytes)
    known = None if cache is None else cache.find(segment)
    header = read_own_header(segment, allowed_headers) if known is None else Header(*known)
    return Parts(header, signed, segment, payload, signature, known is not None)


def authenticate(parts: Parts, key: VerificationKey, /) -> None:
    """Return if the token was signed with this key."""
    compact.authenticate(parts.header.alg, key, parts.signing_input, parts.signature)


def remember(cache: HeaderCache, parts: Parts, /) -> None:
    """Keep the header of a token that was authenticated."""
    cache.remember(parts.segment, parts.header)


def signing_input(
    *, kid: str, algorithm: Algorithm, typ: str, headers: Mapping[str, Any] = NO_HEADERS, payload: bytes
) -> bytes:
    """The bytes to sign for a token to be."""
    return compact.compose(header_segment(kid=kid, algorithm=algorithm, typ=typ, headers=headers), payload)
