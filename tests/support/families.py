"""A store of families that fails, or lets something happen in between, when a test says so."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from mintkey.clock import Clock
from mintkey.errors import Reason, ReplayStoreError
from mintkey.replay.base import StoredFamily
from mintkey.replay.memory import MemoryReplayStore

__all__ = ["FaultyFamilies"]


class FaultyFamilies(MemoryReplayStore):
    """A memory store whose families can be tampered with.

    Attributes:
        is_away: Every call about families fails, and nothing is done.
        loses_answers: Swaps are done, and fail all the same.
        refuses: Swaps are not done, and nobody says why.
        before_look: Called once before the next look: what happens after the caller's other checks.
        before_swap: Called once before the next swap: who is quicker than the caller.
        documents: What was written, by key, latest last.
    """

    is_away = False
    loses_answers = False
    refuses = False
    before_look: Callable[[], Awaitable[object]] | None = None
    before_swap: Callable[[], Awaitable[object]] | None = None

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.documents: dict[str, list[bytes]] = {}

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        if self.is_away:
            raise ReplayStoreError("the store is away on purpose")
        before, self.before_look = self.before_look, None
        if before is not None:
            await before()
        return await super().family(key, issued_at=issued_at)

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        if self.is_away:
            raise ReplayStoreError("the store is away on purpose")
        if self.refuses:
            return False
        before, self.before_swap = self.before_swap, None
        if before is not None:
            await before()
        is_done = await super().swap_family(key, expected=expected, document=document, expires_at=expires_at)
        if is_done:
            self.documents.setdefault(key, []).append(document)
        if self.loses_answers:
            raise ReplayStoreError("the answer is lost on purpose", reason=Reason.REPLAY_OUTCOME_UNKNOWN)
        return is_done

    def roll_back(self) -> None:
        """Forget the last swap of every family, as a replica does that takes over too early."""
        for key, documents in self.documents.items():
            documents.pop()
            now = self._clock.time()
            self._families.put(key, documents[-1], expires=now + 1e6, now=now)
