"""A ring in this process's memory, gone with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType

from mintkey.keys.ports import StoredRing
from mintkey.loops import Waiting

__all__ = ["MemoryKeyRingStore"]


@dataclass(slots=True)
class _Entry:
    document: bytes = field(repr=False)
    revision: int = 1
    mints: dict[str, int] = field(default_factory=dict[str, int])
    returned: dict[str, int] = field(default_factory=dict[str, int])
    watchers: Waiting = field(default_factory=Waiting)


class MemoryKeyRingStore:
    """A `KeyRingStore` for one process and for tests. Give one store to several providers and they share their rings.

    They may be in several threads with event loops of their own.

    Example:
        >>> MemoryKeyRingStore()
        <MemoryKeyRingStore of 0 ring(s)>
    """

    def __init__(self) -> None:
        self._rings: dict[str, _Entry] = {}
        self._lock = Lock()  # each method is atomic; held for microseconds, never over an await

    def __repr__(self) -> str:
        return f"<MemoryKeyRingStore of {len(self._rings)} ring(s)>"

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is none."""
        with self._lock:
            entry = self._rings.get(ring)
            if entry is None:
                return None
            return StoredRing(
                entry.document,
                entry.revision,
                MappingProxyType(dict(entry.mints)),
                returned=MappingProxyType(dict(entry.returned)),
            )

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened."""
        with self._lock:
            entry = self._rings.get(ring)
            if expected != (0 if entry is None else entry.revision):
                return False
            if entry is None:
                self._rings[ring] = _Entry(document)
            else:
                entry.document, entry.revision = document, entry.revision + 1
                entry.watchers.wake_all()
        return True

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, never beyond `limit` in all; how many were granted."""
        with self._lock:
            entry = self._rings.get(ring)
            if entry is None:
                return 0
            counted = entry.mints.get(kid, 0)
            granted = max(0, min(want, limit - counted))
            if granted:
                entry.mints[kid] = counted + granted
            return granted

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        """Take back so many reserved mints."""
        with self._lock:
            entry = self._rings.get(ring)
            if entry is None:
                return
            count = min(count, entry.mints.get(kid, 0))
            if count > 0:
                entry.mints[kid] -= count
                entry.returned[kid] = entry.returned.get(kid, 0) + count

    async def watch(self, ring: str, /) -> AsyncIterator[int]:
        """Revisions of a ring that exists, as they appear; ends when there is none."""
        seen = 0
        while (found := self._look(ring, seen)) is not None:
            if isinstance(found, int):
                yield (seen := found)
            else:
                await found

    def forget(self, ring: str, /) -> None:
        """Lose a ring, as a restart would: for tests of what happens then."""
        with self._lock:
            entry = self._rings.pop(ring, None)
            if entry is not None:
                entry.watchers.wake_all()

    def _look(self, ring: str, seen: int) -> "int | asyncio.Future[None] | None":
        """The revision if it is another than was seen, else what to wait for; None if there is no ring."""
        with self._lock:
            entry = self._rings.get(ring)
            if entry is None:
                return None
            if entry.revision != seen:
                return entry.revision
            return entry.watchers.join()
