"""A process that forked in the middle of minting: what it set aside is its own, and not its copy's as well."""

import asyncio
import os
from datetime import timedelta

import pytest

from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import TTL, FaultyCustodian, FaultyRingStore, counted

MANY = RotationPolicy(every=None, max_mints=2_000_000, previous_ttl=TTL, publish_ahead=timedelta(0))


def test_a_copy_neither_signs_with_it_nor_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FaultyRingStore()
    provider = RotatingKeyProvider(store, custodian=FaultyCustodian(), policy=MANY, clock=FakeClock())

    async def acquire(count: int) -> int:
        for _ in range(count):
            await provider.acquire()
        return await total()

    async def total() -> int:
        return sum((await counted(store)).values())

    async def leave() -> int:
        await provider.aclose()
        return await total()

    reserved = asyncio.run(acquire(100))
    assert reserved > 101
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert asyncio.run(acquire(1)) > reserved
    assert asyncio.run(leave()) == reserved + 1
