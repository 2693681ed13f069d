"""Our own family stores, accepted by joining this table and by nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mintkey.testing.contracts.families import FamilyStoreContract
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.postgres import PostgresDatabase
from tests.support.replay_harness import MemoryReplayHarness, RedisReplayHarness
from tests.support.sql_harness import SQLReplayHarness


class TestMemoryFamilies(FamilyStoreContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[ReplayStoreHarness]:
        async with MemoryReplayHarness() as harness:
            yield harness


class TestSQLFamilies(FamilyStoreContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[ReplayStoreHarness]:
        async with SQLReplayHarness(tmp_path / "replay.db", is_foreign=False) as harness:
            yield harness


class TestPostgreSQLFamilies(FamilyStoreContract):
    @pytest.fixture
    async def harness(self, postgres: PostgresDatabase) -> AsyncIterator[ReplayStoreHarness]:
        async with SQLReplayHarness(postgres, is_foreign=False) as harness:
            yield harness


class TestRedisFamilies(FamilyStoreContract):
    @pytest.fixture(params=["valkey", "debian_redis"])
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[ReplayStoreHarness]:
        async with RedisReplayHarness(request.getfixturevalue(request.param)) as harness:
            yield harness
