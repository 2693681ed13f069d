"""One connection to one server, made by redis-py and then used for nothing but whole batches."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from hiredis import HiredisError, Reader
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, RedisError

from mintkey.redis.protocol import Reply, pack
from mintkey.redis.settings import ConnectionSettings

__all__ = ["TRANSPORT_ERRORS", "DesynchronizedError", "Wire", "ask", "is_hopeless", "open_wire"]

_READ_SIZE = 65_536
_PENDING = object()

TRANSPORT_ERRORS = (OSError, EOFError, RedisError, HiredisError)
"""What a connection fails with: the call may be tried again on another one."""


class DesynchronizedError(ConnectionError):
    """The replies on a connection are not the ones to the commands that were sent."""


class Wire(AbstractConnection):
    """Exchanges one batch of commands for its replies.

    redis-py opens the connection (address, TLS, authentication, database). From then on its reply reader is left alone:
    it costs more a reply than everything else in a claim.
    """

    _replies: Reader
    _batches: int = 0

    async def exchange(self, commands: bytes, replies: int, /) -> list[Reply]:
        """Write a batch and read its replies, error replies as values among them.

        A marker that no other batch on this connection has is asked for last. Only if it comes last, and nothing
        behind it, do the replies belong to these commands: one lost or doubled on the way would otherwise hand a
        caller the answer of another.

        Args:
            commands: Packed commands.
            replies: How many replies they have.

        Raises:
            DesynchronizedError: The replies are not the ones to these commands.
            OSError: The connection broke.
            EOFError: The server closed it.
            HiredisError: What came is no RESP.
        """
        self._batches += 1
        marker = b"%d" % self._batches
        await self.send(commands + pack("ECHO", marker))
        found = await self._read(replies + 1)
        if len(found) != replies + 1 or found.pop() != marker or self._replies.has_data():
            raise DesynchronizedError("the replies do not belong to the commands")
        return found

    async def ask(self, command: bytes, /) -> Reply:
        """The reply to one command, on a connection that is dropped afterwards; raises as `exchange` does."""
        await self.send(command)
        return (await self.receive())[0]

    async def receive(self) -> list[Reply]:
        """Whatever comes next, at least one reply; for a connection that is told things unasked."""
        return await self._read(1)

    async def send(self, commands: bytes) -> None:
        """Write commands whose replies are read by `receive`."""
        writer = cast("asyncio.StreamWriter", self._writer)
        writer.write(commands)
        await writer.drain()

    async def _read(self, count: int) -> list[Reply]:
        """So many replies, and whatever came along with the last of them."""
        reader, replies, found = cast("asyncio.StreamReader", self._reader), self._replies, list[Reply]()
        while len(found) < count:
            received = await reader.read(_READ_SIZE)
            if not received:
                raise EOFError("the server closed the connection")
            replies.feed(received)
            while (reply := replies.gets()) is not _PENDING:
                found.append(cast("Reply", reply))
        return found

    def prepare(self) -> None:
        """Take over from redis-py after the handshake."""
        self._replies = Reader(notEnoughData=_PENDING)

    @property
    def is_fresh(self) -> bool:
        """Nothing came while nobody asked: no reply that is left over, no farewell of the server."""
        reader, writer = cast("asyncio.StreamReader", self._reader), cast("asyncio.StreamWriter", self._writer)
        has_nothing: Callable[[], bool] = self._socket_is_empty
        return not writer.is_closing() and not reader.at_eof() and has_nothing()

    async def drop(self) -> None:
        """Close without waiting for anybody."""
        writer = self._writer
        if writer is not None:
            # No polite farewell: it waits, and with replies unread it would turn into a reset anyway.
            writer.transport.abort()
        await self.disconnect(nowait=True)


async def open_wire(settings: ConnectionSettings, /) -> Wire:
    """A new connection, authenticated and ready.

    Raises:
        OSError: Nobody listens, or the connection broke.
        RedisError: The server refused the handshake.
    """
    wire = _both(cast("Any", settings.connection_class))(**settings.options)
    try:
        await cast("Any", wire).connect()
    except BaseException:
        await wire.drop()
        raise
    wire.prepare()
    return wire


async def ask(settings: ConnectionSettings, command: bytes, /) -> Reply:
    """The reply to one command, on a connection of its own; raises as `open_wire` and `Wire.exchange` do."""
    wire = await open_wire(settings)
    try:
        return await wire.ask(command)
    finally:
        await wire.drop()


@cache
def _both(connection_class: type[Any]) -> type[Wire]:
    """redis-py's class says how to connect, ours how to talk: one class of both."""
    return cast("type[Wire]", type("Wire", (Wire, connection_class), {}))


def is_hopeless(error: Exception, /) -> bool:
    """Trying again cannot help: the server does not accept our credentials."""
    return isinstance(error, AuthenticationError)
