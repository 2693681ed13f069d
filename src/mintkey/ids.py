"""Where randomness comes from: nothing else in the library draws it."""

import binascii
import os

__all__ = ["new_id", "random_bytes"]

_TO_URL = bytes.maketrans(b"+/", b"-_")


def random_bytes(count: int, /) -> bytes:
    """That many bytes from the operating system's random source."""
    return os.urandom(count)


def new_id() -> str:
    """128 random bits as 22 characters of base64url: a `jti`, an owner, the `kid` of a secret.

    Example:
        >>> len(new_id())
        22
    """
    return binascii.b2a_base64(os.urandom(16), newline=False)[:22].translate(_TO_URL).decode("ascii")
