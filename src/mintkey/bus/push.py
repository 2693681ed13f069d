"""From the bus to this process: caches forget and rings are looked at the moment something changed elsewhere."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from mintkey.bus.bus import EventBus
from mintkey.bus.delivered import Delivered
from mintkey.bus.notices import Trouble
from mintkey.errors import EventBusError, MintkeyError
from mintkey.events import KeyEvent, ReuseDetected, Revoked
from mintkey.flight import Detached, SingleFlight
from mintkey.keys.base import KeyVersion
from mintkey.lifecycle import Resource

__all__ = ["Push"]


_PAUSE = 2.0


class _Ring(Protocol):
    async def versions(self) -> Sequence[KeyVersion]: ...


class _Cache(Protocol):
    def forget(self) -> None: ...


class Push(Resource):
    """Acts at once on what other processes revoked or rotated, for as long as it is entered.

    Revocations make caches forget, so that the next look asks the store; changes of keys make providers look at their
    store. An event says only that something changed, never what: that is read where it always was, so a forged, lost or
    doubled event can do no more than cost a look. While the bus is away everything works within the bounds that it
    has without one (`RevocationCache.max_age`, `refresh_interval`), and once it is back everybody looks again.

    Args:
        bus: Where to listen.
        rings: Key providers, whichever have `versions()`.
        caches: Revocation caches, whichever have `forget()`.

    Example:
        ```python
        async with EventBus("redis://localhost", sealer=sealer) as bus, Push(bus, rings=[keys], caches=[cache]):
            async with TokenService(issuer=issuer, keys=keys, replay=cache) as tokens:
                await serve(tokens)
        ```
    """

    def __init__(self, bus: EventBus, /, *, rings: Sequence[_Ring] = (), caches: Sequence[_Cache] = ()) -> None:
        self._bus = bus
        self._rings = tuple(rings)
        self._caches = tuple(caches)
        self._tasks = Detached(lambda: EventBusError("the push was closed"))
        self._listening = SingleFlight(self._tasks, self._listen)

    async def _open(self) -> None:
        self._listening.start()

    async def _close(self) -> None:
        await self._tasks.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                await self._bus.listen(self._act, missed=self._act_on_all, only=(Revoked, ReuseDetected, KeyEvent))
            except EventBusError:
                # The server does not let us, perhaps for a while; and nobody waits here who could be told.
                self._bus.tell(Trouble.DEGRADED)
                await asyncio.sleep(_PAUSE)

    async def _act(self, delivered: Delivered) -> None:
        if isinstance(delivered.event, KeyEvent):
            await self._look_at_rings()
        else:
            self._forget()

    async def _act_on_all(self) -> None:
        self._forget()
        await self._look_at_rings()

    def _forget(self) -> None:
        for cache in self._caches:
            cache.forget()

    async def _look_at_rings(self) -> None:
        for ring in self._rings:
            with suppress(MintkeyError):  # who asks next sees the same trouble
                await ring.versions()
