"""One PostgreSQL, several real processes: one winner, hard caps, one ring; and a kill takes nothing back."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest

from mintkey.keys.sql import SQLKeyProvider
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from tests.support import processes
from tests.support.postgres import PostgresDatabase
from tests.support.sql_workers import SEALER, claim

PROCESSES = 6

results = partial(processes.results, "tests.support.sql_workers")
process = partial(processes.process, "tests.support.sql_workers")


@pytest.fixture
async def store(postgres: PostgresDatabase) -> AsyncIterator[SQLKeyRingStore]:
    async with SQLKeyRingStore(postgres.url) as store:
        assert await store.compare_and_swap("default", expected=0, document=b"")
        yield store


async def test_of_all_processes_one_spends_a_key(postgres: PostgresDatabase) -> None:
    """There are no tables when they begin: they make them together, too."""
    won = results(*[("spend", postgres.url, 40)] * PROCESSES)
    assert sorted(key for keys in won for key in keys) == sorted(f"key {number}" for number in range(40))


async def test_reservations_stop_at_the_limit(store: SQLKeyRingStore, postgres: PostgresDatabase) -> None:
    assert sum(results(*[("reserve", postgres.url, 3, 200)] * PROCESSES)) == 200
    stored = await store.load("default")
    assert stored is not None
    assert stored.mints == {"kid": 200}


async def test_what_is_given_back_is_granted_once_more(store: SQLKeyRingStore, postgres: PostgresDatabase) -> None:
    granted = results(*[("reserve_and_return", postgres.url, 5, 2, 300)] * PROCESSES)
    assert sum(granted) == 300
    stored = await store.load("default")
    assert stored is not None
    assert stored.mints == {"kid": 300}


async def test_no_change_is_lost(store: SQLKeyRingStore, postgres: PostgresDatabase) -> None:
    results(*[("append", postgres.url, letter, 10) for letter in "abcdef"])
    stored = await store.load("default")
    assert stored is not None
    assert Counter(stored.document.decode()) == dict.fromkeys("abcdef", 10)
    assert stored.revision == 61


async def test_processes_that_open_together_make_one_ring(postgres: PostgresDatabase) -> None:
    (kid,) = set(results(*[("first_key", postgres.url)] * PROCESSES))
    async with SQLKeyProvider(postgres.url, sealer=SEALER) as provider:
        versions = await provider.versions()
    assert len(versions) == 2
    assert kid in {version.kid for version in versions}


async def test_no_version_signs_more_than_its_cap(postgres: PostgresDatabase) -> None:
    granted: Counter[str] = Counter()
    for kids in results(*[("mint", postgres.url, 30, 25)] * PROCESSES):
        granted.update(kids)
    assert sum(granted.values()) == 30 * PROCESSES
    assert max(granted.values()) <= 25


async def test_a_kill_takes_nothing_back_and_blocks_nobody(postgres):
    for _ in range(2):
        with process(("spend_for_ever", postgres.url)) as spender:
            said = [spender.stdout.readline().strip() for _ in range(15)]
            spender.kill()
            said += spender.stdout.read().split("\n")[:-1]
        async with SQLReplayStore(postgres.url, fence=False) as store:
            assert {await claim(store, key) for key in said} == {ClaimOutcome.SPENT}


async def test_a_cap_holds_when_processes_are_killed_while_they_sign(store, postgres):
    said = []
    for _ in range(2):
        with process(("reserve_for_ever", postgres.url, 3, 100)) as minter:
            said += [int(minter.stdout.readline()) for _ in range(8)]
            minter.kill()
            said += [int(line) for line in minter.stdout.read().split()]
    said.append(results(("reserve", postgres.url, 3, 100))[0])
    # What was reserved and never told is wasted; nothing is granted twice.
    assert 100 - 2 * 3 <= sum(said) <= 100


async def test_a_change_in_one_process_is_told_to_another(store: SQLKeyRingStore, postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.url, timeout=timedelta(seconds=30)) as listener:
        revisions = listener.watch("default")
        assert await anext(revisions) == 1
        with process(("append", postgres.url, "a", 3)) as appender:
            heard = 1
            while heard < 4:
                following = await anext(revisions)
                assert following > heard
                heard = following
            appender.communicate(timeout=60)
        await revisions.aclose()
