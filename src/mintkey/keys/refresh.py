"""When to look at the store again, and who waits for it.

A caller whose key is known never waits, except where nobody looked for a whole refresh interval: an idle process should
not answer from last week's ring. Even then it waits half a second at most; but where what is known is older than is
safe, and no look failed lately, the look itself decides, as it does for a process that has just begun.
"""

from contextlib import suppress
from datetime import timedelta
from math import inf

import anyio

from mintkey.clock import Clock
from mintkey.errors import KeyProviderError, MintkeyError
from mintkey.flight import Detached, SingleFlight
from mintkey.keys.keeper import RingKeeper
from mintkey.keys.snapshot import Snapshot

__all__ = ["Freshness"]

_PATIENCE = 0.5  # seconds of real time that a caller with a known key waits for a store
_COOL_DOWN = 1.0  # seconds between two looks for unknown kids, and between two tries while the store is away


class Freshness:
    """Bounds the age of a keeper's snapshot.

    Args:
        keeper: Holds the snapshot.
        tasks: Where refreshing runs.
        clock: Where time comes from.
        refresh_interval: The age that a snapshot may reach before somebody waits for a new one.
        outage_tolerance: The age up to which it is used while the store is away.
    """

    def __init__(
        self,
        keeper: RingKeeper,
        tasks: Detached,
        /,
        *,
        clock: Clock,
        refresh_interval: timedelta,
        outage_tolerance: timedelta,
    ) -> None:
        self._keeper = keeper
        self._flight = SingleFlight(tasks, self._refresh)
        self._clock = clock
        self._interval = refresh_interval.total_seconds()
        self._tolerance = outage_tolerance.total_seconds()
        self._tried_at = self._searched_at = -inf

    async def current(self) -> Snapshot:
        """A snapshot that is good enough to work with.

        Raises:
            KeyProviderError: There never was one, or it is older than is safe (`keys_unavailable`).
        """
        snapshot = self._keeper.snapshot
        if snapshot is None:
            return await self._flight.join()
        now = self._clock.monotonic()
        if now < snapshot.fresh_until:
            return snapshot
        age = now - snapshot.checked_at
        # A failure of long ago says nothing. A try that others waited for in vain counts as failed, even if it goes on.
        has_failed = self._keeper.failure is not None and now - self._keeper.failed_at < self._interval
        is_away = has_failed or (self._flight.is_running and now - self._tried_at >= _PATIENCE)
        if age >= self._tolerance:
            snapshot = await self._awaited(snapshot, patience=_PATIENCE if has_failed else inf)
        elif age >= self._interval and not is_away:
            snapshot = await self._awaited(snapshot, patience=_PATIENCE)
        elif not is_away or now - self._tried_at >= _COOL_DOWN:
            self._flight.start()  # behind the caller
        if self._clock.monotonic() - snapshot.checked_at >= self._tolerance:
            raise KeyProviderError("the key ring could not be read for longer than is safe") from self._keeper.failure
        return snapshot

    async def after_unknown_kid(self) -> Snapshot | None:
        """A snapshot that may know more than the last one; None if nobody may look again already.

        However many unknown kids arrive, the store sees one look per cool-down, counted from attempts. A cache of such
        kids would save nothing beyond that, and would have to be bounded.

        Raises:
            KeyProviderError: The store cannot be read (`keys_unavailable`).
        """
        now = self._clock.monotonic()
        if now - self._searched_at >= _COOL_DOWN:
            self._searched_at = now
            return await self._flight.join()
        return await self._flight.join() if self._flight.is_running else None

    async def _awaited(self, snapshot: Snapshot, *, patience: float) -> Snapshot:
        with anyio.move_on_after(patience), suppress(MintkeyError):
            return await self._flight.join()
        return self._keeper.snapshot or snapshot

    async def _refresh(self) -> Snapshot:
        self._tried_at = self._clock.monotonic()
        return await self._keeper.refresh()
