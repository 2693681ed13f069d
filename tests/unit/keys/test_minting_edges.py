"""Counting mints where something comes late, twice, or not at all."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_COUNT, BY_HAND, FaultyCustodian, FaultyRingStore, Start, counted

SECOND = timedelta(seconds=1)


async def shown(provider: RotatingKeyProvider) -> dict[str, int]:
    return {version.kid: version.mints for version in await provider.versions()}


async def test_others_who_are_always_faster_are_counted(store: FaultyRingStore, start: Start) -> None:
    class Greedy(FaultyRingStore):
        async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
            await self.shared.reserve(ring, kid, want=limit, limit=limit)
            return await self.shared.reserve(ring, kid, want=want, limit=limit)

    with pytest.raises(KeyProviderError) as caught:
        await start(Greedy(store.shared), BY_COUNT).acquire()
    assert (caught.value.reason, caught.value.details) == (Reason.ROTATION_CONFLICT, {"tries": 16})


def test_event_loops_of_the_same_process_are_no_others(custodian: FaultyCustodian) -> None:
    """However often they use up what one of them waits for: each of them wants a number of mints, and this ends."""

    class Unlucky(FaultyRingStore):
        """Whenever the first loop asks for mints, another one has just taken all that were left."""

        others, loop = 40, asyncio.new_event_loop()

        async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
            if asyncio.get_running_loop() is self.loop and self.others:
                self.others -= 1
                await asyncio.to_thread(asyncio.run, self.take_all())
            return await super().reserve(ring, kid, want=want, limit=limit)

        async def take_all(self) -> None:
            assert (await provider.acquire(7)).count == 7

    store = Unlucky()
    provider = RotatingKeyProvider(store, custodian=custodian, policy=BY_COUNT, clock=FakeClock())
    try:
        grant = store.loop.run_until_complete(provider.acquire())
        assert (grant.count, store.others) == (1, 0)
        store.loop.run_until_complete(provider.aclose())
    finally:
        store.loop.close()


async def test_what_is_owed_of_each_version_is_paid(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    """Those of which nothing is owed stand in nobody's way."""
    provider = start(store, BY_HAND)
    first = (await provider.acquire()).key.kid
    await provider.rotate()
    second = (await provider.acquire()).key.kid
    store.fail("reserve")
    clock.advance(10 * SECOND)
    for _ in range(20):
        await provider.acquire()
        clock.advance(SECOND)
    store.heal()
    await provider.aclose()
    assert await counted(store) == {first: 1, second: 21}


async def test_what_was_given_back_shows_at_once_and_leaves_room(store: FaultyRingStore, start: Start) -> None:
    provider = start(store, BY_HAND)
    for _ in range(50):
        await provider.acquire()
    kid = (await provider.acquire()).key.kid
    await provider.rotate()
    await provider.acquire()
    await provider.maintain()
    assert (await shown(provider))[kid] == 51
    assert (await counted(store))[kid] == 51


async def test_what_was_given_back_is_known_though_the_store_went_away_since(
    store: FaultyRingStore, start: Start
) -> None:
    provider = start(store, BY_HAND)
    for _ in range(50):
        await provider.acquire()
    kid = (await provider.acquire()).key.kid
    await provider.rotate()
    await provider.acquire()
    await provider.maintain()
    assert store.calls["give_back"] == 1
    store.fail("load")
    assert (await shown(provider))[kid] == 51


async def test_mints_are_told_by_what_is_known_while_the_store_is_away(store: FaultyRingStore, start: Start) -> None:
    """Looks in between count nothing twice."""
    provider = start(store, BY_HAND)
    kid = (await provider.acquire()).key.kid
    for _ in range(3):
        for _ in range(300):
            await provider.acquire()
        await provider.versions()
    for _ in range(300):
        await provider.acquire()
    store.fail("load")
    assert (await shown(provider))[kid] == 1201


async def test_next_to_nothing_is_set_aside_close_to_the_cap(store: FaultyRingStore, start: Start) -> None:
    provider = start(store, replace(BY_HAND, max_mints=1000))
    kid = (await provider.acquire()).key.kid
    for _ in range(979):
        await provider.acquire()
    assert 980 <= (await counted(store))[kid] <= 981


async def test_what_could_not_be_given_back_at_the_end_is_wasted(store: FaultyRingStore, start: Start) -> None:
    """Nobody knows whether it was: given back a second time, others could be granted it twice."""
    provider = start(store, BY_HAND)
    for _ in range(50):
        await provider.acquire()
    store.fail("give_back")
    await provider.aclose()
    asked = store.calls["give_back"]
    assert asked == 1
    store.heal()
    await provider.acquire()
    await provider.maintain()
    assert store.calls["give_back"] == asked


async def test_after_closing_nothing_is_counted_twice(store: FaultyRingStore, start: Start) -> None:
    provider = start(store, BY_HAND)
    kid = (await provider.acquire(5)).key.kid
    store.fail("give_back", "reserve")
    await provider.aclose()
    store.heal()
    await provider.acquire()
    await provider.aclose()
    assert (await counted(store))[kid] >= 6
    assert await shown(start(FaultyRingStore(store.shared), BY_HAND)) == {
        **dict.fromkeys(await shown(provider), 0),
        kid: (await counted(store))[kid],
    }


async def test_a_store_that_is_back_counts_every_mint_before_it_is_granted(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    provider = start(store, BY_HAND)
    await provider.acquire()
    store.fail("reserve")
    kid = (await provider.acquire()).key.kid
    store.heal()
    clock.advance(SECOND)
    await provider.acquire()
    await anyio.wait_all_tasks_blocked()
    minted = 3
    for _ in range(5):
        minted += (await provider.acquire(50_000)).count
        assert (await counted(store))[kid] >= minted


async def test_a_store_that_lost_the_ring_is_looked_at_only_if_it_grants_nothing(
    store: FaultyRingStore, start: Start
) -> None:
    provider = start(store, BY_HAND)
    await provider.acquire()
    loads = store.calls["load"]
    for _ in range(100):
        await provider.acquire()
    assert store.calls["load"] == loads
