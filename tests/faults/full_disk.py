"""An SQLite file that cannot grow, every page of which is full: SQLite itself refuses whatever adds a row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.ids import new_id
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.sql import SQLReplayStore
from tests.faults.ground import Stores

__all__ = ["Disk"]

_MOST_PAGES = 2**31
_LEAST = {"TEXT": "", "BLOB": b""}
_FILLING = "+"
"""What no name of ours begins with."""
_ENOUGH = 40
"""So many rows that find no place, one after the other: there is none, for any name."""


@dataclass
class Disk:
    """A disk with one file on it.

    SQLite forgets with each connection how large its file may become, so all connections are told as they are taken.
    """

    path: Path
    is_full: bool = False

    def stores(self, patience: float) -> Stores:
        """Stores on an engine of its own, as an application has one."""
        timeout = timedelta(seconds=patience)
        engine = create_async_engine(f"sqlite+aiosqlite:///{self.path}")
        event.listen(engine.sync_engine, "checkout", self._limit)
        return _Stores(SQLReplayStore(engine, timeout=timeout), SQLKeyRingStore(engine, timeout=timeout), engine=engine)

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Full for as long as the block lasts."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as file:
            file.execute("PRAGMA synchronous = OFF")
            file.execute("PRAGMA max_page_count = 1")  # as many as there are
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                _fill(file, table)
            self.is_full = True
            yield
            self.is_full = False
            for table in tables:
                column = file.execute(f"PRAGMA table_info({table})").fetchone()[1]
                file.execute(f"DELETE FROM {table} WHERE CAST({column} AS TEXT) LIKE '{_FILLING}%'")  # noqa: S608 - names of ours

    def _limit(self, connection: Any, _record: object, _proxy: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count = {1 if self.is_full else _MOST_PAGES}")


@dataclass
class _Stores(Stores):
    engine: AsyncEngine | None = None

    async def aclose(self) -> None:
        await super().aclose()
        assert self.engine is not None
        await self.engine.dispose()


def _fill(file: sqlite3.Connection, table: str) -> None:
    """Add the smallest rows that there can be until none finds a place."""
    columns = [kind for _, _, kind, *_ in file.execute(f"PRAGMA table_info({table})")]
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})"  # noqa: S608 - a table of ours
    refused = 0
    while refused < _ENOUGH:
        first, *others = columns
        name = f"{_FILLING}{new_id()}"
        row = [name if first == "TEXT" else name.encode(), *(_LEAST.get(kind, 0) for kind in others)]
        try:
            file.execute(insert, row)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            refused += 1
        else:
            refused = 0
