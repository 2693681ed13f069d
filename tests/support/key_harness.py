"""The backends of the key room, one table each: joining one is how a backend is accepted."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mintkey.clock import Clock
from mintkey.keys.base import KeyRingStore
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.contracts.providers import ContractProvider, KeyProviderHarness
from mintkey.testing.contracts.ring_stores import RingStoreHarness
from tests.support.file_harness import file, sealed_file
from tests.support.sql_harness import sqlite, sqlite_engine

OpenStores = Callable[[Path], AbstractAsyncContextManager[RingStoreHarness]]
OpenProviders = Callable[[Path], AbstractAsyncContextManager[KeyProviderHarness]]


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


# One line a backend: a function from an empty directory to an open harness.
STORES = [
    pytest.param(memory, id="memory"),
    pytest.param(file, id="file"),
    pytest.param(sqlite, id="sqlite"),
    pytest.param(sqlite_engine, id="sqlite engine"),
]
PROVIDERS = [
    pytest.param(memory, id="memory"),
    pytest.param(file, id="file"),
    pytest.param(sealed_file, id="sealed file"),
    pytest.param(sqlite, id="sqlite"),
]
