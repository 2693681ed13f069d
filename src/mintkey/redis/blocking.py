"""A connection on which a server may take its time: it answers when there is something to tell."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.protocol import Argument, Reply, ReplyError, pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import TRANSPORT_ERRORS, DesynchronizedError, Wire, is_hopeless, open_wire

__all__ = ["PatientWire", "patient_wire"]


class PatientWire:
    """Asks for what may be long in coming. Who is cancelled while asking must not ask again: an answer is on its way.

    Args:
        wire: The connection.
        patience: Seconds that the server has beyond what it was told to wait.
    """

    def __init__(self, wire: Wire, *, patience: float) -> None:
        self._wire = wire
        self._patience = patience

    async def ask(self, *command: Argument, wait: float) -> Reply:
        """The reply to a command that blocks the connection, and nobody else's.

        Args:
            command: The command.
            wait: Seconds for which it may block.

        Raises:
            RedisCallError: The connection was lost, nobody answered in time, or the server refuses.
        """
        replies: list[Reply] = []
        try:
            async with asyncio.timeout(wait + self._patience):
                await self._wire.exchange(pack(*command), 1, replies.extend)
        except DesynchronizedError as error:
            raise RedisCallError(str(error), code="protocol", may_have_run=True) from error
        except TRANSPORT_ERRORS as error:
            raise _lost(error) from error
        (reply,) = replies
        if isinstance(reply, ReplyError):
            code = code_of(reply)
            raise RedisCallError(f"Redis refuses the command: {code}", code=code, may_have_run=False)
        return reply


@asynccontextmanager
async def patient_wire(
    locate: Callable[[], Awaitable[ConnectionSettings]], /, *, patience: float
) -> AsyncGenerator[PatientWire, None]:
    """Such a connection, which is closed behind the block. Errors of the block itself pass.

    Args:
        locate: Tells how to reach the server.
        patience: Seconds that connecting may take, and the server for each answer beyond what it was told to wait.

    Raises:
        RedisCallError: It cannot be had.
    """
    try:
        async with asyncio.timeout(patience):
            wire = await open_wire(await locate())
    except TRANSPORT_ERRORS as error:
        raise _lost(error) from error
    try:
        yield PatientWire(wire, patience=patience)
    finally:
        await wire.drop()


def _lost(error: Exception) -> RedisCallError:
    code = "NOAUTH" if is_hopeless(error) else "connection"
    return RedisCallError("the connection was lost, or cannot be had", code=code, may_have_run=True)
