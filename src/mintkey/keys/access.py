"""One ring of one store, from the engine's side: decoded, within a deadline, and failing in one way only."""

import hashlib
from collections import deque
from dataclasses import replace

from mintkey.keys.answers import answer_of
from mintkey.keys.counts import KnownCounts
from mintkey.keys.document import decode, encode
from mintkey.keys.document_seal import DocumentSeal
from mintkey.keys.ports import KeyRingStore, MintReturns, StoredRing
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Plaintext, Sealer

__all__ = ["RingAccess"]

_DEADLINE = 5.0  # a store should know better when to give up; this is for those that hang

_REMEMBERED = 8
"""Documents that we sent: as many as event loops are likely to change a ring at the same time.

Only their hashes are kept: there may be private keys in a document, and they are to go with the version.
"""


class RingAccess:
    """Reads and writes one ring.

    Args:
        store: Where the ring lives.
        ring: The ring's name.
        sealer: What authenticates its document; `Plaintext()` or None: nothing does.

    Attributes:
        ring: The ring's name.
        counts: What the store counted, as far as this process can tell.
    """

    def __init__(self, store: KeyRingStore, ring: str, /, *, sealer: Sealer | Plaintext | None = None) -> None:
        self._store = store
        self._seal = DocumentSeal(sealer, ring=ring)
        self._sent: deque[bytes] = deque(maxlen=_REMEMBERED)
        self.ring = ring
        self.counts: KnownCounts = KnownCounts()

    @property
    def is_sealed(self) -> bool:
        """Whether its document is authenticated."""
        return self._seal.is_there

    async def load(self) -> StoredRing | None:
        """The ring as stored, or None if the store has none.

        Raises:
            KeyProviderError: The store cannot answer (`keys_unavailable`).
        """
        return await answer_of(self._store.load(self.ring), task=f"load ring {self.ring!r}", deadline=_DEADLINE)

    def read(self, stored: StoredRing | None, /) -> Ring:
        """The ring in a document; an empty one if there is none.

        Raises:
            KeyProviderError: The document cannot be read, or does not pass its seal (`keys_unavailable`).
        """
        if stored is None:
            return Ring()
        return decode(self._seal.open(stored.document, revision=stored.revision), ring=self.ring)

    def is_current(self, stored: StoredRing | None, /) -> bool:
        """Whether writing the same ring again would change nothing: there is one, and its seal is of the first key.

        Raises:
            KeyProviderError: The document does not pass its seal (`keys_unavailable`).
        """
        return stored is not None and self._seal.is_current(stored.document, revision=stored.revision)

    def is_own(self, stored: StoredRing | None, /) -> bool:
        """Whether this process wrote the ring as it is, a moment ago."""
        return stored is not None and _mark_of(stored.document) in tuple(self._sent)

    async def swap(self, before: StoredRing | None, ring: Ring, /) -> StoredRing | None:
        """The ring as it is stored from now on, or None if somebody else was faster.

        Raises:
            KeyProviderError: The store cannot answer, so that nobody knows what happened (`keys_unavailable`).
        """
        expected = 0 if before is None else before.revision
        document = self._seal.close(encode(ring), revision=expected + 1)
        self._sent.append(_mark_of(document))
        swapping = self._store.compare_and_swap(self.ring, expected=expected, document=document)
        if not await answer_of(swapping, task=f"change ring {self.ring!r}", deadline=_DEADLINE):
            return None
        if before is None:
            return StoredRing(document, 1)
        return replace(before, document=document, revision=expected + 1)

    async def reserve(self, kid: str, /, *, want: int, limit: int) -> int:
        """How many mints of up to `want` were granted.

        Raises:
            KeyProviderError: The store cannot answer (`keys_unavailable`).
        """
        asked_after = self.counts.looks
        reserving = self._store.reserve(self.ring, kid, want=want, limit=limit)
        granted = await answer_of(reserving, task=f"reserve mints of ring {self.ring!r}", deadline=_DEADLINE)
        self.counts.add(kid, granted, asked_after=asked_after)
        return granted

    async def give_back(self, kid: str, /, *, count: int) -> bool:
        """Give reserved mints back, once; whether the store does that at all.

        Raises:
            KeyProviderError: The store cannot answer, so that nobody knows what happened (`keys_unavailable`).
        """
        if not isinstance(self._store, MintReturns):
            return False
        asked_after = self.counts.looks
        giving = self._store.give_back(self.ring, kid, count=count)
        await answer_of(giving, task=f"give mints back to ring {self.ring!r}", deadline=_DEADLINE)
        self.counts.add(kid, 0, returned=count, asked_after=asked_after)
        return True


def _mark_of(document: bytes) -> bytes:
    return hashlib.sha256(document).digest()
