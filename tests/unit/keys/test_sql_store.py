"""The SQL ring store: what the contract suite does not ask, because only databases have it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.sql.schema import MINTS, RINGS
from tests.support.sql_faults import locked
from tests.support.sql_harness import engine_of

_NO_LIMIT = 2**62


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = engine_of(tmp_path / "app.db")
    yield engine
    await engine.dispose()


@pytest.fixture
async def store(engine: AsyncEngine) -> AsyncIterator[SQLKeyRingStore]:
    async with SQLKeyRingStore(engine) as store:
        yield store


def test_it_shows_where_it_is_and_no_password() -> None:
    assert repr(SQLKeyRingStore("sqlite:///some/f.db")) == "SQLKeyRingStore('sqlite:///some/f.db')"


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="redis is not supported"):
        SQLKeyRingStore("redis://127.0.0.1")


async def test_a_database_that_cannot_be_used_is_keys_unavailable(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "app.db")
    store = SQLKeyRingStore(engine, timeout=timedelta(seconds=1.5))
    await store.load("default")
    with locked(tmp_path / "app.db"), pytest.raises(KeyProviderError, match="cannot be used") as caught:
        await store.compare_and_swap("default", expected=0, document=b"private")
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert caught.value.retryable
    assert caught.value.details == {"may_have_happened": False}
    assert "private" not in str(caught.value)
    await store.aclose()
    await engine.dispose()


@pytest.mark.parametrize("name", ["", "..", "a'b", "a/b", "é", "\n", 'a"; DROP TABLE mintkey_rings', "x" * 10_000])
async def test_a_name_is_only_a_name(store: SQLKeyRingStore, name: str) -> None:
    assert await store.compare_and_swap(name, expected=0, document=b"named")
    assert await store.compare_and_swap("default", expected=0, document=b"default")
    assert await store.reserve(name, name, want=2, limit=_NO_LIMIT) == 2
    stored = await store.load(name)
    assert stored is not None
    assert (stored.document, dict(stored.mints)) == (b"named", {name: 2})


async def test_counters_of_long_ago_are_forgotten(store: SQLKeyRingStore, engine: AsyncEngine) -> None:
    """The store cannot read which versions a ring still has; that many changes later none of them signs."""
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.compare_and_swap("other", expected=0, document=b"{}")
    for ring in ("default", "other"):
        await store.reserve(ring, "old", want=1, limit=_NO_LIMIT)
    await _skip_to(engine, revision=1025)
    await store.reserve("default", "in use", want=1, limit=_NO_LIMIT)
    await store.compare_and_swap("default", expected=1025, document=b"{}")
    assert await _counted(engine) == {("default", "in use"), ("default", "old"), ("other", "old")}
    await store.compare_and_swap("default", expected=1026, document=b"{}")
    assert await _counted(engine) == {("default", "in use"), ("other", "old")}


async def test_a_swap_that_is_lost_forgets_no_counter(store: SQLKeyRingStore, engine: AsyncEngine) -> None:
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.reserve("default", "old", want=1, limit=_NO_LIMIT)
    assert not await store.compare_and_swap("default", expected=1_000_000, document=b"{}")
    assert await _counted(engine) == {("default", "old")}


async def test_a_ring_that_is_written_back_has_its_counters_again(store: SQLKeyRingStore, engine: AsyncEngine) -> None:
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.reserve("default", "kid", want=5, limit=7)
    async with engine.begin() as connection:
        await connection.execute(delete(RINGS))
    assert await store.reserve("default", "kid", want=5, limit=7) == 0
    await store.compare_and_swap("default", expected=0, document=b"{}")
    assert await store.reserve("default", "kid", want=5, limit=7) == 2


async def test_what_is_given_back_is_counted_and_granted_again(store: SQLKeyRingStore) -> None:
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.reserve("default", "kid", want=10, limit=10)
    await store.give_back("default", "kid", count=4)
    await store.give_back("default", "kid", count=0)
    await store.give_back("default", "another", count=4)
    await store.give_back("other", "kid", count=4)
    stored = await store.load("default")
    assert stored is not None
    assert (stored.mints, stored.returned) == ({"kid": 6}, {"kid": 4})
    assert await store.reserve("default", "kid", want=10, limit=10) == 4
    await store.give_back("default", "kid", count=1000)
    stored = await store.load("default")
    assert stored is not None
    assert (stored.mints, stored.returned) == ({"kid": 0}, {"kid": 14})


@pytest.mark.parametrize("count", [-1, -(2**62)])
async def test_giving_back_less_than_nothing_takes_nothing(store: SQLKeyRingStore, count: int) -> None:
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.reserve("default", "kid", want=10, limit=10)
    await store.give_back("default", "kid", count=count)
    stored = await store.load("default")
    assert stored is not None
    assert (stored.mints, stored.returned) == ({"kid": 10}, {})


async def test_watching_says_nothing(store: SQLKeyRingStore) -> None:
    assert [revision async for revision in store.watch("default")] == []


async def _skip_to(engine: AsyncEngine, *, revision: int) -> None:
    async with engine.begin() as connection:
        await connection.execute(RINGS.update().where(RINGS.c.name == "default").values(revision=revision))


async def _counted(engine: AsyncEngine) -> set[tuple[str, str]]:
    async with engine.connect() as connection:
        return {(row.ring, row.kid) for row in await connection.execute(select(MINTS.c.ring, MINTS.c.kid))}
