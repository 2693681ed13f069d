"""Every call to an SQLite file that is locked, full or not to be written: nothing happens, and that is told."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.ground import Fate, sql_stores
from tests.faults.paths import PATHS
from tests.faults.plays import while_in_state
from tests.support.sql_faults import locked

PATIENCE = 0.3


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """A trigger stands for what a disk says that is full, or broken."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names = [(table, event) for table in tables for event in ("INSERT", "UPDATE", "DELETE")]
        for table, event in names:
            refusal = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            file.execute(f"CREATE TRIGGER refuse_{table}_{event} BEFORE {event} ON {table} {refusal}")
        yield
        for table, event in names:
            file.execute(f"DROP TRIGGER refuse_{table}_{event}")


STATES: Mapping[str, Callable[[Path], AbstractContextManager[object]]] = {"locked": locked, "full": damaged}


@pytest.mark.parametrize("name", PATHS["sqlite"])
@pytest.mark.parametrize("state", STATES)
async def test_a_call_is_told_that_nothing_happened(sqlite_file: Path, state: str, name: str) -> None:
    connect = partial(sql_stores, f"sqlite:///{sqlite_file}")
    nothing = frozenset({Fate.NOTHING})
    await while_in_state("sqlite", connect, name, STATES[state](sqlite_file), nothing, patience=PATIENCE)
