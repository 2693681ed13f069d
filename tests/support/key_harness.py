"""The backends of the key room, one table each: joining one is how a backend is accepted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mintkey.clock import Clock
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.contracts.providers import ContractProvider, KeyProviderHarness
from mintkey.testing.contracts.ring_stores import RingStoreHarness
from tests.support.file_harness import file, sealed_file
from tests.support.redis_ring_harness import redis_ring
from tests.support.ring_faults import FourCalls
from tests.support.sql_harness import postgresql, postgresql_engine, sqlite, sqlite_engine
from tests.support.tables import Open, on

OpenStores = Open[RingStoreHarness]
OpenProviders = Open[KeyProviderHarness]


@dataclass
class MemoryHarness:
    """Everything in one store, as the processes of a fleet would share theirs."""

    shared: MemoryKeyRingStore

    def store(self) -> KeyRingStore:
        return self.shared

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        return MemoryKeyProvider(clock=clock, policy=policy, store=self.shared)

    async def lose_ring(self) -> None:
        self.shared.forget("default")


@asynccontextmanager
async def memory(_directory: Path) -> AsyncIterator[MemoryHarness]:
    yield MemoryHarness(MemoryKeyRingStore())


class PlainHarness(MemoryHarness):
    """Stores that can do what the port asks for and nothing else."""

    def store(self) -> KeyRingStore:
        return FourCalls(self.shared)


@asynccontextmanager
async def four_calls(_directory: Path) -> AsyncIterator[PlainHarness]:
    yield PlainHarness(MemoryKeyRingStore())


# One line a backend: an open harness, and the fixture that it stands on.
STORES = [
    pytest.param(on("tmp_path", memory), id="memory"),
    pytest.param(on("tmp_path", four_calls), id="four calls"),
    pytest.param(on("tmp_path", file), id="file"),
    pytest.param(on("tmp_path", sqlite), id="sqlite"),
    pytest.param(on("tmp_path", sqlite_engine), id="sqlite engine"),
    pytest.param(on("valkey", redis_ring), id="valkey"),
    pytest.param(on("debian_redis", redis_ring), id="debian redis"),
    pytest.param(on("redis_cluster", redis_ring), id="redis cluster"),
    pytest.param(on("redis_sentinel", redis_ring), id="redis sentinel"),
    pytest.param(on("postgres", postgresql), id="postgresql"),
    pytest.param(on("postgres", postgresql_engine), id="postgresql engine"),
]
PROVIDERS = [
    pytest.param(on("tmp_path", memory), id="memory"),
    pytest.param(on("tmp_path", file), id="file"),
    pytest.param(on("tmp_path", sealed_file), id="sealed file"),
    pytest.param(on("tmp_path", sqlite), id="sqlite"),
    pytest.param(on("valkey", redis_ring), id="valkey"),
    pytest.param(on("debian_redis", redis_ring), id="debian redis"),
    pytest.param(on("redis_cluster", redis_ring), id="redis cluster"),
    pytest.param(on("redis_sentinel", redis_ring), id="redis sentinel"),
    pytest.param(on("postgres", postgresql), id="postgresql"),
    pytest.param(on("postgres", postgresql_engine), id="postgresql engine"),
]
