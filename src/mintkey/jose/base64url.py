"""Base64url without padding, one spelling for each value (RFC 7515 §2, RFC 4648 §3.5 and §5).

A lax reader skips foreign bytes and ignores the unused bits of the last character: then one token has many spellings,
and whoever blocks or caches by text can be walked around.
"""

import binascii

__all__ = ["decode", "encode"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
# What base64 knows and base64url does not is mapped to a byte that neither knows.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/\0\0\0")

# The last characters whose unused bits are zero: four of them after two characters of a quantum, two after three.
_LAST_OF_TWO = frozenset(b"AQgw")
_LAST_OF_THREE = frozenset(b"AEIMQUYcgkosw048")


def encode(data: bytes, /) -> str:
    """The bytes as base64url text without padding.

    Example:
        >>> encode(b"mintkey")
        'bWludGtleQ'
    """
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


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
    tail = len(text) & 3
    if tail == 0:
        padding = b""
    elif tail == 2 and text[-1] in _LAST_OF_TWO:  # noqa: PLR2004 - characters of the last quantum
        padding = b"=="
    elif tail == 3 and text[-1] in _LAST_OF_THREE:  # noqa: PLR2004 - characters of the last quantum
        padding = b"="
    else:
        raise ValueError("not canonical base64url")
    try:
        return binascii.a2b_base64(text.translate(_FROM_URL) + padding, strict_mode=True)
    except binascii.Error:
        pass
    raise ValueError("not canonical base64url")
