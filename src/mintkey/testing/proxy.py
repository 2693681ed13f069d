"""A TCP proxy that loses, delays, cuts and doubles what passes through it, on the dot.

The interesting failures of a network are not "down" but "the request arrived and the answer did not". They cannot be
had from a server that is stopped, only from something between it and us.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

__all__ = ["Fate", "Fault", "FaultyProxy"]

_CHUNK = 65_536


class Fate(Enum):
    """What becomes of one exchange: a chunk of bytes to the server, and the chunk that it answers with.

    Example:
        >>> Fate.LOSE in set(Fate)
        True
    """

    PASS = auto()
    """It arrives."""
    LOSE = auto()
    """It never arrives; the connection is reset. The request was executed."""
    SWALLOW = auto()
    """It never arrives, and nothing else ever will, but the connection stays open. The request was executed."""
    DELAY = auto()
    """It arrives after the fault's delay."""
    TRUNCATE = auto()
    """Its first half arrives, then the connection is reset."""
    DOUBLE = auto()
    """It arrives twice."""
    REFUSE = auto()
    """The request never reaches the server; the connection is reset. Nothing was executed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one chunk, and when.

    Attributes:
        fate: What happens.
        skip: How many chunks of the connection pass before it.
        delay: Seconds, for `Fate.DELAY`.

    Example:
        >>> Fault(Fate.LOSE).skip
        0
    """

    fate: Fate
    skip: int = 0
    delay: float = 0.0


class _Script:
    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = deque(faults)
        self._passed = 0

    def refuses_request(self) -> bool:
        return self._is_due() and self._faults[0].fate is Fate.REFUSE

    def next_for_reply(self) -> Fault:
        if self._is_due():
            self._passed = 0
            return self._faults.popleft()
        self._passed += 1
        return Fault(Fate.PASS)

    def _is_due(self) -> bool:
        return bool(self._faults) and self._faults[0].skip <= self._passed


class FaultyProxy:
    """A proxy on a free loopback port in front of a server; leaving it resets every connection.

    Faults are scripted: each new connection takes the next script, and when there are none left everything passes.
    `black_hole` and `refuse` hold for all connections until they are taken back.

    Args:
        host: Where the server is.
        port: Its port.

    Attributes:
        port: The proxy's own port.
        connections: How many connections were accepted so far.
        requests: How many chunks came from clients so far, whatever became of them.
        black_hole: Nothing passes in either direction, and nobody is told.
        refuse: Connections are reset as soon as they are accepted, before anything is forwarded.

    Example:
        ```python
        async with FaultyProxy("127.0.0.1", 6379) as proxy:
            proxy.script(Fault(Fate.LOSE))  # the first answer on the first connection; the request was executed
            store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}")
        ```
    """

    def __init__(self, host: str, port: int, /) -> None:
        self._target = (host, port)
        self._scripts: deque[_Script] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port: int = 0
        self.connections: int = 0
        self.requests: int = 0
        self.black_hole: bool = False
        self.refuse: bool = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def script(self, *faults: Fault) -> None:
        """What the next connection that nobody scripted yet will meet, in the order of its chunks."""
        self._scripts.append(_Script(faults))

    def cut(self) -> None:
        """Reset every connection that is open now."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._end(task, writer))  # also of one that is cancelled before it begins

    def _end(self, task: "asyncio.Task[None]", writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if not self.refuse:
                await self._join(reader, writer, self._scripts.popleft() if self._scripts else _Script(()))

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: _Script) -> None:
        from_server, to_server = await asyncio.open_connection(*self._target)
        self._writers.add(to_server)
        both = self._forward(reader, to_server, script), self._answer(from_server, writer, script)
        ways = [asyncio.ensure_future(way) for way in both]
        try:
            # Whoever ends first ends the connection.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers.discard(to_server)
            to_server.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: _Script) -> None:
        while chunk := await reader.read(_CHUNK):
            self.requests += 1
            if self.black_hole:
                continue
            if script.refuses_request():
                return
            writer.write(chunk)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: _Script) -> None:
        while chunk := await reader.read(_CHUNK):
            if not self.black_hole and not await self._meet(script.next_for_reply(), chunk, writer):
                return

    async def _meet(self, fault: Fault, chunk: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after it."""
        match fault.fate:
            case Fate.LOSE:
                return False
            case Fate.SWALLOW:
                await asyncio.Event().wait()
            case Fate.DELAY:
                await asyncio.sleep(fault.delay)
            case Fate.TRUNCATE:
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return False
            case Fate.DOUBLE:
                writer.write(chunk)
            case _:
                pass
        writer.write(chunk)
        await writer.drain()
        return True
