"""Counting mints: nothing is signed below a cap that the store did not count before."""

from collections import Counter
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import (
    BY_COUNT,
    BY_HAND,
    TTL,
    FaultyCustodian,
    FaultyRingStore,
    FourCalls,
    Start,
    counted,
)

SECOND = timedelta(seconds=1)
SOME = RotationPolicy(every=None, max_mints=6400, previous_ttl=TTL, publish_ahead=timedelta(0))
MANY = RotationPolicy(every=None, max_mints=2_000_000, previous_ttl=TTL, publish_ahead=timedelta(0))


async def acquire(provider: RotatingKeyProvider, count: int) -> Counter[str]:
    granted: Counter[str] = Counter()
    for _ in range(count):
        grant = await provider.acquire()
        granted[grant.key.kid] += grant.count
    return granted


async def mints(provider: RotatingKeyProvider) -> dict[str, int]:
    return {version.kid: version.mints for version in await provider.versions() if version.mints}


class TestBlocks:
    @pytest.mark.parametrize("policy", [MANY, BY_HAND], ids=["cap", "no cap"])
    async def test_a_busy_process_asks_seldom(
        self, store: FaultyRingStore, start: Start, policy: RotationPolicy
    ) -> None:
        provider = start(store, policy)
        await acquire(provider, 10_000)
        assert store.calls["reserve"] < 15
        assert list((await mints(provider)).values()) == [10_000]

    async def test_a_quiet_process_sets_next_to_nothing_aside(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, MANY)
        await acquire(provider, 100)
        assert await set_aside(provider, store) > 100
        for _ in range(1000):
            clock.advance(200 * SECOND)
            await provider.acquire()
        assert await set_aside(provider, store) <= 3

    async def test_a_crash_wastes_a_block_and_no_more(self, store: FaultyRingStore, start: Start) -> None:
        """The next process finds the count where the last one left it, never behind."""
        await acquire(start(store, MANY), 100)
        (used,) = (await mints(start(FaultyRingStore(store.shared), MANY))).values()
        assert 100 <= used <= 1500

    async def test_what_many_wait_for_comes_in_one_go(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, MANY)
        async with anyio.create_task_group() as tasks:
            for _ in range(300):
                tasks.start_soon(provider.acquire)
        assert store.calls["reserve"] <= 2
        assert list((await mints(provider)).values()) == [300]

    async def test_one_who_wants_many_gets_many(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, MANY)
        assert (await provider.acquire(700)).count == 700
        assert (await provider.acquire(70_000)).count == 16_384

    async def test_what_is_left_when_a_version_retires_was_not_minted(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store)
        first = await acquire(provider, 9)
        await provider.rotate()
        second = await acquire(provider, 2)
        assert await mints(provider) == dict(first + second)
        assert sum((await counted(store)).values()) > 11

    async def test_what_was_granted_while_another_version_took_over_was_not_minted(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, BY_COUNT)
        await acquire(provider, 1)
        store.hang("reserve")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.acquire)
            await anyio.wait_all_tasks_blocked()
            active = await provider.rotate()
            store.release()
        assert [version.mints for version in await provider.versions()] == [0, 1, 1]
        assert (await provider.acquire()).key.kid == active.kid


