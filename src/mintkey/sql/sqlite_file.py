"""The file of an SQLite database that we look after: where it is, who may read it, and whether it is still the same."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread
from sqlalchemy.pool import ConnectionPoolEntry

from mintkey.ids import new_id
from mintkey.sql.sqlite_copies import Identity, use

__all__ = ["USE", "SQLiteFile", "identity_of"]

USE = "mintkey.sqlite.use"
"""In what a pool knows of a connection: the use of its file."""

_SWITCH_PATIENCE = 0.5
"""Seconds of waiting for others to let us switch to the write-ahead log."""


class SQLiteFile:
    """A file that exists before SQLite opens it.

    SQLite itself never creates it: it would be open to others, and that it had been deleted would pass unseen.

    Args:
        path: Where it is, seen from the working directory at the first use.
        is_read_only: It is neither to be created nor to be changed in any way.
    """

    def __init__(self, path: str, *, is_read_only: bool) -> None:
        self._path = path
        self._is_read_only = is_read_only
        self._identity: Identity = None

    async def prepare(self) -> None:
        """See that it can be opened; create it if it is missing.

        Raises:
            OSError: There can be no such file, or this process is a copy of one that has it open.
            sqlite3.Error: What is there cannot be opened.
        """
        self._path, self._identity = await anyio.to_thread.run_sync(self._prepare)

    def point(self, _dialect: object, record: ConnectionPoolEntry, arguments: list[str], _keywords: object) -> None:
        """Let a new connection lead here, wherever the working directory may be by now: SQLAlchemy's `do_connect`."""
        record.info[USE] = use(self._identity)
        _, _, parameters = arguments[0].partition("?")
        arguments[0] = f"file:{quote(self._path)}?{parameters}"

    def _prepare(self) -> tuple[str, Identity]:
        """Open and close the file, so that the error is ours if that cannot be done; its full path, and what it is."""
        path = Path(self._path).absolute()
        if not self._is_read_only and not os.path.lexists(path):
            _create(path)
        opened = use(_identity_of(path))
        with closing(_open(path, mode="ro" if self._is_read_only else "rw")) as file, suppress(sqlite3.Error):
            if not self._is_read_only:
                # Readers and the writer then do not wait for each other. Where it cannot be had, all is right.
                file.execute("PRAGMA journal_mode = WAL")
        return str(path), opened.identity


async def identity_of(path: str, /) -> Identity:
    """Which file lies at a path now."""
    return await anyio.to_thread.run_sync(_identity_of, path)


def _identity_of(path: str | Path) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path as SQLite says it is a text
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """Create the file, empty, with mode 0600."""
    # Made under another name and then linked: of several processes one wins, and we never close a descriptor of a
    # file that SQLite has open, which would drop its POSIX locks. Left empty: SQLite then deletes what the log of
    # a file that was deleted left behind, instead of reading it.
    temporary = path.with_name(f"{path.name}.{new_id()}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        temporary.chmod(0o600)  # a strict umask may have taken away our own rights
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _open(path: Path, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", timeout=_SWITCH_PATIENCE, uri=True)
