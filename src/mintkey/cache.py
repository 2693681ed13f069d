"""A bounded memory of tokens whose signature was checked, for purposes that are verified many times."""

from typing import Any

from mintkey.errors import ConfigurationError
from mintkey.purpose import Purpose
from mintkey.tokens import Authentic

__all__ = ["VerificationCache"]


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
        self._entries: dict[str, Authentic] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(entries={len(self._entries)}, max_entries={self._max_entries})"

    def get(self, token: str, purpose: Purpose[Any], /) -> Authentic | None:
        """What is known of this very text for this very purpose."""
        found = self._entries.get(token)
        return found if found is not None and found.purpose == purpose else None

    def put(self, token: str, found: Authentic, /) -> None:
        """Remember a token; the oldest makes room."""
        if len(self._entries) >= self._max_entries and token not in self._entries:
            del self._entries[next(iter(self._entries))]
        self._entries[token] = found
