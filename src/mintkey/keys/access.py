"""One ring of one store, from the engine's side: decoded, within a deadline, and failing in one way only."""

from mintkey.keys.base import KeyRingStore, StoredRing
from mintkey.keys.document import decode, encode
from mintkey.keys.ports import answer_of
from mintkey.keys.ring import Ring

__all__ = ["RingAccess"]

_DEADLINE = 5.0  # a store should know better when to give up; this is for those that hang


class RingAccess:
    """Reads and writes one ring.

    Args:
        store: Where the ring lives.
        ring: The ring's name.
    """

    def __init__(self, store: KeyRingStore, ring: str, /) -> None:
        self._store = store
        self.ring = ring

    async def load(self) -> StoredRing | None:
        """The ring as stored, or None if the store has none.

        Raises:
            KeyProviderError: The store cannot answer (`keys_unavailable`).
        """
        return await answer_of(self._store.load(self.ring), task=f"load ring {self.ring!r}", deadline=_DEADLINE)

    def read(self, stored: StoredRing | None, /) -> Ring:
        """The ring in a document; an empty one if there is none.

        Raises:
            KeyProviderError: The document cannot be read (`keys_unavailable`).
        """
        return Ring() if stored is None else decode(stored.document, ring=self.ring)

    async def swap(self, before: StoredRing | None, ring: Ring, /) -> StoredRing | None:
        """The ring as it is stored from now on, or None if somebody else was faster.

        Raises:
            KeyProviderError: The store cannot answer, so that nobody knows what happened (`keys_unavailable`).
        """
        document = encode(ring)
        expected = 0 if before is None else before.revision
        swapping = self._store.compare_and_swap(self.ring, expected=expected, document=document)
        if not await answer_of(swapping, task=f"change ring {self.ring!r}", deadline=_DEADLINE):
            return None
        return StoredRing(document, expected + 1, {} if before is None else before.mints)

    async def reserve(self, kid: str, /, *, want: int, limit: int) -> int:
        """How many mints of up to `want` were granted.

        Raises:
            KeyProviderError: The store cannot answer (`keys_unavailable`).
        """
        reserving = self._store.reserve(self.ring, kid, want=want, limit=limit)
        return await answer_of(reserving, task=f"reserve mints of ring {self.ring!r}", deadline=_DEADLINE)
