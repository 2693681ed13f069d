"""The gate: from any value at all to the parts of a compact JWS, and back (RFC 7515 §3.1, §5, §7.1).

One order, cheapest first, and nothing of the token is believed before `authenticate`: type and length, ASCII, exactly
two dots, strict base64url, the header. Whatever comes in, only a `MintkeyError` comes out, in time and memory bounded
by `max_bytes`.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from mintkey.errors import MalformedTokenError, Reason, SignatureError
from mintkey.jose.algorithms import spec_of
from mintkey.jose.base64url import TO_BASE64, decode_base64, encode_bytes
from mintkey.jose.header import NO_HEADERS, Header, header_segment, same_typ
from mintkey.keys.base import VerificationKey

__all__ = [
    "HeaderCache",
    "assemble",
    "authenticate",
    "compose",
    "header_segment",
    "same_typ",
    "split",
]


_SEGMENTS = 3

_Members = tuple[str, str, str | None, Mapping[str, Any]]
"""Those of a `Header`, as a plain tuple, which is unpacked in a fraction of the time."""


class HeaderCache:
    """Headers of authentic tokens, by their first segment: all tokens of one key and one type share theirs.

    It spares the reading and no check: what is remembered was read in full, has no private member (so it depends on no
    allow-list), and names a key that is looked up and asked all the same. Only authentic tokens are remembered, so
    nobody without a key can fill it.

    Args:
        max_entries: How many headers to keep; the oldest goes first.

    Attributes:
        find: The members of the header in a segment, as in `Header`; None if it is not remembered.
    """

    __slots__ = ("_guard", "_headers", "_max_entries", "find")

    def __init__(self, *, max_entries: int = 256) -> None:
        self._headers: dict[bytes, _Members] = {}
        self._max_entries = max_entries
        self._guard = Lock()  # for those who make room; event loops of several threads may share a service
        self.find: Callable[[bytes], _Members | None] = self._headers.get

    def remember(self, segment: bytes, header: Header, /) -> None:
        """Keep the header of a token that was authenticated, unless it has members that another purpose may refuse."""
        if header.private is not NO_HEADERS:
            return
        with self._guard:
            if len(self._headers) >= self._max_entries:
                self._headers.pop(next(iter(self._headers)))
            self._headers[segment] = header.alg, header.kid, header.typ, header.private


def split(token: object, max_bytes: int, /) -> tuple[bytes, bytes, bytes, bytes]:
    """The signing input, the header segment (still base64url), the payload and the signature of a token.

    None of them is authentic before `authenticate` said so.

    Args:
        token: Whatever came in.
        max_bytes: The longest token to look at.

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
    raw = token.encode("ascii")
    segments = raw.translate(TO_BASE64).split(b".", _SEGMENTS)
    if len(segments) != _SEGMENTS:
        raise MalformedTokenError("a token has exactly two dots")
    header, payload, signature = segments
    try:
        return raw[: ~len(signature)], raw[: len(header)], decode_base64(payload), decode_base64(signature)
    except ValueError:
        pass
    raise MalformedTokenError("a segment of the token is not canonical base64url")


def authenticate(alg: str, key: VerificationKey, signing_input: bytes, signature: bytes, /) -> None:
    """Return if the token was signed with this key, by the key's own algorithm.

    Args:
        alg: What the token says its algorithm is.
        key: The key that its `kid` names.
        signing_input: What was signed.
        signature: The raw signature.

    Raises:
        SignatureError: The header names another algorithm than the key's (`algorithm_mismatch`), or the signature is
            not the key's (`signature_invalid`).
    """
    if alg != key.algorithm and alg not in spec_of(key.algorithm).header_names:
        raise SignatureError("the header's alg is not that of the key", reason=Reason.ALGORITHM_MISMATCH)
    if not key.verify(signing_input, signature):
        raise SignatureError("the signature is not that of the key")


def compose(header: bytes, payload: bytes, /) -> bytes:
    """The bytes to sign, from a header segment that was made before."""
    return b"%b.%b" % (header, encode_bytes(payload))


def assemble(signed: bytes, signature: bytes, /) -> str:
    """The token.

    Example:
        >>> assemble(b"e30.e30", b"signature")
        'e30.e30.c2lnbmF0dXJl'
    """
    return (b"%b.%b" % (signed, encode_bytes(signature))).decode("ascii")
