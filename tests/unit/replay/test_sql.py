"""The SQL replay store: what the contract suite does not ask, because only databases have it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.errors import Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.marks import SKEW
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.schema import NOBODY
from mintkey.testing.clock import FakeClock
from tests.support.sql_faults import locked, read_from

MakeStore = Callable[..., SQLReplayStore]

_LIFETIME = timedelta(minutes=10)
_QUICK = timedelta(seconds=1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replay.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def make(path: Path, clock: FakeClock, engine: AsyncEngine) -> AsyncIterator[MakeStore]:
    made: list[SQLReplayStore] = []

    def store(database: AsyncEngine | str = f"sqlite:///{path}", **settings: Any) -> SQLReplayStore:
        made.append(SQLReplayStore(database, clock=clock, **settings))
        return made[-1]

    yield store
    for each in made:
        await each.aclose()


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[AsyncEngine]:
    """Without a write-ahead log, so that a reader keeps commits away."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 30})
    yield engine
    await engine.dispose()


@pytest.fixture
def store(make: MakeStore) -> SQLReplayStore:
    return make()


def claim(store: SQLReplayStore, clock: FakeClock, key: str, *, owner: str | None = None, **more: Any) -> Any:
    return store.claim(
        key,
        owner=new_id() if owner is None else owner,
        issued_at=more.pop("issued_at", clock.now()),
        expires_at=clock.now() + _LIFETIME,
        **more,
    )


def rows(path: Path, what: str = "*", table: str = "mintkey_marks") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(f"SELECT {what} FROM {table}").fetchall()  # noqa: S608 - of our own


async def test_it_shows_where_it_is(make: MakeStore) -> None:
    assert repr(make("sqlite:///some/f.db")) == "SQLReplayStore('sqlite:///some/f.db')"


async def test_in_memory_it_forgets_when_it_is_closed(make: MakeStore, clock: FakeClock) -> None:
    """And says so: what was issued before is unprovable, what is issued from now on is not."""
    store, key, issued = make("sqlite://"), new_id(), clock.now()
    async with store:
        assert await claim(store, clock, key) is ClaimOutcome.ACCEPTED
        assert await claim(store, clock, key) is ClaimOutcome.SPENT
    clock.advance(timedelta(seconds=1))
    assert await claim(store, clock, key, issued_at=issued) is ClaimOutcome.UNPROVABLE
    assert await claim(store, clock, new_id()) is ClaimOutcome.ACCEPTED


async def test_columns_hold_bytes_and_microseconds(store: SQLReplayStore, clock: FakeClock, path: Path) -> None:
    await claim(store, clock, "kéy", owner="öwner", lease=timedelta(seconds=30))
    now = round(clock.time() * 1_000_000)
    assert rows(path) == [
        ("kéy".encode(), "öwner".encode(), 1, now + 30_000_000, now + 605_000_000),
        (b"\xff", b"\xff", 0, now, 2**63 - 1),
    ]


@pytest.mark.parametrize("name", ["", "\udcff", "\0", "x'y", "x" * 1000])
async def test_any_text_is_a_name_of_its_own(store: SQLReplayStore, clock: FakeClock, name: str) -> None:
    """Not even the row of the fence can be meant."""
    await store.revoke(name, expires_at=clock.now() + _LIFETIME)
    assert await claim(store, clock, new_id()) is ClaimOutcome.ACCEPTED
    assert await claim(store, clock, name) is ClaimOutcome.REVOKED
    assert await claim(store, clock, name + "+") is ClaimOutcome.ACCEPTED


@pytest.mark.parametrize("owner", ["", NOBODY.decode("latin-1"), "\udcff"])
async def test_nobody_owns_what_was_revoked(store: SQLReplayStore, clock: FakeClock, owner: str) -> None:
    key = new_id()
    await store.revoke(key, expires_at=clock.now() + _LIFETIME)
    assert await claim(store, clock, key, owner=owner) is ClaimOutcome.REVOKED
    assert await store.commit(key, owner=owner, expires_at=clock.now() + _LIFETIME) is False


async def test_commit_of_what_vanished_spends_it(store: SQLReplayStore, clock: FakeClock, path: Path) -> None:
    """The work was done, and nobody else began it."""
    key, owner = new_id(), new_id()
    await claim(store, clock, key, owner=owner, lease=timedelta(seconds=30))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM mintkey_marks WHERE state != 0")
    assert await store.commit(key, owner=owner, expires_at=clock.now() + _LIFETIME) is True
    assert await claim(store, clock, key) is ClaimOutcome.SPENT


