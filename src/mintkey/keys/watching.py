"""Push: look at the store as soon as it tells of a change. Polling goes on all the same and is the guarantee."""

from collections.abc import AsyncGenerator
from contextlib import suppress

from mintkey.errors import MintkeyError
from mintkey.flight import Detached, SingleFlight
from mintkey.keys.keeper import RingKeeper
from mintkey.keys.ports import KeyRingStore

__all__ = ["RingWatch"]


class RingWatch:
    """One process's ear at the store.

    Args:
        store: Tells of new revisions, if it can.
        ring: The ring's name.
        keeper: Looks at the store.
        tasks: Where listening runs.
    """

    def __init__(self, store: KeyRingStore, ring: str, keeper: RingKeeper, tasks: Detached, /) -> None:
        self._store = store
        self._ring = ring
        self._keeper = keeper
        self._listening = SingleFlight(tasks, self._listen)

    def go_on(self) -> None:
        """Listen from now on, or again if the store hung up."""
        self._listening.start()

    async def _listen(self) -> None:
        revisions = self._store.watch(self._ring)
        try:
            async for revision in revisions:
                with suppress(MintkeyError):  # who asks next sees the same trouble
                    await self._keeper.catch_up(revision)
        finally:
            # Not left to the garbage collector: there is a connection behind it.
            if isinstance(revisions, AsyncGenerator):
                await revisions.aclose()
