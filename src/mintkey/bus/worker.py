"""One consumer of a group: every event of the stream is handled by one of the group, at least once.

An event is delivered to one consumer and stays his until he says that it is done, which he does once it was handled, or
put aside. Who is killed in between leaves it behind. After a while without a sign of life any other one takes it over,
one event at a time: what kills its consumer is counted alone, and not together with its innocent neighbours.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import anyio

from mintkey.bus.delivered import Delivered
from mintkey.bus.envelope import Envelopes, MisfitError
from mintkey.bus.lag import LagWatch
from mintkey.bus.notices import Teller, Trouble
from mintkey.bus.patience import Progress, go_on
from mintkey.bus.stream import Entry, Stream, entries_of
from mintkey.events import Event
from mintkey.redis.blocking import PatientWire, patient_wire
from mintkey.redis.errors import RedisCallError

__all__ = ["Handler", "Limits", "Worker"]

_BATCH = 32
_PAGE = 100
_LONGEST_WAIT = 5.0
_DEFERENCE = 1.5
"""So much later than others a consumer comes back to an event that it failed on itself: it may be to blame."""

Handler = Callable[[Delivered], Awaitable[object]]
"""What a consumer does with an event."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, and how often.

    Attributes:
        handler_timeout: Seconds that a handler has for an event.
        max_deliveries: How often an event is tried; None: for ever.
    """

    handler_timeout: float
    max_deliveries: int | None

    @property
    def idle_milliseconds(self) -> int:
        """After so long without a sign of life others take an event over.

        It may have waited for half of a handler's time before the handler began, so nobody is disturbed at work.
        """
        return max(1, round(2000 * self.handler_timeout))


class Worker:
    """Reads, handles, says that it is done, and looks after what others left behind.

    Args:
        stream: The stream.
        envelopes: Opens what stands there.
        handler: What to do with an event.
        teller: Is told of troubles.
        lag: Looks how the groups are doing.
        group: The group's name.
        consumer: This consumer's name in it.
        only: Types of events that are of interest; all others are done without being handled. Empty: all are.
        newest: A group that does not exist yet begins with what is published from now on.
        limits: How long, and how often.
    """

    def __init__(
        self,
        stream: Stream,
        envelopes: Envelopes,
        handler: Handler,
        teller: Teller,
        lag: LagWatch,
        /,
        *,
        group: str,
        consumer: str,
        only: Collection[type[Event]],
        newest: bool,
        limits: Limits,
    ) -> None:
        self._stream = stream
        self._envelopes = envelopes
        self._handler = handler
        self._teller = teller
        self._lag = lag
        self._group = group
        self._consumer = consumer
        self._only = tuple(only)
        self._newest = newest
        self._limits = limits
        self._has_joined = False
        self._handled: set[str] = set()

    async def run(self) -> None:
        """Go on until cancelled; what is left then, others may take over at once.

        Raises:
            RedisCallError: It cannot begin, and trying again would not help.
        """
        try:
            await go_on(self._session, self._teller, group=self._group)
        finally:
            # The caller is on his way out, but for this moment: others need not wait for what was his.
            with anyio.move_on_after(self._stream.timeout, shield=True), suppress(RedisCallError):
                idle = self._limits.idle_milliseconds
                await self._stream.leave(self._group, self._consumer, idle=idle)

    async def _session(self, progress: Progress) -> None:
        await self._join()
        async with patient_wire(self._stream.locate, patience=self._stream.timeout) as wire:
            # What a namesake left, or this one: the answer that brought it may have been lost.
            await self._recover(idle=0, consumer=self._consumer)
            clock, sweep_at = asyncio.get_running_loop().time, 0.0
            while True:
                if clock() >= sweep_at:
                    await self._sweep()
                    sweep_at = clock() + self._limits.handler_timeout / 2
                entries = await self._read(wire, wait=min(max(0.001, sweep_at - clock()), _LONGEST_WAIT))
                progress.works()
                read_at = clock()
                for entry in entries:
                    if await self._is_still_ours(entry, clock() - read_at):
                        await self._settle(entry, deliveries=1)

    async def _join(self) -> None:
        await self._stream.look_at_server()
        is_new = await self._stream.join(self._group, newest=self._newest)
        if is_new and self._has_joined:
            self._teller.tell(Trouble.FORGOTTEN, group=self._group)
        # A group that has to be made again begins with all that there is: what came meanwhile must not be passed over.
        self._has_joined, self._newest = True, False

    async def _read(self, wire: PatientWire, *, wait: float) -> list[Entry]:
        group = ("GROUP", self._group, self._consumer)
        block = ("COUNT", _BATCH, "BLOCK", max(1, round(1000 * wait)))
        reply = await wire.ask("XREADGROUP", *group, *block, "STREAMS", self._stream.key, ">", wait=wait)
        match reply:
            case None:
                return []
            case [[_, entries]]:
                return entries_of(entries)
            case _:
                raise RedisCallError("what Redis read has another shape", code="protocol", may_have_run=True)

    async def _is_still_ours(self, entry: Entry, elapsed: float) -> bool:
        """Whether nobody took an entry over that had to wait for those before it in its batch."""
        if elapsed < self._limits.handler_timeout / 2:
            return True
        # Who took it over touched it, so that it has been idle for less long than we have had it.
        return await self._stream.renew(self._group, self._consumer, entry.id, idle=max(0, int(1000 * elapsed) - 1))

    async def _settle(self, entry: Entry, *, deliveries: int) -> None:
        try:
            delivered = self._envelopes.open(entry.fields, deliveries=deliveries)
        except MisfitError as error:
            await self._refuse(entry, error.why)
            return
        most = self._limits.max_deliveries
        if delivered.id not in self._handled and (not self._only or isinstance(delivered.event, self._only)):
            if most is not None and deliveries > most:
                await self._refuse(entry, Trouble.UNDELIVERABLE)
                return
            if not await self._handle(delivered):
                return
            # Remembered until the server knows: if it cannot be told now, it will bring the event again.
            self._handled.add(delivered.id)
        await self._stream.acknowledge(self._group, entry.id)
        self._handled.discard(delivered.id)

    async def _handle(self, delivered: Delivered) -> bool:
        try:
            async with asyncio.timeout(self._limits.handler_timeout):
                await self._handler(delivered)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Somebody else's: the handler waited for a task that was cancelled. This one has to go on.
            self._teller.tell(Trouble.HANDLER_FAILED, group=self._group, detail="CancelledError")
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the event comes again, and the others come now
            self._teller.tell(Trouble.HANDLER_FAILED, group=self._group, detail=type(error).__name__)
            return False
        return True

    async def _refuse(self, entry: Entry, why: Trouble) -> None:
        if why is Trouble.UNKNOWN_TYPE and self._only:
            # Authentic, and certainly none of the types that this group is for.
            await self._stream.acknowledge(self._group, entry.id)
            return
        await self._stream.put_aside(self._group, entry, why)
        self._teller.tell(why, group=self._group)

    async def _sweep(self) -> None:
        """Look after what others left behind, and how the groups are doing."""
        await self._recover(idle=self._limits.idle_milliseconds, consumer=None)
        lost = await self._stream.take_losses(self._group)
        if lost:
            self._teller.tell(Trouble.TRIMMED, group=self._group, count=lost)
        await self._lag.look()

    async def _recover(self, *, idle: int, consumer: str | None) -> None:
        after: bytes | None = None
        while page := await self._stream.pending(self._group, idle=idle, after=after, count=_PAGE, consumer=consumer):
            for left in page:
                if left.consumer == self._consumer.encode() and left.idle < idle * _DEFERENCE:
                    continue
                entry = await self._stream.claim(self._group, self._consumer, left.id, idle=idle)
                if entry is not None:
                    await self._settle(entry, deliveries=left.deliveries + 1)
                elif not await self._stream.holds(left.id):
                    # Nobody can handle it any more: all there is to do is to tell, and not to look again.
                    await self._stream.acknowledge(self._group, left.id)
                    self._teller.tell(Trouble.TRIMMED, group=self._group)
            after = page[-1].id
