"""A way to a server on which one exchange goes wrong: the next one, or a later one, on whatever connection it is."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

__all__ = ["Mishap", "Way"]

_CHUNK = 65_536


class Mishap(StrEnum):
    """What becomes of an exchange: a request, and what the server answers."""

    RESET_BEFORE = "reset before"
    """The request never arrives."""
    REQUEST_CUT = "request cut"
    """Its beginning arrives, and is executed as far as it is whole."""
    RESET_AFTER = "reset after"
    """It is executed; the connection is reset instead of the answer."""
    LOST = "lost"
    """It is executed; no answer ever comes, and the connection stays open."""
    TRUNCATED = "truncated"
    """The beginning of the answer arrives, then the connection is reset."""
    DOUBLED = "doubled"
    """The answer arrives twice."""
    LATE = "late"
    """The answer arrives late, but in time."""
    TOO_LATE = "too late"
    """The answer arrives when nobody waits for it any more."""
    BLACK_HOLE = "black hole"
    """From then on nothing arrives anywhere, on no connection, and nobody is told."""


_LATE = 0.02


@dataclass
class _Armed:
    mishap: Mishap
    passes: int
    share: float


class Way:
    """A proxy on a free loopback port; leaving it resets every connection.

    Args:
        port: Where the server is.
        too_late: Seconds that an answer takes which is to come too late.

    Attributes:
        port: Its port.
        exchanges: How many requests came since it was armed.
        connections: How many connections were made.
        has_struck: The mishap took place.
    """

    def __init__(self, port: int, *, too_late: float = 1.2) -> None:
        self._server_port = port
        self._delays = {Mishap.LATE: _LATE, Mishap.TOO_LATE: too_late}
        self._tasks: set[asyncio.Task[None]] = set()
        self._armed: _Armed | None = None
        self._is_hole = False
        self._crossing: list[tuple[bytes, asyncio.StreamWriter]] | None = None
        self.port = 0
        self.exchanges = 0
        self.connections = 0
        self.has_struck = False

    def arm(self, mishap: Mishap, *, after: int = 0, share: float = 0.5) -> None:
        """Have an exchange go wrong.

        Args:
            mishap: What happens to it.
            after: How many go well before it.
            share: Which part of it arrives, for those that are cut.
        """
        self._armed, self.exchanges, self.has_struck = _Armed(mishap, after, share), 0, False

    def cross(self) -> None:
        """Hand the next two answers, if they are on two connections, to the other one each."""
        self._crossing, self.has_struck = [], False

    def heal(self) -> None:
        """All goes well from now on, on new connections."""
        self._armed, self._is_hole, self._crossing = None, False, None
        self.cut()

    def lead_to(self, port: int) -> None:
        """Lead to another server from now on."""
        self._server_port = port
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for task in tuple(self._tasks):
            task.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports are closed by the loop's next turn

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also of one that is cancelled before it begins

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._join(reader, writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        due: asyncio.Queue[_Armed] = asyncio.Queue()
        ways = [
            asyncio.ensure_future(self._ask(reader, to_server, due)),
            asyncio.ensure_future(self._answer(from_server, writer, due)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_server.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def _strikes(self) -> _Armed | None:
        """What becomes of the request that just came."""
        armed = self._armed
        self.exchanges += 1
        if armed is None or self.exchanges <= armed.passes:
            return None
        self._armed, self.has_struck = None, True
        return armed

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, due: "asyncio.Queue[_Armed]"
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            armed = self._strikes()
            match armed and armed.mishap:
                case Mishap.RESET_BEFORE:
                    return
                case Mishap.REQUEST_CUT:
                    assert armed is not None
                    writer.write(chunk[: int(len(chunk) * armed.share)])
                    writer.write_eof()  # a reset would throw away what the server did not read yet
                    await asyncio.Event().wait()  # until the server hangs up
                case Mishap.BLACK_HOLE:
                    self._is_hole = True
                case None:
                    pass
                case _:
                    assert armed is not None
                    due.put_nowait(armed)
            if not self._is_hole:
                writer.write(chunk)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, due: "asyncio.Queue[_Armed]"
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            armed = None if due.empty() else due.get_nowait()
            match armed and armed.mishap:
                case Mishap.RESET_AFTER:
                    return
                case Mishap.LOST:
                    await asyncio.Event().wait()
                case Mishap.TRUNCATED:
                    assert armed is not None
                    writer.write(chunk[: int(len(chunk) * armed.share)])
                    await writer.drain()
                    return
                case Mishap.DOUBLED:
                    writer.write(chunk)
                case Mishap.LATE | Mishap.TOO_LATE as late:
                    await asyncio.sleep(self._delays[late])
                case _:
                    pass
            if self._crossing is not None:
                self._hand_over_crossed(chunk, writer)
            elif not self._is_hole:
                writer.write(chunk)

    def _hand_over_crossed(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        assert self._crossing is not None
        self._crossing.append((chunk, writer))
        if len(self._crossing) == 2:
            (one, of_one), (other, of_other) = self._crossing
            self._crossing, self.has_struck = None, of_one is not of_other
            of_one.write(other)
            of_other.write(one)
