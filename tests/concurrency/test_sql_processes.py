"""One SQLite file, several real processes: one winner, hard caps, one ring; and a kill takes nothing back."""

import sqlite3
import stat
from collections import Counter
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest

from mintkey.errors import KeyProviderError, Reason, ReplayStoreError
from mintkey.keys.sql import SQLKeyProvider
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from tests.support import processes
from tests.support.sql_faults import is_writable, locked_by_a_process
from tests.support.sql_workers import SEALER, claim

PROCESSES = 6

IN_THE_WAY = r"locked|no answer in time"

results = partial(processes.results, "tests.support.sql_workers")
process = partial(processes.process, "tests.support.sql_workers")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mintkey.db"


@pytest.fixture
async def store(path):
    async with SQLKeyRingStore(f"sqlite:///{path}") as store:
        assert await store.compare_and_swap("default", expected=0, document=b"")
        yield store


async def test_of_all_processes_one_spends_a_key(path):
    """The file does not exist when they begin: they make it together, too."""
    won = results(*[("spend", path, 40)] * PROCESSES)
    assert sorted(key for keys in won for key in keys) == sorted(f"key {number}" for number in range(40))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["mintkey.db"]
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_reservations_stop_at_the_limit(store, path):
    assert sum(results(*[("reserve", path, 3, 200)] * PROCESSES)) == 200
    stored = await store.load("default")
    assert stored.mints == {"kid": 200}


async def test_what_is_given_back_is_granted_once_more(store, path):
    assert sum(results(*[("reserve_and_return", path, 5, 2, 300)] * PROCESSES)) == 300
    stored = await store.load("default")
    assert stored.mints == {"kid": 300}


async def test_a_disk_that_is_full_for_one_process_is_in_nobodys_way(path):
    answers = results(("fill", path), ("spend", path, 40))
    (filled,) = [answer for answer in answers if isinstance(answer, dict)]
    (won,) = [answer for answer in answers if isinstance(answer, list)]
    assert set(filled["reasons"]) <= {Reason.REPLAY_UNAVAILABLE, Reason.REPLAY_OUTCOME_UNKNOWN}
    assert filled["after"][0] == ClaimOutcome.ACCEPTED
    assert len(won) == 40
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_no_change_is_lost(store, path):
    results(*[("append", path, letter, 10) for letter in "abcdef"])
    stored = await store.load("default")
    assert Counter(stored.document.decode()) == dict.fromkeys("abcdef", 10)
    assert stored.revision == 61


async def test_processes_that_open_together_make_one_ring(path):
    (kid,) = set(results(*[("first_key", path)] * PROCESSES))
    async with SQLKeyProvider(f"sqlite:///{path}", sealer=SEALER) as provider:
        versions = await provider.versions()
    assert len(versions) == 2
    assert kid in {version.kid for version in versions}


async def test_no_version_signs_more_than_its_cap(path):
    granted = Counter()
    for kids in results(*[("mint", path, 30, 25)] * PROCESSES):
        granted.update(kids)
    assert sum(granted.values()) == 30 * PROCESSES
    assert max(granted.values()) <= 25


async def test_a_kill_takes_nothing_back_and_blocks_nobody(path):
    for _ in range(2):
        with process(("spend_for_ever", path)) as spender:
            said = [spender.stdout.readline().strip() for _ in range(15)]
            spender.kill()
            said += spender.stdout.read().split("\n")[:-1]
        assert is_writable(path)
        async with SQLReplayStore(f"sqlite:///{path}", fence=False) as store:
            assert {await claim(store, key) for key in said} == {ClaimOutcome.SPENT}


async def test_a_process_that_holds_the_lock_is_an_error_in_time(store, path):
    patience, url = timedelta(seconds=1.5), f"sqlite:///{path}"
    async with (
        SQLReplayStore(url, timeout=patience, fence=False) as replay,
        SQLKeyRingStore(url, timeout=patience) as keys,
    ):
        assert await claim(replay, "before") is ClaimOutcome.ACCEPTED
        with locked_by_a_process(path):
            assert await keys.load("default") is not None
            with pytest.raises(KeyProviderError, match=IN_THE_WAY):
                await keys.compare_and_swap("default", expected=1, document=b"next")
            with pytest.raises(ReplayStoreError, match=IN_THE_WAY) as caught:
                await claim(replay, "during")
            assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert await claim(replay, "during") is ClaimOutcome.ACCEPTED
        assert await keys.compare_and_swap("default", expected=1, document=b"next")
