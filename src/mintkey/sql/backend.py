"""The port for what differs between databases; everything else is written once."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Backend", "Bell", "Durability", "Insert", "Listening"]

Insert = sqlite.Insert | postgresql.Insert
"""An INSERT that knows ON CONFLICT, in the words that both dialects share."""


class Durability(NamedTuple):
    """What becomes of an answered commit when the power fails.

    Attributes:
        setting: The database's setting that says so, by its name.
        word: What it is set to, in lower case.
        is_kept: Whether the commit is kept.
    """

    setting: str
    word: str
    is_kept: bool


class Bell(Protocol):
    """Rings when something was told."""

    async def ring(self) -> None:
        """Wait until it has rung since the last time, or for so long that one had better look.

        Raises:
            ConnectionError: It cannot ring any more.
        """
        ...


Listening = Callable[[AsyncConnection, str], AbstractAsyncContextManager[Bell | None]]
"""A bell for a topic, if the driver can listen; the connection belongs to it from then on."""


class Backend(Protocol):
    """One kind of database.

    Attributes:
        writers: How many write transactions make sense at once.
        readers: How many read transactions make sense at once.
        batch: How many jobs share a transaction at most.
        is_remote: A connection may fall silent, and may then be given up.
        listening: Makes bells; None if the database has none.
    """

    @property
    def writers(self) -> int: ...  # noqa: D102 - attributes, above
    @property
    def readers(self) -> int: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102
    @property
    def is_remote(self) -> bool: ...  # noqa: D102
    @property
    def listening(self) -> Listening | None: ...  # noqa: D102

    def insert(self, table: Table, /) -> Insert:
        """An INSERT into this table."""
        ...

    def time(self) -> ColumnElement[float | None]:
        """Seconds since the epoch by the database's own clock, if it has one."""
        ...

    async def prepare(self) -> None:
        """Do what must be done before the first connection."""
        ...

    async def is_current(self, connection: AsyncConnection, /) -> bool:
        """Whether the connection still leads to the database that others would reach now."""
        ...

    async def durability(self, connection: AsyncConnection, /) -> Durability:
        """Whether what was committed on such a connection is kept."""
        ...

    async def begin(self, connection: AsyncConnection, /) -> None:
        """Begin a transaction that writes: each statement of it sees what others committed before it."""
        ...

    async def begin_reading(self, connection: AsyncConnection, /) -> None:
        """Begin reading, in statements that do not depend on one another."""
        ...

    async def commit(self, connection: AsyncConnection, /) -> None:
        """Commit; the transaction has ended afterwards, even if that fails."""
        ...

    async def lock_schema(self, connection: AsyncConnection, /) -> None:
        """Let nobody else create tables until the transaction ends."""
        ...

    async def tell(self, connection: AsyncConnection, topic: str, news: str, /) -> None:
        """Ring the bells of a topic when the transaction is committed, if the database has any."""
        ...

    def is_stale(self, error: Exception, /) -> bool:
        """Whether it may help to look at file and tables anew and to run the transaction again."""
        ...

    def is_cut(self, error: Exception, /) -> bool:
        """Whether the connection broke, so that the answer may only have got lost."""
        ...
