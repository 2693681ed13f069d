"""Everybody's ear: every process hears every event, from now on, and is told when it may have missed some."""

from collections.abc import Awaitable, Callable, Collection

from mintkey.bus.envelope import Envelopes, MisfitError
from mintkey.bus.notices import Teller, Trouble
from mintkey.bus.patience import Progress, go_on
from mintkey.bus.stream import Entry, Stream, entries_of, position_of
from mintkey.bus.worker import Handler
from mintkey.events import Event
from mintkey.redis.blocking import PatientWire, patient_wire
from mintkey.redis.errors import RedisCallError

__all__ = ["Listener"]

_BATCH = 128
_WAIT = 5.0


class Listener:
    """Hears what is published, on a connection of its own, and goes on where it was when that is replaced.

    Args:
        stream: The stream.
        envelopes: Opens what stands there.
        handler: What to do with an event.
        missed: What to do when events may have been missed, the beginning included.
        teller: Is told of troubles.
        only: Types of events that are of interest; empty: all are.
    """

    def __init__(
        self,
        stream: Stream,
        envelopes: Envelopes,
        handler: Handler,
        missed: Callable[[], Awaitable[object]],
        teller: Teller,
        /,
        *,
        only: Collection[type[Event]],
    ) -> None:
        self._stream = stream
        self._envelopes = envelopes
        self._handler = handler
        self._missed = missed
        self._teller = teller
        self._only = tuple(only)
        self._position: bytes | None = None

    async def run(self) -> None:
        """Go on until cancelled.

        Raises:
            RedisCallError: It cannot begin, and trying again would not help.
        """
        await go_on(self._session, self._teller, group="")

    async def _session(self, progress: Progress) -> None:
        await self._stream.look_at_server()
        position = await self._where_to_go_on()
        async with patient_wire(self._stream.locate, patience=self._stream.timeout) as wire:
            while True:
                entries = await self._read(wire, position)
                progress.works()
                for entry in entries:
                    await self._hear(entry)
                    position = self._position = entry.id
                # Each time: while handlers were busy the stream may have been cut behind us, and silence may be that of
                # one that was begun anew.
                position = await self._where_to_go_on()

    async def _where_to_go_on(self) -> bytes:
        oldest, newest = map(position_of, ends := await self._stream.ends())
        position = self._position
        if position is not None and oldest <= position_of(position) <= newest:
            return position  # where we were is still there, so nothing behind it is gone
        if position is None or newest < position_of(position):
            # The beginning; or the server lost the stream, or the end of it, and began anew behind us.
            position = ends[1]
        self._position = position
        # Behind the decision where to go on: what is published from now on is heard.
        await self._guarded(self._missed())
        return position

    async def _read(self, wire: PatientWire, position: bytes) -> list[Entry]:
        block = ("COUNT", _BATCH, "BLOCK", round(1000 * _WAIT))
        reply = await wire.ask("XREAD", *block, "STREAMS", self._stream.key, position, wait=_WAIT)
        match reply:
            case None:
                return []
            case [[_, entries]]:
                return entries_of(entries)
            case _:
                raise RedisCallError("what Redis read has another shape", code="protocol", may_have_run=True)

    async def _hear(self, entry: Entry) -> None:
        try:
            delivered = self._envelopes.open(entry.fields)
        except MisfitError as error:
            self._teller.tell(error.why)
            return
        if not self._only or isinstance(delivered.event, self._only):
            await self._guarded(self._handler(delivered))

    async def _guarded(self, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the next event is none the worse for it
            self._teller.tell(Trouble.HANDLER_FAILED, detail=type(error).__name__)
