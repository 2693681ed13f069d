"""Which client a token was issued to, whatever type its claims have."""

from collections.abc import Mapping
from typing import Any, cast

__all__ = ["client_of"]


def client_of(claims: object, /) -> str | None:
    """The claim `client_id` (RFC 9068 §2.2), from a mapping or a typed value; None if there is none.

    Example:
        >>> client_of({"client_id": "dashboard"})
        'dashboard'
    """
    if isinstance(claims, Mapping):
        found = cast("Mapping[str, Any]", claims).get("client_id")
    else:
        found = getattr(claims, "client_id", None)
    return found if isinstance(found, str) else None
