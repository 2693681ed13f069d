"""The file of an SQLite database that we look after: where it is, who may read it, and whether it is still the same."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread

from mintkey.ids import new_id

__all__ = ["Identity", "SQLiteFile", "identity_of"]

Identity = tuple[int, int] | None
"""Device and inode of a file; None in memory, or if there is none."""

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

    async def prepare(self) -> None:
        """See that it can be opened; create it if it is missing.

        Raises:
            OSError: There can be no such file.
            sqlite3.Error: What is there cannot be opened.
        """
        self._path = await anyio.to_thread.run_sync(_look_at if self._is_read_only else _create, self._path)

    def point(self, _dialect: object, _record: object, arguments: list[str], _keywords: object) -> None:
        """Let a new connection lead here, wherever the working directory may be by now: SQLAlchemy's `do_connect`."""
        _, _, parameters = arguments[0].partition("?")
        arguments[0] = f"file:{quote(self._path)}?{parameters}"


async def identity_of(path: str, /) -> Identity:
    """Which file lies at a path now."""
    try:
        found = await anyio.Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(given: str) -> str:
    """Create the file with mode 0600, unless there is one, and see that it has a write-ahead log; its full path."""
    path = Path(given).absolute()
    if not os.path.lexists(path):
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
    # Readers and the writer then do not wait for each other; where that cannot be had, all is right without.
    with closing(_open(path, mode="rw")) as file, suppress(sqlite3.Error):
        file.execute("PRAGMA journal_mode = WAL")
    return str(path)


def _look_at(given: str) -> str:
    """Open and close the file, so that the error is ours if that cannot be done; its full path."""
    path = Path(given).absolute()
    _open(path, mode="ro").close()
    return str(path)


def _open(path: Path, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", timeout=_SWITCH_PATIENCE, uri=True)
