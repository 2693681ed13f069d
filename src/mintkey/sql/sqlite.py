"""SQLite: one writer at a time, in one file that we look after."""

from datetime import timedelta
from typing import Protocol, cast
from urllib.parse import quote

from sqlalchemy import URL, AsyncAdaptedQueuePool, ColumnElement, Table, event, null, type_coerce
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mintkey.errors import ConfigurationError
from mintkey.sql.backend import Durability
from mintkey.sql.schema import SECONDS
from mintkey.sql.sqlite_copies import Use, use
from mintkey.sql.sqlite_file import USE, SQLiteFile, identity_of

__all__ = ["SQLite", "connect", "is_memory"]

_GONE = ("no such table", "no such column")
_PATH = "mintkey.sqlite.path"

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a spent mark that was answered must survive a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # an erased private half is erased, not left in a free page
)


_CHOICES = {"mode": ("ro", "rw", "rwc"), "cache": ("private", "shared")}
"""What SQLite would only look at when it opens the file."""

_SYNCHRONOUS = ("off", "normal", "full", "extra")
_IS_KEPT = frozenset({"full", "extra"})  # "normal" does not flush the write-ahead log at each commit


class _Cursor(Protocol):
    def execute(self, statement: str, /) -> object: ...
    def close(self) -> None: ...


class _Connecting(Protocol):
    def cursor(self) -> _Cursor: ...
    def close(self) -> None: ...


class _Driver(Protocol):
    @property
    def in_transaction(self) -> bool: ...
    async def rollback(self) -> None: ...


class SQLite:
    """What is special about SQLite.

    Args:
        file: The file that is ours; None in memory, and for an engine of somebody else.
    """

    # A second writer would only wait for the lock, and a batch flushes to disk once.
    writers = 1
    readers = 2
    batch = 64
    is_remote = False
    listening = None

    def __init__(self, file: SQLiteFile | None = None) -> None:
        self._file = file

    def insert(self, table: Table, /) -> Insert:
        """An INSERT of this dialect."""
        return insert(table)

    def time(self) -> ColumnElement[float | None]:
        """None: its clock is this machine's."""
        return type_coerce(null(), SECONDS)

    async def prepare(self) -> None:
        """See that our file can be opened; create it if it is missing."""
        if self._file is not None:
            await self._file.prepare()

    async def is_current(self, connection: AsyncConnection, /) -> bool:
        """Whether the connection's file still lies where it was opened.

        A file that was deleted or replaced lives on for those who have it open. Two processes that spend in two files
        both win, so the place is compared before every transaction.
        """
        info = connection.info
        if _PATH not in info:
            databases = await connection.exec_driver_sql("PRAGMA database_list")
            path = next(str(row["file"]) for row in databases.mappings() if row["name"] == "main")
            await connection.rollback()
            if USE not in info:  # an engine of somebody else
                info[USE] = use(await identity_of(path))
            info[_PATH] = path
        in_use: Use = info[USE]
        return await identity_of(info[_PATH]) == in_use.identity

    async def durability(self, connection: AsyncConnection, /) -> Durability:
        """`PRAGMA synchronous`, which is each connection's own."""
        level = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
        word = _SYNCHRONOUS[int(level)]
        return Durability("PRAGMA synchronous", word, is_kept=word in _IS_KEPT)

    async def begin(self, connection: AsyncConnection, /) -> None:
        """Begin with the write lock: whoever read first might not get it any more."""
        await connection.begin()
        # An engine of somebody else may have begun by now, by an event or by its driver's settings. Our transactions
        # write before they read, which takes the lock just as well.
        if not (await _driver(connection)).in_transaction:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")

    async def begin_reading(self, connection: AsyncConnection, /) -> None:
        """Nothing: a statement alone is a transaction."""

    async def commit(self, connection: AsyncConnection, /) -> None:
        """Commit, or end the transaction all the same."""
        driver = await _driver(connection)
        try:
            await connection.commit()
        except Exception:
            # SQLAlchemy takes the transaction for ended, whereas SQLite keeps it open, with its lock, when somebody
            # is in the way. It would go back to the pool like that.
            await driver.rollback()
            raise

    async def lock_schema(self, connection: AsyncConnection, /) -> None:
        """Nothing: the write lock is on the whole file."""

    async def tell(self, connection: AsyncConnection, topic: str, news: str, /) -> None:
        """Nothing: it has no bells."""

    def is_stale(self, error: Exception, /) -> bool:
        """The file, a table or a column has gone."""
        message = str(error.orig) if isinstance(error, DBAPIError) else ""
        return message.startswith(_GONE) or message == "unable to open database file"

    def is_cut(self, error: Exception, /) -> bool:  # noqa: ARG002 - the port's shape
        """Never: there is no way on which an answer could get lost."""
        return False


def is_memory(url: URL, /) -> bool:
    """Whether the URL means a database in memory."""
    database = url.database or ":memory:"
    return ":memory:" in database or "mode=memory" in database or url.query.get("mode") == "memory"


def connect(url: URL, /, *, timeout: timedelta) -> tuple[AsyncEngine, SQLite]:
    """An engine of our own, on a file or in memory.

    Args:
        url: The file; `file:` URIs are not understood.
        timeout: How long a writer may wait for another one.

    Raises:
        ConfigurationError: What follows the `?` is not understood (`configuration`).
    """
    file, connections = None, 1  # in memory, each connection would have a database of its own
    if not is_memory(url):
        ConfigurationError.raise_if(
            f"engine_or_url: {name} must be one of {', '.join(choices)}"
            for name, choices in _CHOICES.items()
            if url.query.get(name, choices[0]) not in choices
        )
        path, mode = url.database or "", url.query.get("mode", "rw")
        file, connections = SQLiteFile(path, is_read_only=mode == "ro"), SQLite.writers + SQLite.readers
        url = url.set(database=f"file:{quote(path)}").update_query_dict({"mode": mode, "uri": "true"})
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=timeout.total_seconds(),
        # Slightly less than our callers wait, so that they hear "locked" and not that their time was up.
        connect_args={"timeout": 0.9 * timeout.total_seconds()},
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _configure)
    if file is not None:
        event.listen(engine.sync_engine, "do_connect", file.point)
    return engine, SQLite(file)


def _configure(connection: _Connecting, _record: object) -> None:
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
    except BaseException:
        connection.close()  # nobody else does: no pool knows it yet
        raise
    cursor.close()


async def _driver(connection: AsyncConnection) -> _Driver:
    raw = await connection.get_raw_connection()
    return cast("_Driver", raw.driver_connection)
