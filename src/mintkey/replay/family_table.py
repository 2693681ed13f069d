"""Families of refresh tokens in memory: few beside the marks, each a document that is swapped and one day expires."""

from heapq import heappop, heappush

__all__ = ["FamilyTable"]

_CLEANED_PER_PUT = 2


class FamilyTable:
    """Documents by key, each until its time is over. Two expired ones go with every one that comes."""

    __slots__ = ("_documents", "_expiries")

    def __init__(self) -> None:
        self._documents: dict[str, tuple[bytes, float]] = {}
        self._expiries: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """How many documents take up memory."""
        return len(self._documents)

    def get(self, key: str, /, *, now: float) -> bytes | None:
        """The document under a key, or None if there is none or its time is over."""
        document, expires = self._documents.get(key, (None, now))
        return document if expires > now else None

    def put(self, key: str, document: bytes, /, *, expires: float, now: float) -> None:
        """Keep a document, instead of the one under that key if there is one."""
        if key not in self._documents:
            heappush(self._expiries, (expires, key))
        self._documents[key] = (document, expires)
        for _ in range(_CLEANED_PER_PUT):
            if self._expiries[0][0] > now:
                return
            _, due = heappop(self._expiries)
            # One entry a document, whatever it was swapped for meanwhile: swaps would pile up until the family ends.
            _, lives_until = self._documents[due]
            if lives_until > now:
                heappush(self._expiries, (lives_until, due))
            else:
                del self._documents[due]
