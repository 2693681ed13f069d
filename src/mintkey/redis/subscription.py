"""A connection on which a server tells what is published, and nothing is asked."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, ReplyError, pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import TRANSPORT_ERRORS, Wire, open_wire

__all__ = ["Subscription", "subscribed"]

_SILENCE_SECONDS = 10.0


class Subscription:
    """One channel, for as long as its connection lasts.

    Args:
        wire: The connection.
        channel: The channel.
        patience: Seconds that the server has for an answer.
        silence: Seconds without a word after which it is asked whether it is still there: a connection that died in
            silence would otherwise be listened to for ever.
    """

    def __init__(self, wire: Wire, channel: bytes, *, patience: float, silence: float) -> None:
        self._wire = wire
        self._channel = channel
        self._patience = patience
        self._silence = silence
        self._unread: list[Reply] = []

    async def begin(self) -> None:
        """Subscribe; from then on no message is missed.

        Raises:
            OSError: The connection was lost, or nobody answered.
            EOFError: The server closed it.
            RedisCallError: The server refuses.
        """
        self._wire.send(pack("SUBSCRIBE", self._channel))
        async with asyncio.timeout(self._patience):
            self._unread = await self._wire.receive()
        if isinstance(self._unread[0], ReplyError):
            raise RedisCallError("Redis refuses to tell about changes", code="NOPERM", may_have_run=False)

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """What is published from now on.

        Raises:
            OSError: The connection was lost, or nobody answered.
            EOFError: The server closed it.
        """
        while True:
            for reply in self._unread or await self._heard():
                match reply:
                    case [b"message", self._channel, bytes() as message]:
                        yield message
                    case _:
                        pass  # confirmations, and answers to our pings
            self._unread = []

    async def _heard(self) -> list[Reply]:
        try:
            async with asyncio.timeout(self._silence):
                return await self._wire.receive()
        except TimeoutError:
            self._wire.send(pack("PING"))
        async with asyncio.timeout(self._patience):
            return await self._wire.receive()


@asynccontextmanager
async def subscribed(
    locate: Callable[[], Awaitable[ConnectionSettings]],
    channel: bytes,
    /,
    *,
    patience: float,
    silence: float = _SILENCE_SECONDS,
) -> AsyncGenerator[Subscription, None]:
    """A subscription on a connection of its own, which is closed behind it.

    Args:
        locate: Tells how to reach the server.
        channel: The channel.
        patience: Seconds that connecting may take, and the server for each answer.
        silence: Seconds without a word after which the server is asked whether it is still there.

    Raises:
        RedisCallError: It cannot be had, or its connection was lost inside the block.
    """
    try:
        async with asyncio.timeout(patience):
            wire = await open_wire(await locate())
        try:
            subscription = Subscription(wire, channel, patience=patience, silence=silence)
            await subscription.begin()
            yield subscription
        finally:
            await wire.drop()
    except TRANSPORT_ERRORS as error:
        raise RedisCallError("the subscription was lost", code="connection", may_have_run=False) from error
