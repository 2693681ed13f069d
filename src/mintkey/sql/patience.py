"""How long a connection may be silent before it is given up, whatever is being asked on it."""

import asyncio
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Patience"]


@runtime_checkable
class _Driver(Protocol):
    """What asyncpg's connections have."""

    def terminate(self) -> None: ...


class Patience:
    """A block in which a connection is to answer by a moment; one that does not is hung up and never used again.

    It is hung up before whoever waits for it is told. Otherwise asyncpg would ask the server, by one more connection,
    to interrupt the statement, and SQLAlchemy would wait two seconds for a goodbye: both of a server that is silent.

    Args:
        connection: The connection.
        until: Loop time at which patience ends; None: never.
    """

    def __init__(self, connection: AsyncConnection, /, *, until: float | None) -> None:
        self._connection = connection
        self._until = until
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._driver: object = None

    async def __aenter__(self) -> Self:
        self._driver = (await self._connection.get_raw_connection()).driver_connection
        await self._limit.__aenter__()
        self.extend(self._until)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._stop()
        try:
            await self._limit.__aexit__(exc_type, exc, traceback)
        except TimeoutError:
            await self._connection.invalidate()
            raise

    def extend(self, until: float | None, /) -> None:
        """Have patience end at another moment."""
        self._stop()
        if until is not None:
            self._timer = asyncio.get_running_loop().call_at(until, self._end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        # In this order: what a driver that is hung up raises then comes second, and is not what the caller is told.
        self._limit.reschedule(asyncio.get_running_loop().time())
        if isinstance(self._driver, _Driver):
            self._driver.terminate()
