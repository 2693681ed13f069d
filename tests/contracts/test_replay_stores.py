"""Our own replay stores, accepted by joining this table and by nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mintkey.testing.contracts.replay_stores import ReplayStoreContract, ReplayStoreHarness
from tests.support.postgres import PostgresDatabase
from tests.support.replay_harness import MemoryReplayHarness, RedisReplayHarness
from tests.support.sql_harness import SQLReplayHarness


class TestMemoryReplayStore(ReplayStoreContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[ReplayStoreHarness]:
        async with MemoryReplayHarness() as harness:
            yield harness


class TestRedisReplayStore(ReplayStoreContract):
    @pytest.fixture(params=["valkey", "debian_redis"])
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[ReplayStoreHarness]:
        async with RedisReplayHarness(request.getfixturevalue(request.param)) as harness:
            yield harness


class TestSQLReplayStore(ReplayStoreContract):
    @pytest.fixture(params=[False, True], ids=["url", "engine"])
    async def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReplayStoreHarness]:
        async with SQLReplayHarness(tmp_path / "replay.db", is_foreign=request.param) as harness:
            yield harness


class TestPostgreSQLReplayStore(ReplayStoreContract):
    @pytest.fixture(params=[False, True], ids=["url", "engine"])
    async def harness(
        self, request: pytest.FixtureRequest, postgres: PostgresDatabase
    ) -> AsyncIterator[ReplayStoreHarness]:
        async with SQLReplayHarness(postgres, is_foreign=request.param) as harness:
            yield harness
