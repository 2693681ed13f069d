"""From a service's hooks to the bus: what happened here is told everywhere."""

import asyncio
from collections import deque
from collections.abc import Collection
from contextlib import suppress

from mintkey import ids
from mintkey.bus.bus import EventBus
from mintkey.bus.notices import Trouble
from mintkey.errors import ConfigurationError, EventBusError
from mintkey.events import Event, KeyEvent, KeyRevoked, ReuseDetected, Revoked, Rotated
from mintkey.flight import Detached, SingleFlight
from mintkey.lifecycle import Resource

__all__ = ["Forwarder"]

_URGENT = (Revoked, ReuseDetected, Rotated, KeyRevoked)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_PARTING_SECONDS = 5.0


class Forwarder(Resource):
    """A hook that publishes: revocations and changes of keys, unless told otherwise.

    A hook must not wait, so events are published behind the caller, in order, again and again while the server is away.
    What a process still had to publish when it was killed is lost with it; who must be certain calls `publish`.
    Of what becomes of keys every process tells, and only the one that did it forwards it.

    Args:
        bus: Where to publish.
        only: Types of events to forward.
        capacity: How many may wait; what comes when so many do is dropped, and told. At least 1.

    Raises:
        ConfigurationError: The capacity is below 1 (`configuration`).

    Example:
        ```python
        async with EventBus("redis://localhost", sealer=sealer) as bus, Forwarder(bus) as forwarder:
            async with TokenService(issuer=issuer, keys=keys, replay=replay, hooks=[forwarder]) as tokens:
                await tokens.revoke_subject("20", ACCESS)  # everybody who listens hears of it
        ```
    """

    def __init__(self, bus: EventBus, /, *, only: Collection[type[Event]] = _URGENT, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ConfigurationError("Forwarder: capacity must be at least 1")
        self._bus = bus
        self._only = tuple(only)
        self._capacity = capacity
        self._waiting: deque[tuple[str, Event]] = deque()
        self._tasks = Detached(lambda: EventBusError("the forwarder was closed while it was at work"))
        self._publishing = SingleFlight(self._tasks, self._publish_all)

    def __call__(self, event: Event, /) -> None:
        """Publish an event soon, if it is of a type to be forwarded."""
        if not isinstance(event, self._only) or (isinstance(event, KeyEvent) and not event.is_own):
            return
        if len(self._waiting) >= self._capacity:
            self._bus.tell(Trouble.OVERFLOW)
            return
        self._waiting.append((ids.new_id(), event))
        self._publishing.start()

    async def _publish_all(self) -> None:
        pause = _FIRST_PAUSE
        while self._waiting:
            with suppress(IndexError):  # another event loop may publish as well, and took it
                event_id, event = self._waiting.popleft()
                try:
                    await self._bus.publish(event, event_id=event_id)
                except ConfigurationError:
                    self._bus.tell(Trouble.OVERFLOW)  # no type of this bus: it will never be taken
                except EventBusError:
                    self._waiting.appendleft((event_id, event))
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                except BaseException:
                    self._waiting.appendleft((event_id, event))
                    raise
                else:
                    pause = _FIRST_PAUSE

    async def _close(self) -> None:
        if self._waiting:
            await asyncio.wait([self._publishing.start()], timeout=_PARTING_SECONDS)
        await self._tasks.aclose()
        if self._waiting:
            self._bus.tell(Trouble.OVERFLOW, count=len(self._waiting))
            self._waiting.clear()
