"""The few connections to one server that one event loop keeps."""

from collections.abc import Awaitable, Callable

from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import Wire, open_wire

__all__ = ["Pool"]


class Pool:
    """Connections that wait for their next batch; new ones come when none does.

    It is bounded by its only user: a coalescer has no more batches in flight than it says.

    Args:
        locate: Where the server is right now; asked for each new connection, so a new master is found.
    """

    __slots__ = ("_idle", "_locate")

    def __init__(self, locate: Callable[[], Awaitable[ConnectionSettings]], /) -> None:
        self._locate = locate
        self._idle: list[Wire] = []

    async def take(self) -> Wire:
        """A connection on which nothing is under way.

        Raises:
            OSError: The server cannot be reached.
            RedisError: It refused the handshake.
        """
        while self._idle:
            wire = self._idle.pop()
            if wire.is_fresh:
                return wire
            await wire.drop()
        return await open_wire(await self._locate())

    def give_back(self, wire: Wire, /) -> None:
        """Keep a connection all of whose replies were read. Any other is dropped, never given back."""
        self._idle.append(wire)

    async def drop_idle(self) -> None:
        """Close the connections that wait; new ones come when they are needed."""
        while self._idle:
            await self._idle.pop().drop()
