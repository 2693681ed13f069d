"""PostgreSQL that is frozen, killed, shut down or cut off: typed errors in time, nobody let in twice, and it heals."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio
import pytest

from mintkey.errors import BackendError, KeyProviderError, Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from tests.support.postgres import PostgresDatabase
from tests.support.postgres_faults import LossyWay
from tests.support.sql_harness import engine_on
from tests.support.sql_workers import claim

PATIENCE = 60.0
SHORT = timedelta(seconds=1)
LONG = timedelta(seconds=30)

END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

T = TypeVar("T")


@asynccontextmanager
async def stores(
    database: PostgresDatabase, *, patience: timedelta = LONG, is_foreign: bool = False
) -> AsyncIterator[tuple[SQLReplayStore, SQLKeyRingStore]]:
    """Both stores, used once already."""
    engine = engine_on(database)
    place = engine if is_foreign else database.url
    async with (
        SQLReplayStore(place, timeout=patience, fence=False) as marks,
        SQLKeyRingStore(place, timeout=patience) as rings,
    ):
        await healed(lambda: claim(marks, "before"))
        await healed(lambda: rings.compare_and_swap("default", expected=0, document=b"first"))
        yield marks, rings
    await engine.dispose()


async def healed(call: Callable[[], Awaitable[T]]) -> T:
    """What the call answers as soon as it does."""
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                return await call()
            except BackendError:
                await anyio.sleep(0.02)


@pytest.fixture
async def way(postgres: PostgresDatabase) -> AsyncIterator[LossyWay]:
    async with LossyWay(postgres.server.port) as way:
        yield way


@pytest.mark.parametrize("is_foreign", [False, True], ids=["url", "engine"])
async def test_a_frozen_server_is_an_error_in_time(own_postgres: PostgresDatabase, is_foreign: bool) -> None:
    async with stores(own_postgres, patience=SHORT, is_foreign=is_foreign) as (marks, rings):
        own_postgres.server.freeze()
        outcomes: list[Reason] = []

        async def claim_one(number: int) -> None:
            with pytest.raises(ReplayStoreError, match="no answer in time") as caught:
                await claim(marks, f"during {number}")
            outcomes.append(caught.value.reason)

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for number in range(30):  # more than there are connections
                    tasks.start_soon(claim_one, number)
            with pytest.raises(KeyProviderError, match="no answer in time"):
                await rings.load("default")
        assert set(outcomes) <= {Reason.REPLAY_UNAVAILABLE, Reason.REPLAY_OUTCOME_UNKNOWN}
        own_postgres.server.thaw()
        assert await healed(lambda: claim(marks, "during 1")) is ClaimOutcome.ACCEPTED
        assert await healed(lambda: claim(marks, "before")) is ClaimOutcome.SPENT
        assert await healed(lambda: rings.load("default")) is not None


async def test_a_silent_server_does_not_keep_us_from_closing(own_postgres: PostgresDatabase) -> None:
    with anyio.fail_after(PATIENCE):
        async with stores(own_postgres, patience=SHORT) as (marks, rings):
            watched = rings.watch("default")
            assert await anext(watched) == 1
            own_postgres.server.freeze()
            with pytest.raises(ReplayStoreError):
                await claim(marks, "during")
            await watched.aclose()


@pytest.mark.parametrize("is_foreign", [False, True], ids=["url", "engine"])
async def test_a_killed_server_is_unavailable_and_heals_by_itself(
    own_postgres: PostgresDatabase, is_foreign: bool
) -> None:
    async with stores(own_postgres, is_foreign=is_foreign) as (marks, rings):
        await anyio.to_thread.run_sync(own_postgres.server.kill)
        with pytest.raises(ReplayStoreError) as caught:
            await claim(marks, "during")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        with pytest.raises(KeyProviderError) as caught_keys:
            await rings.reserve("default", "kid", want=1, limit=1)
        assert caught_keys.value.reason is Reason.KEYS_UNAVAILABLE
        assert caught_keys.value.details == {"may_have_happened": False}
        assert (await rings.checks())["durability"].word == Reason.KEYS_UNAVAILABLE
        await anyio.to_thread.run_sync(own_postgres.server.restart)
        assert await healed(lambda: claim(marks, "during")) is ClaimOutcome.ACCEPTED
        assert await healed(lambda: claim(marks, "before")) is ClaimOutcome.SPENT
        assert await healed(lambda: rings.reserve("default", "kid", want=1, limit=1)) == 1


async def test_connections_that_the_administrator_ends_are_replaced(postgres: PostgresDatabase) -> None:
    async with stores(postgres) as (marks, rings):
        for _ in range(3):
            await postgres.send(END_ALL)
            assert await claim(marks, "before") is ClaimOutcome.SPENT
            assert await rings.load("default") is not None


@pytest.mark.parametrize("count", [1, 3])
async def test_a_claim_whose_commit_was_not_answered_is_settled_by_its_owner(
    postgres: PostgresDatabase, way: LossyWay, count: int
) -> None:
    """The server had it; nobody else gets it, and the caller is told."""
    async with SQLReplayStore(postgres.url_at(way.port), timeout=LONG, fence=False) as marks:
        assert await claim(marks, "before") is ClaimOutcome.ACCEPTED
        way.lose = count
        assert await claim(marks, "mine") is ClaimOutcome.ACCEPTED
        assert way.lose == 0
        assert await claim(marks, "mine") is ClaimOutcome.SPENT


async def test_a_reservation_and_its_commit_are_settled_as_well(postgres: PostgresDatabase, way: LossyWay) -> None:
    now, owner = datetime.now(UTC), new_id()
    until = now + timedelta(minutes=10)
    async with SQLReplayStore(postgres.url_at(way.port), timeout=LONG, fence=False) as marks:
        assert await claim(marks, "before") is ClaimOutcome.ACCEPTED
        way.lose = 1
        lease = timedelta(minutes=1)
        assert await marks.claim("k", owner=owner, issued_at=now, expires_at=until, lease=lease) is (
            ClaimOutcome.ACCEPTED
        )
        way.lose = 1
        assert await marks.commit("k", owner=owner, expires_at=until)
        way.lose = 1
        await marks.revoke("other", expires_at=until)
        assert way.lose == 0
        assert await claim(marks, "k") is ClaimOutcome.SPENT
        assert await claim(marks, "other") is ClaimOutcome.REVOKED


async def test_of_claims_that_lose_their_answers_at_once_one_wins(postgres: PostgresDatabase, way: LossyWay) -> None:
    won: list[ClaimOutcome] = []

    async def try_it(marks: SQLReplayStore) -> None:
        won.append(await claim(marks, "wanted"))

    async with SQLReplayStore(postgres.url_at(way.port), timeout=LONG, fence=False) as marks:
        assert await claim(marks, "before") is ClaimOutcome.ACCEPTED
        way.lose = 4
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(try_it, marks)
    assert sorted(won) == sorted([ClaimOutcome.ACCEPTED] + [ClaimOutcome.SPENT] * 7)


async def test_an_outcome_that_nobody_can_tell_in_time_is_unknown(postgres: PostgresDatabase, way: LossyWay) -> None:
    async with SQLReplayStore(postgres.url_at(way.port), timeout=SHORT, fence=False) as marks:
        await healed(lambda: claim(marks, "before"))
        way.lose, way.refuse = 1, True
        with pytest.raises(ReplayStoreError, match="no answer in time") as caught:
            await claim(marks, "mine")
        assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
        way.refuse = False
        assert await healed(lambda: claim(marks, "mine")) is ClaimOutcome.SPENT


@pytest.mark.parametrize("call", ["give_back", "reserve", "swap"])
async def test_what_must_not_happen_twice_is_never_run_again(
    postgres: PostgresDatabase, way: LossyWay, call: str
) -> None:
    async with SQLKeyRingStore(postgres.url_at(way.port), timeout=LONG) as rings:
        await rings.compare_and_swap("default", expected=0, document=b"first")
        assert await rings.reserve("default", "kid", want=10, limit=10) == 10
        way.lose, before = 1, way.commits
        with pytest.raises(KeyProviderError) as caught:
            match call:
                case "give_back":
                    await rings.give_back("default", "kid", count=3)
                case "reserve":
                    await rings.reserve("default", "kid", want=1, limit=20)
                case _:
                    await rings.compare_and_swap("default", expected=1, document=b"second")
        assert caught.value.details == {"may_have_happened": True}
        stored = await rings.load("default")
        assert stored is not None
        assert way.commits == before + 1
        assert (stored.revision, stored.mints["kid"], stored.returned.get("kid", 0)) == {
            "give_back": (1, 7, 3),
            "reserve": (1, 11, 0),
            "swap": (2, 10, 0),
        }[call]


async def test_a_give_back_that_was_not_committed_did_not_happen(own_postgres: PostgresDatabase) -> None:
    async with stores(own_postgres) as (_, rings):
        assert await rings.reserve("default", "kid", want=10, limit=10) == 10
        await anyio.to_thread.run_sync(own_postgres.server.kill)
        with pytest.raises(KeyProviderError) as caught:
            await rings.give_back("default", "kid", count=3)
        assert caught.value.details == {"may_have_happened": False}
        await anyio.to_thread.run_sync(own_postgres.server.restart)
        stored = await healed(lambda: rings.load("default"))
        assert stored is not None
        assert (stored.mints, stored.returned) == ({"kid": 10}, {})


async def test_a_database_that_takes_no_writes_is_unavailable(postgres: PostgresDatabase) -> None:
    async with stores(postgres) as (marks, rings):
        await postgres.send(f"ALTER DATABASE {postgres.name} SET default_transaction_read_only = on")
        await postgres.send(END_ALL)
        with pytest.raises(ReplayStoreError, match="read-only transaction") as caught:
            await claim(marks, "during")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert caught.value.retryable
        with pytest.raises(KeyProviderError, match="read-only transaction"):
            await rings.compare_and_swap("default", expected=1, document=b"second")
        assert await rings.load("default") is not None


async def test_a_server_without_a_free_connection_is_unavailable(postgres: PostgresDatabase) -> None:
    async with stores(postgres):
        await postgres.server.send("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
        try:
            with pytest.raises(ReplayStoreError, match="too many connections") as caught:
                await claim(SQLReplayStore(postgres.url_of("crowded"), fence=False), "during")
            assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        finally:
            await postgres.server.send("DROP ROLE crowded")


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("40001", "serialization_failure"),
        ("40P01", "deadlock_detected"),
        ("53100", "disk_full"),
        ("53200", "out_of_memory"),
        ("57P01", "admin_shutdown"),
        ("55P03", "lock_not_available"),
    ],
)
async def test_whatever_the_server_refuses_with_is_unavailable_and_nobody_gets_in(
    postgres: PostgresDatabase, state: str, name: str
) -> None:
    async with stores(postgres) as (marks, _):
        await postgres.send(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{name}' USING ERRCODE = '{state}', DETAIL = 'private'; END $$;"
            "CREATE TRIGGER refuse BEFORE INSERT ON mintkey_marks EXECUTE FUNCTION refuse()"
        )
        with pytest.raises(ReplayStoreError, match=name) as caught:
            await claim(marks, "during")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert caught.value.retryable
        assert "private" not in str(caught.value) + str(caught.value.__cause__)
        await postgres.send("DROP TRIGGER refuse ON mintkey_marks")
        assert await claim(marks, "during") is ClaimOutcome.ACCEPTED


async def test_a_row_that_others_hold_is_an_error_in_time(postgres: PostgresDatabase) -> None:
    """Somebody's transaction that hangs must not hang us."""
    engine = engine_on(postgres)
    async with stores(postgres, patience=SHORT) as (marks, _), engine.connect() as other:
        await other.exec_driver_sql("UPDATE mintkey_marks SET state = state")
        with pytest.raises(ReplayStoreError, match="no answer in time"):
            await claim(marks, "before")
        await healed(lambda: claim(marks, "another"))
        await other.rollback()
        assert await healed(lambda: claim(marks, "before")) is ClaimOutcome.SPENT
    await engine.dispose()
