"""The SQL replay store where it is easily a little wrong: what is asked again, and when its memory begins."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.database import Database
from mintkey.testing.clock import FakeClock

CLOCK = FakeClock()
NOW = CLOCK.now()
LATER = NOW + timedelta(hours=1)

Use = Callable[[SQLReplayStore], Awaitable[object]]
# What is done, and whether the database may be asked to do it once more if the answer to its commit was lost.
WRITES: dict[str, tuple[Use, bool]] = {
    "claim": (lambda store: store.claim("name", owner="me", issued_at=NOW, expires_at=LATER), True),
    "commit": (lambda store: store.commit("name", owner="me", expires_at=LATER), True),
    "release": (lambda store: store.release("name", owner="me"), False),
    "revoke": (lambda store: store.revoke("name", expires_at=LATER), True),
    "cut_off": (lambda store: store.cut_off("name", before=NOW, expires_at=LATER), True),
    "swap_family": (
        lambda store: store.swap_family("name", expected=None, document=b"new", expires_at=LATER),
        True,
    ),
    "entering": (lambda store: store.__aenter__(), True),
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLReplayStore]:
    store = SQLReplayStore(f"sqlite:///{tmp_path / 'replay.db'}", clock=CLOCK)
    yield store
    await store.aclose()


@pytest.mark.parametrize("write", WRITES)
async def test_all_but_giving_back_may_be_done_twice(
    store: SQLReplayStore, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """Who gave back and does so again would be told that there was nothing: that one is told of the doubt instead."""
    act, is_repeatable = WRITES[write]
    said = []
    database_write = Database.write

    async def noted(self: Any, operation: Any, request: Any, /, *, is_repeatable: bool = False) -> Any:
        said.append(is_repeatable)
        return await database_write(self, operation, request, is_repeatable=is_repeatable)

    monkeypatch.setattr(Database, "write", noted)
    await act(store)
    assert said == [is_repeatable]


async def claimed_now(store: SQLReplayStore) -> ClaimOutcome:
    return await store.claim("another", owner="me", issued_at=NOW, expires_at=LATER)


async def test_a_memory_that_is_lost_after_entering_begins_later_than_now(
    store: SQLReplayStore, tmp_path: Path
) -> None:
    async with store:
        (tmp_path / "replay.db").unlink()
        assert await claimed_now(store) is ClaimOutcome.UNPROVABLE


async def test_so_does_one_that_is_lost_after_a_look(store: SQLReplayStore, tmp_path: Path) -> None:
    assert await store.status("name", issued_at=NOW) is ClaimStatus.UNUSED
    (tmp_path / "replay.db").unlink()
    assert await claimed_now(store) is ClaimOutcome.UNPROVABLE


async def test_one_that_was_lost_while_nobody_used_it_begins_now(store: SQLReplayStore, tmp_path: Path) -> None:
    async with store:
        pass
    (tmp_path / "replay.db").unlink()
    assert await claimed_now(store) is ClaimOutcome.ACCEPTED
