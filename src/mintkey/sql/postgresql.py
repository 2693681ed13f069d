"""PostgreSQL: many writers at once, each row its own lock."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import ColumnElement, Table, cast, extract, func, select, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.sql.backend import Bell, Durability
from mintkey.sql.notifications import listening, notice
from mintkey.sql.schema import SECONDS

__all__ = ["PostgreSQL"]

_MISSING = frozenset({"42P01", "42703"})  # undefined table, undefined column
_GOING = ("08", "57P")  # connection exceptions; what administrators do, and crashes
_SCHEMA_LOCK = 0x6D696E746B6579
"""Any number of our own: that of `pg_advisory_xact_lock`."""


class PostgreSQL:
    """What is special about PostgreSQL.

    Jobs do not share transactions: two processes that lock the same two rows in another order would deadlock, and the
    server groups the commits of several connections by itself.
    """

    writers = 8
    readers = 4
    batch = 1
    is_remote = True

    def insert(self, table: Table, /) -> Insert:
        """An INSERT of this dialect."""
        return insert(table)

    def time(self) -> ColumnElement[float | None]:
        """The server's clock when the statement runs, not when its transaction began."""
        return cast(extract("epoch", func.clock_timestamp()), SECONDS)

    async def prepare(self) -> None:
        """Nothing: the server is there or not."""

    async def is_current(self, connection: AsyncConnection, /) -> bool:  # noqa: ARG002 - the port's shape
        """Always: a server that goes away takes its connections with it."""
        return True

    async def durability(self, connection: AsyncConnection, /) -> Durability:
        """`synchronous_commit`, which may be set for a server, a database, a role or a connection."""
        word = str(await connection.scalar(text("SHOW synchronous_commit")))
        return Durability("synchronous_commit", word, is_kept=word != "off")

    async def begin(self, connection: AsyncConnection, /) -> None:
        """Begin in READ COMMITTED, whatever an engine of somebody else is set to."""
        await connection.execution_options(isolation_level="READ COMMITTED")

    async def begin_reading(self, connection: AsyncConnection, /) -> None:
        """No transaction at all, which saves the round trips for its ends."""
        await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def commit(self, connection: AsyncConnection, /) -> None:
        """Commit; the server ends the transaction in any case."""
        await connection.commit()

    async def lock_schema(self, connection: AsyncConnection, /) -> None:
        """CREATE TABLE IF NOT EXISTS of two sessions at once fails in one of them: an advisory lock prevents that."""
        await connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    async def tell(self, connection: AsyncConnection, topic: str, news: str, /) -> None:
        """Notify; nobody hears of it unless the transaction is committed."""
        await connection.execute(notice(topic, news))

    def listening(self, connection: AsyncConnection, topic: str, /) -> AbstractAsyncContextManager[Bell | None]:
        """A bell, if the driver is asyncpg."""
        return listening(connection, topic)

    def is_stale(self, error: Exception, /) -> bool:
        """The server closed a pooled connection, or somebody dropped a table or a column."""
        return self.is_cut(error) or _state_of(error) in _MISSING

    def is_cut(self, error: Exception, /) -> bool:
        """The driver says that its connection is gone, or the server that it is about to go."""
        is_gone = isinstance(error, DBAPIError) and error.connection_invalidated
        return is_gone or _state_of(error).startswith(_GOING)


def _state_of(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
