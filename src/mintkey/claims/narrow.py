"""What a JSON value is, said in a way that type checkers follow."""

from typing import Any, TypeGuard

__all__ = ["is_list", "is_object"]


def is_list(value: object, /) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def is_object(value: object, /) -> TypeGuard[dict[str, Any]]:
    """Whether it is a JSON object; names are strings in everything that a JSON reader returns."""
    return isinstance(value, dict)
