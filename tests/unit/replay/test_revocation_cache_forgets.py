"""A cache that was told of a revocation elsewhere asks again, whatever it knew and whatever is on its way."""

import asyncio
from datetime import timedelta

import pytest

from mintkey.replay import ClaimStatus, Look, MemoryReplayStore, RevocationCache
from mintkey.testing import FakeClock

LIFETIME = timedelta(minutes=10)
PATIENCE = 5
"""Seconds after which it hangs."""


class Store(MemoryReplayStore):
    """Counts looks, and holds answers back for as long as it is told to."""

    def __init__(self, clock):
        super().__init__(clock=clock, fence=False)
        self.looks = 0
        self.was_asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def look(self, key, cut_off, /, *, issued_at):
        self.looks += 1
        found = await super().look(key, cut_off, issued_at=issued_at)
        self.was_asked.set()
        await self.open.wait()
        return found


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return Store(clock)


@pytest.fixture
def cache(store, clock):
    return RevocationCache(store, max_age=timedelta(minutes=1), clock=clock)


async def test_everything_is_asked_again(cache, store, clock):
    now = clock.now()
    for _ in range(3):
        assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.UNUSED, None)
    assert store.looks == 1
    cache.forget()
    await store.revoke("token", expires_at=now + LIFETIME)
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.REVOKED, None)
    assert store.looks == 2


async def test_an_answer_that_was_on_its_way_is_not_kept(cache, store, clock):
    """It may be from before the revocation that somebody told of."""
    now = clock.now()
    store.open.clear()
    looking = asyncio.create_task(cache.look("token", "subject", issued_at=now))
    asked = asyncio.create_task(store.was_asked.wait())
    # A look that ends before the store was asked is a failure of this test, and nothing to wait for.
    await asyncio.wait((looking, asked), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    assert asked.done()
    await store.revoke("token", expires_at=now + LIFETIME)
    cache.forget()
    store.open.set()
    assert await looking == Look(ClaimStatus.UNUSED, None)
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.REVOKED, None)
