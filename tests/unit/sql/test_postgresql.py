"""What is said to PostgreSQL, and what it makes of it."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import anyio
import pytest
from sqlalchemy import ClauseElement, Executable, event, text
from sqlalchemy.dialects import postgresql as dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mintkey.clock import SystemClock
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.ids import new_id
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.marks import SKEW
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql import notifications
from mintkey.sql.database import Database
from mintkey.sql.marks import MarkStatements
from mintkey.sql.postgresql import PostgreSQL
from mintkey.sql.schema import RINGS
from mintkey.testing.clock import FakeClock
from tests.support.postgres import PostgresDatabase
from tests.support.sql_harness import engine_on

_LIFETIME = timedelta(minutes=10)

MakeDatabase = Callable[..., Database]


def _failure(message: str, /, *, may_have_happened: bool) -> KeyProviderError:
    return KeyProviderError(message, details={"may_have_happened": may_have_happened})


class _RefusalError(Exception):
    def __init__(self, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate


def _error(sqlstate: str | None = None, *, is_disconnect: bool = False) -> DBAPIError:
    return DBAPIError("SELECT", None, _RefusalError(sqlstate), connection_invalidated=is_disconnect)


def _sql(statement: Executable) -> str:
    return " ".join(str(cast("ClauseElement", statement).compile(dialect=dialect.dialect())).split())


@pytest.fixture
async def engine(postgres: PostgresDatabase) -> AsyncIterator[AsyncEngine]:
    engine = engine_on(postgres)
    yield engine
    await engine.dispose()


@pytest.fixture
async def make(postgres: PostgresDatabase) -> AsyncIterator[MakeDatabase]:
    made: list[Database] = []

    def database(place: AsyncEngine | str = postgres.url, *, timeout: float = 30) -> Database:
        made.append(Database(place, tables=(RINGS,), timeout=timedelta(seconds=timeout), failure=_failure))
        return made[-1]

    yield database
    for each in made:
        await each.close()


def said(engine: AsyncEngine) -> list[str]:
    """What is said on the engine from now on, without what looks for tables."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    return statements


@pytest.mark.parametrize(
    ("error", "is_stale", "is_cut"),
    [
        (_error("42P01"), True, False),
        (_error("42703"), True, False),
        (_error("57P01"), True, True),
        (_error("08006"), True, True),
        (_error(is_disconnect=True), True, True),
        (_error("40001"), False, False),
        (_error(), False, False),
        (OSError(), False, False),
    ],
)
def test_a_lost_connection_and_a_dropped_table_are_worth_another_try(
    error: Exception, is_stale: bool, is_cut: bool
) -> None:
    assert (PostgreSQL().is_stale(error), PostgreSQL().is_cut(error)) == (is_stale, is_cut)


def test_what_others_are_deleting_is_left_to_them() -> None:
    """Two purges of the same rows in another order would deadlock."""
    purges = MarkStatements.of(PostgreSQL().insert, is_fenced=True).purges
    assert all("FOR UPDATE SKIP LOCKED" in _sql(purge) for purge in purges)


