"""Public names that are imported when they are asked for: optional packages stay optional, and start-up stays short."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(package: str, places: Mapping[str, str], /) -> Callable[[str], object]:
    """A module's `__getattr__` (PEP 562) for names that live elsewhere.

    Args:
        package: The name of the module that offers the names.
        places: For each name the module that defines it.
    """

    def __getattr__(name: str) -> object:  # noqa: N807 - it becomes a module's own
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return __getattr__
