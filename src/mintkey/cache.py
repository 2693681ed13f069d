"""A bounded memory of tokens whose signature was checked, for purposes that are verified many times."""

from collections.abc import Mapping
from threading import Lock
from types import MappingProxyType
from typing import Any, cast

from mintkey.errors import ConfigurationError
from mintkey.purpose import Purpose
from mintkey.tokens import Found

__all__ = ["VerificationCache"]

_CONTAINERS = (dict, list)


_Entry = tuple[Found, Purpose[Any], object, bool]
"""What was found, for which purpose and by which service, and whether it holds no object that somebody could change."""


class _Entries(dict[str, _Entry]):
    """Entries by their token; a debugger that shows the members of a cache shows neither tokens nor claims."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} token(s)>"


class VerificationCache:
    """Lets a service skip the signature of a token that it has verified before.

    Everything that can change is checked on every hit: the key's state, the times, the scopes and revocation.
    Single-use tokens are never kept. The oldest entry goes first.

    Args:
        max_entries: How many tokens are kept, at least 1.

    Raises:
        ConfigurationError: `max_entries` is below 1 (`configuration`).

    Example:
        >>> VerificationCache(max_entries=10_000)
        VerificationCache(entries=0, max_entries=10000)
    """

    def __init__(self, max_entries: int = 10_000) -> None:
        if max_entries < 1:
            raise ConfigurationError("VerificationCache.max_entries must be at least 1")
        self._max_entries = max_entries
        self._entries = _Entries()
        self._guard = Lock()  # for those who make room; threads with event loops of their own may share a cache

    def __repr__(self) -> str:
        return f"{type(self).__name__}(entries={len(self._entries)}, max_entries={self._max_entries})"

    def get(self, token: object, purpose: Purpose[Any], service: object, /) -> tuple[Found, dict[str, Any]] | None:
        """What this service knows of this text for this very purpose, and its private claims, the caller's to keep.

        What another service found good proves nothing here: it may have other keys and another issuer.
        """
        entry = self._entries.get(token) if isinstance(token, str) else None
        if entry is None:
            return None
        found, known_purpose, known_service, is_flat = entry
        if known_service is not service or (known_purpose is not purpose and known_purpose != purpose):
            return None
        if is_flat:
            return found, found[4].copy()
        own = _copy_of_found(found)
        return own, own[4]

    def put(self, token: str, purpose: Purpose[Any], service: object, found: Found, /) -> None:
        """Remember a token; the oldest makes room."""
        values = *found[3].values(), *found[4].values()
        is_flat = not any(isinstance(value, _CONTAINERS) for value in values)
        entry = _copy_of_found(found), purpose, service, is_flat
        with self._guard:
            if len(self._entries) >= self._max_entries and token not in self._entries:
                del self._entries[next(iter(self._entries))]
            self._entries[token] = entry


def _copy_of_found(found: Found) -> Found:
    """The same, made of objects that nobody else can change."""
    registered, purpose, kid, headers, private = found
    return registered, purpose, kid, MappingProxyType(_copy_of(headers)), _copy_of(private)


def _copy_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copy_of_value(value) for name, value in claims.items()}


def _copy_of_value(value: object) -> object:
    if isinstance(value, dict):
        return _copy_of(cast("dict[str, Any]", value))
    if isinstance(value, list):
        return [_copy_of_value(member) for member in cast("list[object]", value)]
    return value