class TestAheadOfNeed:
    """A block lasts for many mints, and the next one is there before it is used up."""

    async def test_a_busy_caller_never_waits_for_a_block(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, SOME)
        await grow(provider, store)
        store.hang("reserve")
        left = await set_aside(provider, store)
        with anyio.fail_after(5):
            await acquire(provider, left)
            await anyio.wait_all_tasks_blocked()
        assert store.calls["reserve"] == 1
        store.release()
        await anyio.wait_all_tasks_blocked()
        assert await set_aside(provider, store) > 0

    async def test_a_store_that_is_away_is_asked_once_more_when_nothing_is_left(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, SOME)
        await grow(provider, store)
        store.fail("reserve")
        left = await set_aside(provider, store)
        await acquire(provider, left)
        await anyio.wait_all_tasks_blocked()
        assert store.calls["reserve"] == 1
        with pytest.raises(KeyProviderError):
            await provider.acquire()
        assert store.calls["reserve"] == 2

    async def test_a_version_that_is_used_up_is_signed_with_to_the_end(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        """Nothing more is granted, but what was set aside is good: no rotation before it is gone."""
        provider = start(store, SOME)
        await grow(provider, store)
        kid = (await provider.acquire()).key.kid
        left = await set_aside(provider, store)
        await store.shared.reserve("default", kid, want=6400, limit=6400)
        kids = set()
        for _ in range(left):
            kids.add((await provider.acquire()).key.kid)
            await anyio.wait_all_tasks_blocked()
        assert kids == {kid}
        assert (await provider.acquire()).key.kid != kid

    async def test_a_small_block_is_used_up_first(self, store: FaultyRingStore, start: Start) -> None:
        """A quiet process would otherwise always hold twice what it needs."""
        provider = start(store, SOME)
        await provider.acquire()
        await anyio.wait_all_tasks_blocked()
        assert store.calls["reserve"] == 1
        assert await mints(provider) == await counted(store)

    async def test_counts_wait_for_a_block_that_is_on_its_way(self, store: FaultyRingStore, start: Start) -> None:
        """The store has counted it, or not yet: in between they would be wrong either way."""
        provider = start(store, SOME)
        await grow(provider, store)
        minted = sum((await mints(provider)).values())
        store.hang("reserve")
        left = await set_aside(provider, store)
        await acquire(provider, left)
        seen: list[int] = []

        async def look() -> None:
            seen.append(sum((await mints(provider)).values()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await anyio.wait_all_tasks_blocked()
            store.release()
        assert seen == [minted + left]

    async def test_counts_do_not_wait_for_a_store_that_hangs(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, SOME)
        await grow(provider, store)
        store.hang("reserve")
        await acquire(provider, await set_aside(provider, store))
        with anyio.fail_after(5):
            await provider.versions()
        store.release()


class TestGivingBack:
    """Whoever ends in order wastes nothing."""

    @pytest.mark.parametrize("policy", [MANY, BY_HAND], ids=["cap", "no cap"])
    async def test_at_the_end(self, store: FaultyRingStore, start: Start, policy: RotationPolicy) -> None:
        provider = start(store, policy)
        await acquire(provider, 100)
        assert sum((await counted(store)).values()) > 100
        await provider.aclose()
        assert list((await counted(store)).values()) == [100]
        assert list((await mints(start(FaultyRingStore(store.shared), policy))).values()) == [100]

    async def test_when_a_version_stops_signing(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        first = await acquire(provider, 9)
        await provider.rotate()
        await acquire(provider, 1)
        await provider.maintain()
        (kid,) = first
        assert (await counted(store))[kid] == 9
        assert (await mints(provider))[kid] == 9

    async def test_nobody_takes_it_for_a_lost_count(self, store: FaultyRingStore, start: Start) -> None:
        """A count that falls means that a store forgot, unless it says that something came back."""
        here, there = start(store, MANY), start(FaultyRingStore(store.shared), MANY)
        await acquire(here, 100)
        kid = (await there.acquire()).key.kid
        await there.versions()
        await here.aclose()
        await there.versions()
        assert (await there.acquire()).key.kid == kid

    async def test_the_cap_holds(self, store: FaultyRingStore, start: Start) -> None:
        granted: Counter[str] = Counter()
        policy = RotationPolicy(every=None, max_mints=500, previous_ttl=TTL, publish_ahead=timedelta(0))
        for number in range(20):
            provider = start(FaultyRingStore(store.shared), policy)
            granted += await acquire(provider, 60 + number)
            await provider.aclose()
        assert max(granted.values()) == 500
        assert sum(granted.values()) == 1390

    async def test_once_even_if_nobody_knows_what_became_of_it(self, store: FaultyRingStore, start: Start) -> None:
        """Given back twice it could be granted twice: rather it is wasted."""
        provider = start(store)
        await acquire(provider, 9)
        await provider.rotate()
        await acquire(provider, 1)
        store.fail("give_back")
        await provider.maintain()
        store.heal()
        store.calls.clear()
        await provider.maintain()
        assert store.calls["give_back"] == 0
        assert sum((await counted(store)).values()) > 10

    async def test_keeps_nobody_from_minting(self, store: FaultyRingStore, start: Start) -> None:
        """It can wait: whoever wants a mint neither waits for it nor hears of its troubles."""
        provider = start(store, SOME)
        await acquire(provider, 9)
        await provider.rotate()
        await acquire(provider, 1)
        store.fail("give_back")
        store.calls.clear()
        assert sum((await acquire(provider, 400)).values()) == 400
        assert store.calls["reserve"] > 1
        assert store.calls["give_back"] == 0

    async def test_a_store_that_takes_nothing_back_wastes_it(self, store: FaultyRingStore) -> None:
        provider = RotatingKeyProvider(FourCalls(store), custodian=FaultyCustodian(), policy=BY_HAND)
        await acquire(provider, 9)
        await provider.rotate()
        await acquire(provider, 1)
        await provider.maintain()
        assert sorted((await mints(provider)).values()) == [1, 9]
        await provider.aclose()
        assert sum((await counted(store)).values()) > 10

    async def test_a_store_that_is_away_at_the_end_keeps_it(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, MANY)
        await acquire(provider, 100)
        store.fail()
        await provider.aclose()
        assert sum((await counted(store)).values()) > 100


async def grow(provider: RotatingKeyProvider, store: FaultyRingStore) -> None:
    """Mint until blocks are large and one of them has just begun."""
    await acquire(provider, 400)
    await anyio.wait_all_tasks_blocked()
    store.calls.clear()


async def set_aside(provider: RotatingKeyProvider, store: FaultyRingStore) -> int:
    """What the process holds unused."""
    return sum((await counted(store)).values()) - sum((await mints(provider)).values())


class TestCap:
    async def test_holds_when_processes_come_and_go(self, store: FaultyRingStore, start: Start) -> None:
        granted: Counter[str] = Counter()
        for number in range(12):
            granted += await acquire(start(FaultyRingStore(store.shared), BY_COUNT), 1 + number % 3)
        assert max(granted.values()) <= 7

    async def test_without_a_store_nothing_is_granted_beyond_the_block(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, MANY)
        await acquire(provider, 70)
        left = sum((await counted(store)).values()) - 70
        assert left > 0
        store.fail()
        await acquire(provider, left)
        with pytest.raises(KeyProviderError) as raised:
            await provider.acquire()
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        store.heal()
        await acquire(provider, 1)

    async def test_a_cancelled_caller_wastes_nothing(self, store: FaultyRingStore, start: Start) -> None:
        """What was reserved for it is there for the next one."""
        provider = start(store, BY_COUNT)
        await provider.versions()
        store.hang("reserve")
        with anyio.move_on_after(0.01):
            await provider.acquire()
        store.release()
        assert list((await acquire(provider, 7)).values()) == [7]

    async def test_others_who_are_always_faster_are_a_conflict(self, store: FaultyRingStore, start: Start) -> None:
        class Greedy(FaultyRingStore):
            async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
                await self.shared.reserve(ring, kid, want=limit, limit=limit)
                return await self.shared.reserve(ring, kid, want=want, limit=limit)

        with pytest.raises(KeyProviderError) as raised:
            await start(Greedy(store.shared), BY_COUNT).acquire()
        assert raised.value.reason is Reason.ROTATION_CONFLICT

    async def test_of_a_pinned_version_needs_the_store(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, BY_COUNT)
        pending = (await provider.versions())[0].kid
        store.fail("reserve")
        with pytest.raises(KeyProviderError) as raised:
            await provider.acquire(kid=pending)
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE

    async def test_of_a_pinned_version_includes_what_was_set_aside_for_it(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, BY_COUNT)
        kid = (await provider.acquire()).key.kid
        assert [(await provider.acquire(kid=kid)).count for _ in range(6)] == [1] * 6
        with pytest.raises(KeyProviderError) as raised:
            await provider.acquire(kid=kid)
        assert raised.value.reason is Reason.KEY_EXHAUSTED


class TestWithoutCap:
    """Nothing depends on the count, so nobody is refused for want of it."""

    async def test_signing_goes_on_without_a_store_and_is_counted_later(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        await acquire(provider, 5)
        store.fail()
        await acquire(provider, 50)
        assert list((await mints(provider)).values()) == [55]
        store.heal()
        clock.advance(SECOND)
        await acquire(provider, 5)
        await provider.maintain()
        assert list((await mints(provider)).values()) == [60]
        assert sum((await counted(store)).values()) >= 60

    async def test_what_was_not_counted_is_counted_at_the_end(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        await acquire(provider, 1)
        store.fail("reserve")
        await acquire(provider, 20)
        store.heal()
        await provider.aclose()
        assert sum((await counted(store)).values()) == 21

    async def test_a_store_that_is_away_is_asked_once_a_second(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        await acquire(provider, 1)
        store.fail("reserve")
        store.calls.clear()
        for _ in range(5):
            for _ in range(20):
                await provider.acquire()
                await anyio.lowlevel.checkpoint()
            clock.advance(SECOND)
        assert store.calls["reserve"] == 5

    async def test_nobody_waits_long_for_a_store_that_hangs(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        kid = (await provider.acquire()).key.kid
        store.hang("reserve")
        with anyio.fail_after(2):
            assert (await provider.acquire()).key.kid == kid
        store.release()
        while await mints(provider) != {kid: 2}:
            await anyio.lowlevel.checkpoint()

    async def test_a_key_that_nobody_opened_yet_is_waited_for(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        provider = start(store, custodian=custodian)
        await provider.versions()
        store.fail("reserve")
        custodian.broken = {"open"}
        with pytest.raises(KeyProviderError):
            await provider.acquire()
        custodian.broken = set()
        await acquire(provider, 1)

    async def test_a_version_that_took_over_while_the_store_was_away_signs_on_credit_at_once(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        """Also if nobody opened it so far."""
        provider = start(store)
        await provider.acquire()
        store.fail("reserve")
        await acquire(provider, 3)
        active = await provider.rotate()
        assert await acquire(provider, 3) == {active.kid: 3}

    async def test_a_custodian_that_is_away_is_no_matter_of_counting(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        provider = start(store, custodian=custodian)
        await provider.acquire()
        store.fail("reserve")
        await acquire(provider, 3)
        custodian.broken = {"open"}
        store.heal()
        await provider.rotate()
        with pytest.raises(KeyProviderError, match="custodian is away"):
            await provider.acquire()

    async def test_a_pinned_version_signs_on_credit_too(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        pending = (await provider.versions())[0].kid
        store.fail("reserve")
        assert (await provider.acquire(3, kid=pending)).count == 3
        assert await mints(provider) == {pending: 3}

    async def test_what_cannot_be_settled_stays_owed(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        pending = (await provider.versions())[0].kid
        store.fail("reserve")
        await provider.acquire(3, kid=pending)
        await provider.maintain()
        assert await mints(provider) == {pending: 3}
        store.heal()
        await provider.maintain()
        assert await counted(store) == {pending: 3}
        assert await mints(provider) == {pending: 3}


async def test_tallies_go_with_their_versions(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    """A process that rotates for years does not grow."""
    provider = start(store)
    for _ in range(10):
        await acquire(provider, 3)
        await provider.rotate()
        clock.advance(TTL)
        await provider.prune()
    await acquire(provider, 1)
    assert len(provider._mints._tallies) <= 2
