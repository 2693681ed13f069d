"""One connection to one server, made by redis-py and then used for nothing but whole batches."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from hiredis import HiredisError
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, RedisError

from mintkey.ids import new_id
from mintkey.redis.inbox import Inbox
from mintkey.redis.protocol import Reply, pack
from mintkey.redis.settings import ConnectionSettings

__all__ = ["TRANSPORT_ERRORS", "DesynchronizedError", "Wire", "ask", "is_hopeless", "open_wire"]

TRANSPORT_ERRORS = (OSError, EOFError, RedisError, HiredisError)
"""What a connection fails with: the call may be tried again on another one."""


class DesynchronizedError(ConnectionError):
    """The replies on a connection are not the ones to the commands that were sent."""


class Wire(AbstractConnection):
    """Exchanges one batch of commands for its replies.

    redis-py opens the connection (address, TLS, authentication, database). From then on its streams and its reply
    reader are left alone: they cost more a reply than everything else in a claim.
    """

    _inbox: Inbox
    _name: bytes = b""
    _batches: int = 0

    async def exchange(self, commands: bytes, replies: int, accept: Callable[[list[Reply]], None], /) -> None:
        """Write a batch and hand its replies over, error replies as values among them.

        A marker that no other batch has, on this connection or any other, is asked for last. Only if it comes last, and
        nothing behind it, do the replies belong to these commands: one lost, doubled or mixed up on the way would
        otherwise hand a caller the answer of another.

        Args:
            commands: Packed commands.
            replies: How many replies they have.
            accept: Called with the replies, in the turn of the event loop in which they came.

        Raises:
            DesynchronizedError: The replies are not the ones to these commands.
            OSError: The connection broke.
            EOFError: The server closed it.
            HiredisError: What came is no RESP.
        """
        self._batches += 1
        marker, inbox = b"%b%d" % (self._name, self._batches), self._inbox

        def check(found: list[Reply]) -> None:
            if len(found) != replies + 1 or found.pop() != marker or inbox.has_more:
                raise DesynchronizedError("the replies do not belong to the commands")
            accept(found)

        answered = inbox.expect(replies + 1, check)
        self.send(commands + pack("ECHO", marker))
        await answered

    async def ask(self, command: bytes, /) -> Reply:
        """The reply to one command, on a connection that is dropped afterwards; raises as `exchange` does."""
        self.send(command)
        return (await self.receive())[0]

    async def receive(self) -> list[Reply]:
        """Whatever comes next, at least one reply; for a connection that is told things unasked."""
        found: list[Reply] = []
        await self._inbox.expect(1, found.extend)
        return found

    def send(self, commands: bytes, /) -> None:
        """Write commands whose replies are read by `receive`.

        Nobody waits for the write: the next one comes only when the replies to this one are there.
        """
        self._transport.write(commands)

    def prepare(self) -> None:
        """Take over from redis-py after the handshake."""
        self._inbox, self._name = Inbox(), new_id().encode()
        self._transport.set_protocol(self._inbox)

    @property
    def is_fresh(self) -> bool:
        """Nothing came while nobody asked: no reply that is left over, no farewell of the server."""
        return not self._transport.is_closing() and self._inbox.is_quiet

    async def drop(self) -> None:
        """Close without waiting for anybody."""
        if self._writer is not None:
            # No polite farewell: it waits, and with replies unread it would turn into a reset anyway.
            self._transport.abort()
        await self.disconnect(nowait=True)

    @property
    def _transport(self) -> asyncio.WriteTransport:
        return cast("asyncio.StreamWriter", self._writer).transport


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