async def test_what_has_expired_is_taken_over_as_if_it_were_not_there(store: SQLReplayStore, clock: FakeClock) -> None:
    """Also before a purge came by."""
    claimed, committed, owner = new_id(), new_id(), new_id()
    for key in (claimed, committed):
        await claim(store, clock, key)
    clock.advance(_LIFETIME + SKEW + timedelta(seconds=1))
    assert await claim(store, clock, claimed, owner=owner) is ClaimOutcome.ACCEPTED
    assert await claim(store, clock, claimed) is ClaimOutcome.SPENT
    assert await store.commit(committed, owner=owner, expires_at=clock.now() + _LIFETIME) is True
    assert await claim(store, clock, committed) is ClaimOutcome.SPENT


async def test_commit_never_shortens_a_mark(store: SQLReplayStore, clock: FakeClock) -> None:
    key, owner = new_id(), new_id()
    await claim(store, clock, key, owner=owner, lease=timedelta(seconds=30))
    assert await store.commit(key, owner=owner, expires_at=clock.now()) is True
    clock.advance(_LIFETIME)
    assert await claim(store, clock, key) is ClaimOutcome.SPENT


async def test_of_concurrent_takers_of_a_lease_that_ran_out_one_wins(make: MakeStore, clock: FakeClock) -> None:
    stores, key = [make(), make()], new_id()
    await claim(stores[0], clock, key, lease=timedelta(seconds=30))
    clock.advance(timedelta(seconds=31))
    outcomes = await asyncio.gather(*(claim(stores[turn % 2], clock, key) for turn in range(40)))
    assert outcomes.count(ClaimOutcome.ACCEPTED) == 1
    assert outcomes.count(ClaimOutcome.SPENT) == 39


async def test_of_a_thousand_concurrent_claims_one_wins_in_a_few_transactions(
    make: MakeStore, engine: AsyncEngine, clock: FakeClock
) -> None:
    store, key, commits = make(engine, timeout=timedelta(seconds=20)), new_id(), list[object]()
    await store.status(key, issued_at=clock.now())
    event.listen(engine.sync_engine, "commit", commits.append)
    outcomes = await asyncio.gather(*(claim(store, clock, key) for _ in range(1000)))
    assert outcomes.count(ClaimOutcome.ACCEPTED) == 1
    assert len(commits) <= 1000 / 64 + 1


# When memory is lost


async def test_a_table_that_was_dropped_is_memory_that_was_lost(
    store: SQLReplayStore, clock: FakeClock, path: Path
) -> None:
    key = new_id()
    await claim(store, clock, key)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE mintkey_marks")
    assert await claim(store, clock, key) is ClaimOutcome.UNPROVABLE
    clock.advance(SKEW + timedelta(seconds=2))
    assert await claim(store, clock, new_id()) is ClaimOutcome.ACCEPTED


async def test_a_file_that_was_deleted_is_memory_that_was_lost(store, clock, path):
    key = new_id()
    await claim(store, clock, key)
    await store.cut_off("subject", before=clock.now(), expires_at=clock.now() + _LIFETIME)
    path.unlink()
    assert await store.status(key, issued_at=clock.now()) is ClaimStatus.UNPROVABLE
    assert await claim(store, clock, key) is ClaimOutcome.UNPROVABLE
    assert await store.cut_off_before("subject") is None


async def test_a_fence_of_others_binds_only_who_is_fenced(make: MakeStore, clock: FakeClock) -> None:
    issued = clock.now()
    clock.advance(timedelta(seconds=5))
    async with make() as fenced, make(fence=False) as open_to_all:
        assert await fenced.status("a", issued_at=issued) is ClaimStatus.UNPROVABLE
        assert await open_to_all.status("a", issued_at=issued) is ClaimStatus.UNUSED
        assert await claim(fenced, clock, "a", issued_at=issued) is ClaimOutcome.UNPROVABLE
        assert await claim(open_to_all, clock, "a", issued_at=issued) is ClaimOutcome.ACCEPTED


async def test_opening_that_fails_can_be_repeated(make: MakeStore, clock: FakeClock, path: Path) -> None:
    """Whatever failed, memory begins at the opening, not some seconds later as after a loss."""
    store = make(timeout=_QUICK)
    await make(fence=False).status("a", issued_at=clock.now())
    with locked(path), pytest.raises(ReplayStoreError):
        await store.__aenter__()
    async with store:
        assert await claim(store, clock, new_id()) is ClaimOutcome.ACCEPTED


# Purging


