"""Asks a ring how it is doing."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import anyio

from mintkey.errors import MintkeyError
from mintkey.health import Check, SelfChecking
from mintkey.keys.condition import age_check, clock_check, rotation_check, successor_check
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.snapshot import Snapshot
from mintkey.keys.store_clock import StoreClock
from mintkey.keys.workings import RingWorkings

__all__ = ["RingProbe"]

_PATIENCE = 2.0  # seconds of real time: those who ask for our health give up soon, too


class RingProbe:
    """Looks at the store and says what there is to say of the ring.

    Args:
        workings: The provider's.
        store: May know more about itself.
        store_clock: Knows how the clocks differ.
        advance: Does what is due, as far as that is possible now.
        refresh_interval: The age that a view of the ring may have, and how late a rotation may be.
        outage_tolerance: The age up to which it is used.
    """

    def __init__(
        self,
        workings: RingWorkings,
        store: KeyRingStore,
        store_clock: StoreClock,
        advance: Callable[[Snapshot], Awaitable[Snapshot]],
        /,
        *,
        refresh_interval: timedelta,
        outage_tolerance: timedelta,
    ) -> None:
        self._workings = workings
        self._clock = workings.clock
        self._store = store
        self._store_clock = store_clock
        self._advance = advance
        self._refresh_interval = refresh_interval
        self._outage_tolerance = outage_tolerance

    async def checks(self) -> Mapping[str, Check]:
        """What `RotatingKeyProvider.checks` promises."""
        store = await self._look()
        snapshot, now = self._workings.keeper.snapshot, self._clock.time()
        policy = self._workings.policy
        fresh, tolerated = self._refresh_interval, self._outage_tolerance
        checks = {
            "store": store,
            "ring": age_check(snapshot, self._clock.monotonic(), fresh=fresh, tolerated=tolerated),
            "rotation": rotation_check(snapshot, now, policy, tolerated=fresh),
            "successor": successor_check(snapshot, now, policy),
            "clock": clock_check(self._store_clock.offset, is_off=self._store_clock.is_off),
        }
        if store.ok and isinstance(self._store, SelfChecking):
            checks |= await self._store.checks()
        return checks

    async def _look(self) -> Check:
        """Look at the store, and do what is due there unless that would begin a ring."""
        began = self._clock.monotonic()
        try:
            with anyio.fail_after(_PATIENCE):
                snapshot = await self._workings.tasks.run(self._workings.keeper.refresh())
                lasted = self._clock.monotonic() - began
                if snapshot.signing_kid and self._clock.time() >= snapshot.change_due_at:
                    await self._advance(snapshot)
        except MintkeyError as error:
            return Check(ok=False, word=error.reason, figure=0)
        except TimeoutError:
            return Check(ok=False, word="silent", figure=_PATIENCE * 1000)
        return Check(ok=True, word="reachable", figure=round(lasted * 1000, 3))
