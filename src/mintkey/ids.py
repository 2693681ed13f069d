"""Where randomness comes from: nothing else in the library draws it."""

import base64
import secrets

__all__ = ["new_id", "random_bytes"]


def random_bytes(count: int, /) -> bytes:
    """That many bytes from the operating system's random source."""
    return secrets.token_bytes(count)


def new_id() -> str:
    """128 random bits as 22 characters of base64url: a `jti`, an owner, the `kid` of a secret.

    Example:
        >>> len(new_id())
        22
    """
    return base64.urlsafe_b64encode(secrets.token_bytes(16))[:22].decode("ascii")
