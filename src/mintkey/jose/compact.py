"""The gate: from any value at all to the parts of a compact JWS, and back (RFC 7515 §3.1, §5, §7.1).

One order, cheapest first, and nothing of the token is believed before `authenticate`: type and length, ASCII, exactly
two dots, strict base64url, the header. Whatever comes in, only a `MintkeyError` comes out, in time and memory bounded
by `max_bytes`.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from mintkey.errors import MalformedTokenError, Reason, SignatureError
from mintkey.jose import base64url
from mintkey.jose.algorithms import spec_of
from mintkey.jose.header import NO_HEADERS, Header, header_segment, read_header, same_typ
from mintkey.jose.members import check_kid
from mintkey.keys.base import Algorithm, VerificationKey
from mintkey.records import maker

__all__ = [
    "CompactToken",
    "HeaderCache",
    "assemble",
    "authenticate",
    "compose",
    "header_segment",
    "parse",
    "same_typ",
    "signing_input",
    "split",
]


class CompactToken(NamedTuple):
    """The parts of a well-formed token. None of them is authentic before `authenticate` said so.

    Attributes:
        header: The header; its `kid` is of the shape that `check_kid` wants.
        signing_input: The bytes that are signed.
        payload: The bytes that they carry.
        signature: The raw signature.
        header_is_known: Whether the header came from a cache.
    """

    header: Header
    signing_input: bytes
    payload: bytes
    signature: bytes
    header_is_known: bool = False

    def __repr__(self) -> str:
        """Says what it is and nothing of what is in it."""
        return "CompactToken(…)"


_compact_token = maker(CompactToken)


class HeaderCache:
    """Headers of authentic tokens, by their first segment: all tokens of one key and one type share theirs.

    It spares the reading and no check: what is remembered was read in full, has no private member (so it depends on no
    allow-list), and names a key that is looked up and asked all the same. Only authentic tokens are remembered, so
    nobody without a key can fill it.

    Args:
        max_entries: How many headers to keep; the oldest goes first.
    """

    __slots__ = ("_headers", "_max_entries")

    def __init__(self, *, max_entries: int = 256) -> None:
        self._headers: dict[bytes, Header] = {}
        self._max_entries = max_entries

    def find(self, segment: bytes, /) -> Header | None:
        """The header in this segment, if it is remembered."""
        return self._headers.get(segment)

    def remember(self, token: CompactToken, /) -> None:
        """Keep the header of a token that was authenticated, unless it has members that another purpose may refuse."""
        if token.header_is_known or token.header.private is not NO_HEADERS:
            return
        if len(self._headers) >= self._max_entries:
            self._headers.pop(next(iter(self._headers)))
        self._headers[token.signing_input.partition(b".")[0]] = token.header


def split(token: object, /, *, max_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
    """The signing input, the header segment (still base64url), the payload and the signature of a token.

    Raises:
        MalformedTokenError: It is longer than `max_bytes` (`too_large`); it is no str, not ASCII, has not exactly two
            dots, or its payload or signature is not canonical base64url (`malformed`).
    """
    if not isinstance(token, str):
        raise MalformedTokenError("a token is a str")
    if len(token) > max_bytes:  # before anything touches the characters
        raise MalformedTokenError(
            f"a token has at most {max_bytes} bytes", reason=Reason.TOO_LARGE, details={"max_bytes": max_bytes}
        )
    if not token.isascii():
        raise MalformedTokenError("a token is ASCII")
    encoded = token.encode("ascii")
    segments = encoded.split(b".", 3)
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature
        raise MalformedTokenError("a token has exactly two dots")
    header, payload, signature = segments
    try:
        return encoded[: -len(signature) - 1], header, base64url.decode(payload), base64url.decode(signature)
    except ValueError:
        pass
    raise MalformedTokenError("a segment of the token is not canonical base64url")


def parse(
    token: object, /, *, max_bytes: int, allowed_headers: Collection[str] = (), cache: HeaderCache | None = None
) -> CompactToken:
    """The parts of a token, after every check that needs no key.

    Args:
        token: Whatever came in.
        max_bytes: The longest token to look at.
        allowed_headers: The private header members that may appear.
        cache: Headers known from authentic tokens.

    Raises:
        MalformedTokenError: As for `split` and `header.read_header`; or `kid` is missing or of the wrong shape
            (`malformed`).
    """
    signed, segment, payload, signature = split(token, max_bytes=max_bytes)
    known = None if cache is None else cache.find(segment)
    if known is not None:
        return _compact_token((known, signed, payload, signature, True))
    header = read_header(segment, allowed_headers)
    if not check_kid(header.kid):
        raise MalformedTokenError("kid is missing or not of the shape that ours have")
    return CompactToken(header, signed, payload, signature)


def authenticate(token: CompactToken, key: VerificationKey, /) -> None:
    """Return if the token was signed with this key, by the key's own algorithm.

    Raises:
        SignatureError: The header names another algorithm than the key's (`algorithm_mismatch`), or the signature is
            not the key's (`signature_invalid`).
    """
    alg = token.header.alg
    if alg != key.algorithm and alg not in spec_of(key.algorithm).header_names:
        raise SignatureError("the header's alg is not that of the key", reason=Reason.ALGORITHM_MISMATCH)
    if not key.verify(token.signing_input, token.signature):
        raise SignatureError("the signature is not that of the key", reason=Reason.SIGNATURE_INVALID)


def signing_input(
    *, kid: str, algorithm: Algorithm, typ: str, headers: Mapping[str, Any] = NO_HEADERS, payload: bytes
) -> bytes:
    """The bytes to sign for a token to be.

    Raises:
        ConfigurationError: As for `header_segment`.

    Example:
        >>> signing_input(kid="1", algorithm="EdDSA", typ="login+jwt", payload=b"{}")
        b'eyJhbGciOiJFZERTQSIsImtpZCI6IjEiLCJ0eXAiOiJsb2dpbitqd3QifQ.e30'
    """
    return compose(header_segment(kid=kid, algorithm=algorithm, typ=typ, headers=headers), payload)


def compose(header: bytes, payload: bytes, /) -> bytes:
    """The bytes to sign, from a header segment that was made before."""
    return b"%b.%b" % (header, base64url.encode_bytes(payload))


def assemble(signed: bytes, signature: bytes, /) -> str:
    """The token.

    Example:
        >>> assemble(b"e30.e30", b"signature")
        'e30.e30.c2lnbmF0dXJl'
    """
    return (b"%b.%b" % (signed, base64url.encode_bytes(signature))).decode("ascii")
