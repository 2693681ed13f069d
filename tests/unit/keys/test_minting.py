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
from tests.support.ring_faults import BY_COUNT, BY_HAND, TTL, FaultyCustodian, FaultyRingStore, Start

SECOND = timedelta(seconds=1)
MANY = RotationPolicy(every=None, max_mints=100_000, previous_ttl=TTL, publish_ahead=timedelta(0))


async def acquire(provider: RotatingKeyProvider, count: int) -> Counter[str]:
    granted: Counter[str] = Counter()
    for _ in range(count):
        grant = await provider.acquire()
        granted[grant.key.kid] += grant.count
    return granted


async def mints(provider: RotatingKeyProvider) -> dict[str, int]:
    return {version.kid: version.mints for version in await provider.versions() if version.mints}


async def counted(store: FaultyRingStore) -> dict[str, int]:
    stored = await store.shared.load("default")
    assert stored is not None
    return dict(stored.mints)


class TestBlocks:
    @pytest.mark.parametrize("policy", [MANY, BY_HAND], ids=["cap", "no cap"])
    async def test_a_busy_process_asks_seldom(
        self, store: FaultyRingStore, start: Start, policy: RotationPolicy
    ) -> None:
        provider = start(store, policy)
        await acquire(provider, 10_000)
        assert store.calls["reserve"] < 30
        assert list((await mints(provider)).values()) == [10_000]

    async def test_a_quiet_process_sets_nothing_aside(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, MANY)
        await acquire(provider, 500)
        for _ in range(12):
            while await mints(provider) != await counted(store):
                await provider.acquire()
            clock.advance(11 * SECOND)
            await provider.acquire()
        assert await mints(provider) == await counted(store)

    async def test_a_crash_wastes_a_block_and_no_more(self, store: FaultyRingStore, start: Start) -> None:
        """The next process finds the count where the last one left it, never behind."""
        await acquire(start(store, MANY), 100)
        (used,) = (await mints(start(FaultyRingStore(store.shared), MANY))).values()
        assert 100 <= used <= 200

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
        assert (await provider.acquire(7000)).count == 1024

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

    async def test_a_new_version_is_opened_before_it_signs_on_credit(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        """Without the key there is nothing to sign with, so whoever comes first waits for it."""
        provider = start(store)
        await provider.acquire()
        store.fail("reserve")
        await acquire(provider, 3)
        active = await provider.rotate()
        store.heal()
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
