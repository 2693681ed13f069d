"""A clock, a store that fails on demand, and providers on it."""

from collections.abc import AsyncIterator

import pytest

from mintkey.keys.base import Algorithm
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, FaultyCustodian, FaultyRingStore, Start


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FaultyRingStore:
    return FaultyRingStore()


@pytest.fixture
def custodian() -> FaultyCustodian:
    return FaultyCustodian()


@pytest.fixture
async def start(clock: FakeClock) -> AsyncIterator[Start]:
    """Starts processes; each has its own store and custodian object if it is given one."""
    started: list[RotatingKeyProvider] = []

    def start(
        store: FaultyRingStore,
        policy: RotationPolicy = BY_HAND,
        *,
        custodian: KeyCustodian | None = None,
        algorithm: Algorithm = "EdDSA",
    ) -> RotatingKeyProvider:
        provider = RotatingKeyProvider(
            store, custodian=custodian or FaultyCustodian(), policy=policy, clock=clock, algorithm=algorithm
        )
        started.append(provider)
        return provider

    yield start
    for provider in started:
        await provider.aclose()
