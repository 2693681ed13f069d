"""Base64url without padding, one spelling for each value (RFC 7515 §2, RFC 4648 §3.5 and §5).

A lax reader skips foreign bytes and ignores the unused bits of the last character: then one token has many spellings,
and whoever blocks or caches by text can be walked around.
"""

from binascii import Error, a2b_base64, b2a_base64

__all__ = ["TO_BASE64", "decode", "decode_base64", "encode", "encode_bytes"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
# What base64 knows and base64url does not is mapped to a byte that neither knows.
TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
"""Translates the alphabet of base64url to that of base64."""

# By the number of characters in the last quantum: those that may come last because their unused bits are zero, and what
# is left out. No quantum has one character.
_LAST = (frozenset(bytes(range(256))), frozenset[int](), frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
_PADDING = (b"", b"", b"==", b"=")


def encode(data: bytes, /) -> str:
    """The bytes as base64url text without padding.

    Example:
        >>> encode(b"mintkey")
        'bWludGtleQ'
    """
    return encode_bytes(data).decode("ascii")


def encode_bytes(data: bytes, /) -> bytes:
    """The same as `encode`, in bytes."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def decode(text: str | bytes, /) -> bytes:
    """The bytes that `encode` wrote as this text, and only as this text.

    Raises:
        ValueError: There is padding, white space, a foreign character, an impossible length, or an unused bit is set.
            The message never quotes the text.

    Example:
        >>> decode("bWludGtleQ")
        b'mintkey'
        >>> decode("bWludGtleR")
        Traceback (most recent call last):
        ValueError: not canonical base64url
    """
    if isinstance(text, str):
        if not text.isascii():
            raise ValueError("not canonical base64url")
        text = text.encode("ascii")
    return decode_base64(text.translate(TO_BASE64))


def decode_base64(text: bytes, /) -> bytes:
    """The same as `decode`, from bytes that were translated by `TO_BASE64`, as those of a token are all at once."""
    tail = len(text) & 3
    try:
        if not text or text[-1] in _LAST[tail]:
            return a2b_base64(text + _PADDING[tail], strict_mode=True)
    except Error:
        pass
    raise ValueError("not canonical base64url")
