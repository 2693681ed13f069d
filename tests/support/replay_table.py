"""The backends that remember what was spent, in one table: joining it is how a backend is accepted."""

from functools import partial
from pathlib import Path

import pytest

from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.replay_harness import CachedReplayHarness, MemoryReplayHarness, RedisReplayHarness
from tests.support.sql_harness import SQLReplayHarness
from tests.support.tables import Open, on

__all__ = ["REPLAY_STORES", "OpenReplayStores"]

OpenReplayStores = Open[ReplayStoreHarness]


def memory(_directory: Path) -> ReplayStoreHarness:
    return MemoryReplayHarness()


def cached(_directory: Path) -> ReplayStoreHarness:
    return CachedReplayHarness()


by_url = partial(SQLReplayHarness, is_foreign=False)
by_engine = partial(SQLReplayHarness, is_foreign=True)

# One line a backend: a harness, and the fixture that it stands on.
REPLAY_STORES = [
    pytest.param(on("tmp_path", memory), id="memory"),
    pytest.param(on("tmp_path", cached), id="cached memory"),
    pytest.param(on("valkey", RedisReplayHarness), id="valkey"),
    pytest.param(on("debian_redis", RedisReplayHarness), id="debian redis"),
    pytest.param(on("redis_cluster", RedisReplayHarness), id="redis cluster"),
    pytest.param(on("redis_sentinel", RedisReplayHarness), id="redis sentinel"),
    pytest.param(on("sqlite_file", by_url), id="sqlite"),
    pytest.param(on("sqlite_file", by_engine), id="sqlite engine"),
    pytest.param(on("postgres", by_url), id="postgresql"),
    pytest.param(on("postgres", by_engine), id="postgresql engine"),
]
