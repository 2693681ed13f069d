"""PostgreSQL's LISTEN and NOTIFY as a bell, on a connection of its own that no pool counts."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

import anyio
from sqlalchemy import Connection, Executable, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.sql.backend import Bell

__all__ = ["listening", "notice"]

_CHANNEL = "mintkey"

_LOOK_AFTER = 30.0
"""Seconds of silence after which one had better look: a connection that died without a word is silent for ever."""


@runtime_checkable
class _Driver(Protocol):
    """What asyncpg's connections have; those of other drivers cannot listen like that."""

    async def add_listener(self, channel: str, callback: Callable[[object, int, str, str], None], /) -> None: ...
    def add_termination_listener(self, callback: Callable[[object], None], /) -> None: ...
    def terminate(self) -> None: ...


class _Bell:
    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._heard = asyncio.Event()
        self._has_ended = False

    def hear(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload.partition(" ")[0] == self._topic:
            self._heard.set()

    def end(self, _connection: object) -> None:
        self._has_ended = True
        self._heard.set()

    async def ring(self) -> None:
        with anyio.move_on_after(_LOOK_AFTER):
            await self._heard.wait()
        self._heard.clear()
        if self._has_ended:
            raise ConnectionError("the connection was lost")


def notice(topic: str, news: str, /) -> Executable:
    """Rings the bells of a topic at the commit; the topic has no spaces, and both are short."""
    return select(func.pg_notify(_CHANNEL, f"{topic} {news}"))


@asynccontextmanager
async def listening(connection: AsyncConnection, topic: str, /) -> AsyncGenerator[Bell | None]:
    """A bell for a topic; None if the driver cannot listen. The connection is closed at the end."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, _Driver):
        yield None
        return
    # Nothing is told to somebody in a transaction.
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    # Its pool may be small, and this lasts.
    await connection.run_sync(Connection.detach)
    bell = _Bell(topic)
    try:
        driver.add_termination_listener(bell.end)
        await driver.add_listener(_CHANNEL, bell.hear)
        yield bell
    finally:
        # Without a goodbye, which a server that is silent would not answer.
        driver.terminate()