async def test_expired_rows_are_deleted_along_with_writes(store: SQLReplayStore, clock: FakeClock, path: Path) -> None:
    for _ in range(5):
        await asyncio.gather(*(claim(store, clock, new_id()) for _ in range(100)))
        await store.cut_off(new_id(), before=clock.now(), expires_at=clock.now() + _LIFETIME)
    assert rows(path, "count(*)") == [(501,)]
    clock.advance(_LIFETIME + SKEW + timedelta(seconds=1))
    for _ in range(100):
        await claim(store, clock, new_id())
    assert rows(path, "count(*)") == [(101,)]  # those that live, and the fence
    assert rows(path, "count(*)", "mintkey_cut_offs") == [(0,)]


async def test_one_purge_is_a_small_step(store: SQLReplayStore, clock: FakeClock, path: Path) -> None:
    await asyncio.gather(*(claim(store, clock, new_id()) for _ in range(300)))
    clock.advance(_LIFETIME + SKEW + timedelta(seconds=1))
    before = rows(path, "count(*)")[0][0]
    for _ in range(16):
        await store.revoke(new_id(), expires_at=clock.now() + _LIFETIME)
    assert rows(path, "count(*)") == [(before + 16 - 128,)]


async def test_what_is_alive_is_never_purged(store: SQLReplayStore, clock: FakeClock) -> None:
    keys = [new_id() for _ in range(50)]
    await asyncio.gather(*(claim(store, clock, key) for key in keys))
    clock.advance(_LIFETIME)
    await asyncio.gather(*(claim(store, clock, new_id()) for _ in range(100)))
    outcomes = await asyncio.gather(*(claim(store, clock, key) for key in keys))
    assert outcomes == [ClaimOutcome.SPENT] * 50


# Errors


async def test_a_locked_database_is_unavailable_and_nothing_happened(
    make: MakeStore, clock: FakeClock, path: Path
) -> None:
    store, key = make(timeout=_QUICK), new_id()
    await claim(store, clock, new_id())
    with locked(path):
        with anyio.fail_after(5), pytest.raises(ReplayStoreError, match="cannot be used") as caught:
            await claim(store, clock, key)
        assert await store.status(key, issued_at=clock.now()) is ClaimStatus.UNUSED
    assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    assert (caught.value.retryable, caught.value.status_code) == (True, 503)
    assert key not in str(caught.value)
    assert await claim(store, clock, key) is ClaimOutcome.ACCEPTED


async def test_a_commit_without_an_answer_is_settled_by_asking_again(
    make: MakeStore, engine: AsyncEngine, clock: FakeClock, path: Path
) -> None:
    """The same owner is granted what it may have got; everybody else is not."""
    store, key, owner = make(engine, timeout=_QUICK), new_id(), new_id()
    await claim(store, clock, new_id())
    with read_from(path, "mintkey_marks"), pytest.raises(ReplayStoreError) as caught:
        await claim(store, clock, key, owner=owner)
    assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
    patient = make(engine)
    assert await claim(patient, clock, key) is ClaimOutcome.SPENT
    assert await claim(patient, clock, key, owner=owner) is ClaimOutcome.ACCEPTED


@pytest.mark.parametrize("mode", ["read only", "full"])
async def test_a_database_that_takes_nothing_lets_nobody_in(
    make: MakeStore, engine: AsyncEngine, clock: FakeClock, path: Path, mode: str
) -> None:
    key = new_id()
    await claim(make(engine), clock, key)

    @event.listens_for(engine.sync_engine, "checkout")
    def limit(connection: Any, _record: object, _proxy: object) -> None:
        connection.cursor().execute("PRAGMA query_only = 1" if mode == "read only" else "PRAGMA max_page_count = 1")

    store = make(engine)
    for _ in range(2):
        with pytest.raises(ReplayStoreError, match=r"readonly|full") as caught:
            await asyncio.gather(*(claim(store, clock, f"{number}{'x' * 1000}") for number in range(200)))
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    assert await store.status(key, issued_at=clock.now()) is ClaimStatus.SPENT


async def test_a_disk_that_is_full_lets_nobody_in(tmp_path: Path) -> None:
    """A real limit of the operating system, in a process of its own."""
    from tests.support.processes import results

    (answer,) = await anyio.to_thread.run_sync(results, "tests.support.sql_workers", ("fill", tmp_path / "f.db"))
    assert answer["reasons"] == ["replay_outcome_unknown"]
    assert answer["accepted"] > 0
    assert answer["after"] == ["accepted", "spent"]
    with closing(sqlite3.connect(tmp_path / "f.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_cut_offs_need_the_database_too(make, path):
    path.mkdir()
    store, now = make(timeout=_QUICK), datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ReplayStoreError, match="unable to open"):
        await store.cut_off_before("a")
    with pytest.raises(ReplayStoreError, match="unable to open"):
        await store.look("a", "b", issued_at=now)
    with pytest.raises(ReplayStoreError, match="unable to open"):
        await store.cut_off("a", before=now, expires_at=now)
