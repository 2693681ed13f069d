"""Every call to an SQLite file that is locked or full: done, or nothing happened, and that is told."""

from functools import partial
from pathlib import Path

import pytest

from tests.faults.full_disk import Disk
from tests.faults.ground import Fate, sql_stores
from tests.faults.paths import PATHS
from tests.faults.plays import LONG, while_in_state
from tests.support.sql_faults import locked

PATIENCE = 1.0
ADDING = {"claim", "reserve", "revoke"}
"""Calls that add a row here. The others change one, or take it away; a row that grows by a byte may find no room."""


@pytest.mark.parametrize("name", PATHS["sqlite"])
async def test_a_call_is_told_that_nothing_happened(sqlite_file: Path, name: str) -> None:
    """Somebody else is writing."""
    connect = partial(sql_stores, f"sqlite:///{sqlite_file}")
    nothing = frozenset({Fate.NOTHING})
    await while_in_state("sqlite", connect, name, locked(sqlite_file), nothing, patience=PATIENCE)


@pytest.mark.parametrize("name", PATHS["sqlite"])
async def test_a_call_to_a_full_disk_is_told_what_happened_to_it(sqlite_file: Path, name: str) -> None:
    disk = Disk(sqlite_file)
    may_be = frozenset({Fate.NOTHING} if name in ADDING else {Fate.NOTHING, Fate.DONE})
    await while_in_state("sqlite", disk.stores, name, disk.filled(), may_be, patience=LONG)
