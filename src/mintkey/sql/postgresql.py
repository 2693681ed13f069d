"""PostgreSQL: many writers at once, each row its own lock."""

from datetime import timedelta

from sqlalchemy import URL, Table, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = ["PostgreSQL", "connect"]

_UNDEFINED_TABLE = "42P01"
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

    def insert(self, table: Table, /) -> Insert:
        """An INSERT of this dialect."""
        return insert(table)

    async def prepare(self) -> None:
        """Nothing: the server is there or not."""

    async def is_current(self, connection: AsyncConnection, /) -> bool:  # noqa: ARG002 - the port's shape
        """Always: a server that goes away takes its connections with it."""
        return True

    async def begin(self, connection: AsyncConnection, /) -> None:
        """Begin in READ COMMITTED, whatever an engine of somebody else is set to."""
        await connection.execution_options(isolation_level="READ COMMITTED")

    async def commit(self, connection: AsyncConnection, /) -> None:
        """Commit; the server ends the transaction in any case."""
        await connection.commit()

    async def lock_schema(self, connection: AsyncConnection, /) -> None:
        """CREATE TABLE IF NOT EXISTS of two sessions at once fails in one of them: an advisory lock prevents that."""
        await connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    def is_stale(self, error: Exception, /) -> bool:
        """The server closed a pooled connection, or somebody dropped a table."""
        if not isinstance(error, DBAPIError):
            return False
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE


def connect(url: URL, /, *, timeout: timedelta) -> AsyncEngine:
    """An engine of our own.

    Args:
        url: Where the server is, with an asyncio driver.
        timeout: How long connecting, or one statement, may take.
    """
    seconds = timeout.total_seconds()
    limits = {"timeout": seconds, "command_timeout": seconds} if url.get_driver_name() == "asyncpg" else {}
    return create_async_engine(
        url,
        pool_size=PostgreSQL.writers + PostgreSQL.readers,
        max_overflow=0,
        pool_timeout=seconds,
        connect_args=limits,
        hide_parameters=True,
    )
