"""What frozen, slotted and generic dataclasses get wrong together, put right.

`dataclass(slots=True)` makes the class anew, but the `__setattr__` that `frozen=True` wrote still knows the old one and
ends in a `TypeError` for names that are no fields. Up to Python 3.12 that hits everybody who says `Purpose[Order](…)`:
`typing` notes the type on the new object, and bears only an `AttributeError`.
"""

from dataclasses import FrozenInstanceError
from typing import TypeVar

__all__ = ["frozen"]

T = TypeVar("T")


def frozen(cls: type[T], /) -> type[T]:
    """The same class, which refuses every assignment and deletion with a `FrozenInstanceError`."""

    def refuse(_self: object, name: str, *_value: object) -> None:
        raise FrozenInstanceError(f"cannot change {name!r}")

    setattr(cls, "__setattr__", refuse)  # noqa: B010 - a type checker does not let a method be assigned
    setattr(cls, "__delattr__", refuse)  # noqa: B010
    return cls
