"""The port for what differs between databases; everything else is written once."""

from typing import Protocol

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Backend", "Insert"]

Insert = sqlite.Insert | postgresql.Insert
"""An INSERT that knows ON CONFLICT, in the words that both dialects share."""


class Backend(Protocol):
    """One kind of database.

    Attributes:
        writers: How many write transactions make sense at once.
        readers: How many read transactions make sense at once.
        batch: How many jobs share a transaction at most.
    """

    @property
    def writers(self) -> int: ...  # noqa: D102 - attributes, above
    @property
    def readers(self) -> int: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102

    def insert(self, table: Table, /) -> Insert:
        """An INSERT into this table."""
        ...

    async def prepare(self) -> None:
        """Do what must be done before the first connection."""
        ...

    async def is_current(self, connection: AsyncConnection, /) -> bool:
        """Whether the connection still leads to the database that others would reach now."""
        ...

    async def begin(self, connection: AsyncConnection, /) -> None:
        """Begin a transaction that writes: each statement of it sees what others committed before it."""
        ...

    async def commit(self, connection: AsyncConnection, /) -> None:
        """Commit; the transaction has ended afterwards, even if that fails."""
        ...

    async def lock_schema(self, connection: AsyncConnection, /) -> None:
        """Let nobody else create tables until the transaction ends."""
        ...

    def is_stale(self, error: Exception, /) -> bool:
        """Whether it may help to look at file and tables anew and to run the transaction again."""
        ...