async def test_a_load_is_one_statement_without_a_transaction(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLKeyRingStore(engine)
    await store.compare_and_swap("default", expected=0, document=b"{}")
    for kid in ("a", "b"):
        await store.reserve("default", kid, want=2, limit=2)
    statements = said(engine)
    assert await store.load("default") is not None
    assert len(statements) == 1
    async with engine.connect() as connection:  # and its settings stay the application's
        assert await connection.scalar(text("SELECT 1")) == 1
        assert connection.in_transaction()
    await store.aclose()


async def test_the_servers_clock_comes_with_the_ring(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        before = SystemClock().time()
        stored = await store.load("default")
        assert stored is not None
        assert stored.time is not None
        assert before - 1 <= stored.time <= SystemClock().time() + 1


async def test_a_write_is_read_committed_whatever_the_engine_is_set_to(postgres: PostgresDatabase) -> None:
    engine = engine_on(postgres).execution_options(isolation_level="SERIALIZABLE")
    levels: list[str] = []

    async def look(connection: AsyncConnection, requests: Sequence[None]) -> Sequence[None]:
        levels.append(str(await connection.scalar(text("SHOW transaction_isolation"))))
        return requests

    database = Database(engine, tables=(RINGS,), timeout=timedelta(seconds=30), failure=_failure)
    await database.write(look, None)
    assert levels == ["read committed"]
    await database.close()
    await engine.dispose()


@pytest.mark.parametrize("word", ["on", "off", "local", "remote_apply"])
async def test_commits_that_are_not_flushed_are_warned_of_and_shown(
    postgres: PostgresDatabase, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    await postgres.send(f"ALTER DATABASE {postgres.name} SET synchronous_commit = {word}")
    async with SQLKeyRingStore(postgres.url) as rings, SQLReplayStore(postgres.url) as marks:
        for store in (rings, marks):
            (check,) = (await store.checks()).values()
            assert (check.ok, check.word) == (word != "off", word)
            await store.checks()
    warnings = [record.getMessage() for record in caplog.records if record.name == "mintkey"]
    assert len(warnings) == (2 if word == "off" else 0)
    assert all("synchronous_commit = off" in warning for warning in warnings)


async def test_a_role_that_may_not_create_tables_works_with_those_that_are_there(postgres: PostgresDatabase) -> None:
    await postgres.server.send("CREATE ROLE humble LOGIN")
    try:
        async with SQLKeyRingStore(postgres.url_of("humble")) as store:
            with pytest.raises(KeyProviderError, match="permission denied for schema public"):
                await store.load("default")
        async with SQLKeyRingStore(postgres.url) as owner, SQLReplayStore(postgres.url) as marks:
            await owner.load("default")
            await marks.cut_off_before("anybody")
        await postgres.send("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO humble")
        async with SQLKeyRingStore(postgres.url_of("humble")) as store:
            assert await store.compare_and_swap("default", expected=0, document=b"{}")
            assert await store.reserve("default", "kid", want=1, limit=1) == 1
            revisions = store.watch("default")
            assert await anext(revisions) == 1
            await revisions.aclose()
        async with SQLReplayStore(postgres.url_of("humble")) as marks:
            await marks.revoke(new_id(), expires_at=FakeClock().now())
    finally:
        await postgres.send("DROP OWNED BY humble")
        await postgres.server.send("DROP ROLE humble")


async def test_a_table_that_lacks_a_column_is_an_error_that_says_what_to_do(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        await store.reserve("default", "kid", want=3, limit=3)
        await postgres.send("ALTER TABLE mintkey_mints DROP COLUMN returned")
        with pytest.raises(ConfigurationError, match="mintkey_mints lacks the column returned") as caught:
            await store.load("default")
        _, _, cure = str(caught.value).partition("Migrate it: ")
        await postgres.send(cure)
        stored = await store.load("default")
        assert stored is not None
        assert (stored.mints, stored.returned) == ({"kid": 3}, {})


async def test_a_purge_is_a_small_step_and_passes_by_what_others_hold(
    postgres: PostgresDatabase, engine: AsyncEngine
) -> None:
    clock = FakeClock()
    async with SQLReplayStore(postgres.url, clock=clock) as store, engine.connect() as other:
        for number in range(20):
            await store.revoke(f"held {number}", expires_at=clock.now() + _LIFETIME)
        await postgres.send(
            "INSERT INTO mintkey_marks (name, owner, state, moment, expires_at)"
            " SELECT ('\\x' || lpad(to_hex(n), 8, '0'))::bytea, '\\xff', 3, 0, 1 FROM generate_series(1, 1000) n"
        )
        clock.advance(_LIFETIME + SKEW + timedelta(seconds=1))
        await other.exec_driver_sql("SELECT * FROM mintkey_marks WHERE name >= 'held' AND name < 'helf' FOR UPDATE")
        left = 1000
        while left:
            before = left
            for _ in range(16):
                await store.revoke(new_id(), expires_at=clock.now() + _LIFETIME)
            found = await postgres.send(r"SELECT count(*) FROM mintkey_marks WHERE name < '\x00001000'")
            left = int(found[0])
            assert before - left <= 128
            assert left < before
        held = await postgres.send("SELECT count(*) FROM mintkey_marks WHERE name >= 'held' AND name < 'helf'")
        assert held == ["20"]


async def test_what_a_column_held_is_in_no_error(postgres: PostgresDatabase, make: MakeDatabase) -> None:
    async def put(connection: AsyncConnection, names: Sequence[str]) -> list[None]:
        await connection.execute(RINGS.insert().values(name="a", revision=1, document=b"private"))
        return [None for _ in names]

    database = make()
    await database.write(put, "a")
    await postgres.send("ALTER TABLE mintkey_rings ADD COLUMN theirs int NOT NULL DEFAULT 1")
    await postgres.send("ALTER TABLE mintkey_rings ALTER COLUMN theirs DROP DEFAULT")
    with pytest.raises(KeyProviderError, match="violates not-null constraint") as caught:
        await database.write(put, "b")
    cause: Any = caught.value.__cause__
    assert "Failing row" not in str(cause)
    assert b"private".hex() not in repr(cause) + str(cause)
    assert caught.value.__context__ is None


async def test_a_listener_hears_of_its_own_ring_and_takes_no_connection_from_the_pool(
    engine: AsyncEngine, postgres: PostgresDatabase
) -> None:
    store, other = SQLKeyRingStore(engine), SQLKeyRingStore(postgres.url)
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.compare_and_swap("else", expected=0, document=b"{}")
    revisions = store.watch("default")
    assert await anext(revisions) == 1
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await other.compare_and_swap("else", expected=1, document=b"{}")
    await other.compare_and_swap("default", expected=1, document=b"{}")
    assert await anext(revisions) == 2
    await postgres.send("DELETE FROM mintkey_rings")
    await other.compare_and_swap("default", expected=0, document=b"{}")
    assert await anext(revisions) == 1
    await revisions.aclose()
    await other.aclose()
    await store.aclose()


async def test_a_listener_waits_for_a_ring_that_is_not_there_yet(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        heard: list[int] = []

        async def listen() -> None:
            async for revision in store.watch("default"):
                heard.append(revision)
                break

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await listeners(postgres, 1)
                await store.compare_and_swap("default", expected=0, document=b"{}")
        assert heard == [1]


async def test_a_listener_that_is_cancelled_lets_go_of_its_connection(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")

        async def listen() -> None:
            async for _ in store.watch("default"):
                pass

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await listeners(postgres, 1)
                tasks.cancel_scope.cancel()
            await listeners(postgres, 0)


async def test_a_listener_that_loses_its_connection_says_so(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        revisions = store.watch("default")
        assert await anext(revisions) == 1
        await postgres.send(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with anyio.fail_after(60), pytest.raises(KeyProviderError, match="the connection was lost"):
            await anext(revisions)
        again = store.watch("default")
        assert await anext(again) == 1
        await again.aclose()


async def test_a_listener_looks_by_itself_after_a_long_silence(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler, or a network that lost the connection, keeps the news for itself."""
    monkeypatch.setattr("mintkey.sql.notifications._LOOK_AFTER", 0.05)
    async with SQLKeyRingStore(postgres.url) as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        revisions = store.watch("default")
        assert await anext(revisions) == 1
        await postgres.send("UPDATE mintkey_rings SET revision = 7")
        with anyio.fail_after(60):
            assert await anext(revisions) == 7
        await revisions.aclose()


async def test_a_listener_that_cannot_connect_says_so(postgres: PostgresDatabase) -> None:
    store = SQLKeyRingStore(f"postgresql://postgres@127.0.0.1:{postgres.server.port}/nowhere")
    with pytest.raises(KeyProviderError, match='database "nowhere" does not exist'):
        await anext(store.watch("default"))
    await store.aclose()


async def test_names_that_no_column_takes_are_an_error_of_ours(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url) as store:
        for name in ("\x00", "\ud800"):
            with pytest.raises(KeyProviderError):
                await store.load(name)
        assert await store.load("default") is None


async def listeners(postgres: PostgresDatabase, count: int) -> None:
    """Wait until there are so many connections whose last word was that they look for a ring's revision."""
    looking = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE"
        " 'SELECT mintkey_rings.revision%FROM mintkey_rings%' AND query NOT LIKE '%document%' AND state = 'idle'"
    )
    while await postgres.send(looking) != [str(count)]:  # noqa: ASYNC110 - the server has no event for us
        await anyio.sleep(0.02)


async def test_we_log_nothing_of_it_all(postgres: PostgresDatabase, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "mintkey"):
        async with SQLKeyRingStore(postgres.url) as store:
            await store.compare_and_swap("default", expected=0, document=b"private")
    assert "private" not in caplog.text


async def test_a_driver_that_cannot_listen_tells_nothing(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling is the guarantee; any driver but asyncpg is one."""
    monkeypatch.setattr(notifications, "_Driver", type("AnotherDriver", (), {}))
    store = SQLKeyRingStore(engine)
    assert await store.compare_and_swap("default", expected=0, document=b"one")
    assert [revision async for revision in store.watch("default")] == []
