"""What can go wrong with an SQLite file."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["is_writable", "locked", "locked_by_a_process", "read_from"]

_HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else is writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")


@contextmanager
def locked_by_a_process(path: Path) -> Iterator[None]:
    """Another process is writing, and gives up when the block ends."""
    holding = [sys.executable, "-S", "-c", _HOLD, str(path)]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.communicate()


@contextmanager
def read_from(path: Path, table: str) -> Iterator[None]:
    """Somebody else is in the middle of reading; without a write-ahead log nobody can commit meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("BEGIN")
        file.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - a table of ours
        yield


def is_writable(path: Path) -> bool:
    """Whether nobody holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True
