"""Changing a ring by compare-and-swap, with keys made outside of it."""

from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, Reason
from mintkey.keys.base import Algorithm
from mintkey.keys.document import decode
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, TTL, FaultyCustodian, FaultyRingStore, Start, held

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def kids_in(store: FaultyRingStore) -> list[str]:
    return [version.kid for version in decode((await held(store)).document, ring="default").versions]


class TestLostRaces:
    async def test_are_tried_again_with_the_same_keys(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        store.losing = 5
        provider = start(store, custodian=custodian)
        await provider.acquire()
        assert store.calls["compare_and_swap"] == 6
        assert await kids_in(store) == custodian.created
        assert len(custodian.created) == 2

    async def test_in_a_row_are_a_conflict(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        await provider.acquire()
        store.losing = 1000
        with pytest.raises(KeyProviderError) as raised:
            await provider.rotate()
        assert raised.value.reason is Reason.ROTATION_CONFLICT
        assert store.losing > 900

    async def test_leave_keys_over_that_serve_the_next_time(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        """What a fleet makes at the same moment is not thrown away."""
        late = start(FaultyRingStore(store.shared), custodian=custodian)
        custodian.slow = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late.acquire)
            await anyio.wait_all_tasks_blocked()
            await start(store).acquire()
            custodian.slow.set()
        assert len(custodian.created) == 2
        await late.rotate()
        await late.rotate()
        assert (await kids_in(store))[-2:] == custodian.created
        assert len(custodian.created) == 2

    async def test_leave_keys_over_that_are_destroyed_at_the_end(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        """Somebody may have to pay for them."""
        provider = start(store, custodian=custodian)
        await provider.acquire()
        store.losing = 1000
        with pytest.raises(KeyProviderError):
            await provider.rotate()
        await provider.aclose()
        assert custodian.destroyed == custodian.created[2:]

    async def test_rotate_once_in_one_process(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        await provider.acquire()
        kids: set[str] = set()

        async def rotate() -> None:
            kids.add((await provider.rotate()).kid)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(rotate)
        assert len(kids) == 1
        assert len(await kids_in(store)) == 3


class TestUnknownOutcome:
    async def test_a_change_that_arrived_without_an_answer_is_found(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        """The same keys are not put into the ring a second time, and not destroyed."""

        class Deaf(FaultyRingStore):
            async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
                await self.shared.compare_and_swap(ring, expected=expected, document=document)
                raise KeyProviderError("connection lost")

        first = start(Deaf(store.shared), custodian=custodian)
        with pytest.raises(KeyProviderError):
            await first.acquire()
        assert (await first.acquire()).count == 1
        await first.aclose()
        assert await kids_in(store) == custodian.created
        assert not custodian.destroyed

    async def test_keys_that_may_be_in_the_ring_are_not_destroyed(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        provider = start(store, custodian=custodian)
        store.fail("compare_and_swap")
        for _ in range(3):
            with pytest.raises(KeyProviderError):
                await provider.acquire()
        await provider.aclose()
        assert len(custodian.created) == 2
        assert not custodian.destroyed


class TestOverdue:
    async def test_the_active_version_goes_on_until_the_store_is_back(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        first = (await provider.acquire()).key.kid
        store.fail("compare_and_swap")
        clock.advance(HOUR)
        for _ in range(20):
            assert (await provider.acquire()).key.kid == first
        assert store.calls["compare_and_swap"] == 2
        clock.advance(SECOND)
        await provider.acquire()
        assert store.calls["compare_and_swap"] == 3
        store.heal()
        clock.advance(SECOND)
        assert (await provider.acquire()).key.kid != first

    async def test_a_custodian_that_is_away_delays_rotation_too(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY, custodian=custodian)
        first = (await provider.acquire()).key.kid
        custodian.broken = {"create"}
        clock.advance(HOUR)
        assert (await provider.acquire()).key.kid == first
        custodian.broken = set()
        clock.advance(SECOND)
        assert (await provider.acquire()).key.kid != first

    async def test_nobody_waits_for_a_store_that_hangs(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """One caller gives a new try a moment, all others go on at once."""
        provider = start(store, HOURLY)
        first = (await provider.acquire(1)).key.kid
        store.fail("compare_and_swap")
        clock.advance(HOUR)
        await provider.acquire()
        store.heal()
        store.hang("compare_and_swap")
        clock.advance(SECOND)
        with anyio.fail_after(2):
            assert (await provider.acquire()).key.kid == first
        with anyio.fail_after(0.3):
            for _ in range(20):
                assert (await provider.acquire()).key.kid == first
        store.release()


class TestCustodian:
    async def test_that_is_slow_keeps_nobody_from_looking(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        """A key that takes long to make must not hide that another one was revoked meanwhile."""
        provider = start(store, custodian=custodian)
        kid = (await provider.acquire()).key.kid
        custodian.slow = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.rotate)
            await anyio.wait_all_tasks_blocked()
            await start(FaultyRingStore(store.shared)).revoke(kid)
            clock.advance(6 * SECOND)
            with pytest.raises(KeyNotFoundError):
                await provider.resolve(kid)
            custodian.slow.set()

    async def test_that_is_away_does_not_hide_a_revocation(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY, custodian=custodian)
        kid = (await provider.acquire()).key.kid
        custodian.broken = {"create", "open"}
        await start(FaultyRingStore(store.shared), HOURLY).revoke(kid)
        clock.advance(HOUR)
        await provider.maintain()
        with pytest.raises(KeyNotFoundError) as raised:
            await provider.resolve(kid)
        assert raised.value.reason is Reason.KEY_REVOKED

    async def test_that_cannot_do_the_algorithm_says_so(self, store: FaultyRingStore, start: Start) -> None:
        class EdwardsOnly(FaultyCustodian):
            async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
                raise ConfigurationError(f"this custodian has no {algorithm}")

        with pytest.raises(ConfigurationError, match="ES256"):
            await start(store, custodian=EdwardsOnly(), algorithm="ES256").acquire()

    async def test_that_does_not_open_the_key_is_an_error_for_those_who_sign(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        await start(store).acquire()
        provider = start(store, custodian=custodian)
        custodian.broken = {"open"}
        custodian.error = OSError("driver")
        with pytest.raises(KeyProviderError):
            await provider.acquire()
        kid = (await provider.versions())[-1].kid
        assert (await provider.resolve(kid)).kid == kid

    async def test_that_does_not_open_a_secret_leaves_the_others_usable(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        await start(store, algorithm="HS256").acquire()
        provider = start(store, algorithm="HS256", custodian=custodian)
        custodian.broken = {"open"}
        kid = (await provider.versions())[-1].kid
        with pytest.raises(KeyProviderError, match="opened") as raised:
            await provider.resolve(kid)
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        custodian.broken = set()
        clock.advance(6 * SECOND)
        assert (await provider.resolve(kid)).kid == kid

    async def test_opens_every_key_once(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, custodian=custodian)
        for _ in range(20):
            await provider.acquire()
            clock.advance(6 * SECOND)
        assert custodian.calls["open"] == 1


class TestDestruction:
    async def test_comes_with_pruning_and_never_earlier(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, custodian=custodian)
        retired = (await provider.acquire()).key.kid
        revoked = (await provider.rotate()).kid
        await provider.revoke(revoked)
        clock.advance(TTL - SECOND)
        await provider.maintain()
        assert not custodian.destroyed
        clock.advance(SECOND)
        store.fail("compare_and_swap")
        await provider.maintain()
        assert not custodian.destroyed
        store.heal()
        assert await provider.prune() == 2
        assert custodian.destroyed == [retired, revoked]

    async def test_that_failed_is_tried_again(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, custodian=custodian)
        gone = (await provider.acquire()).key.kid
        await provider.rotate()
        clock.advance(TTL)
        custodian.broken = {"destroy"}
        assert await provider.prune() == 1
        assert not custodian.destroyed
        custodian.broken = set()
        await provider.maintain()
        assert custodian.destroyed == [gone]

    async def test_is_done_by_the_process_that_pruned(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        custodians = [FaultyCustodian() for _ in range(5)]
        fleet = [start(FaultyRingStore(store.shared), custodian=each) for each in custodians]
        gone = (await fleet[0].acquire()).key.kid
        await fleet[0].rotate()
        clock.advance(TTL)
        async with anyio.create_task_group() as tasks:
            for provider in fleet:
                tasks.start_soon(provider.maintain)
        assert [kid for each in custodians for kid in each.destroyed] == [gone]


async def test_a_public_key_that_is_none_is_an_unreadable_ring(store: FaultyRingStore, start: Start) -> None:
    """Nor is one that belongs to another kid."""
    provider = start(store)
    await provider.acquire()
    stored = await store.load("default")
    assert stored is not None
    one, other = await kids_in(store)
    for revision, (old, new) in enumerate([('"x":"', '"x":"!'), (f'"kid":"{one}"', f'"kid":"{other[::-1]}"')], start=1):
        damaged = stored.document.replace(old.encode(), new.encode(), 1)
        assert await store.shared.compare_and_swap("default", expected=revision, document=damaged)
        with pytest.raises(KeyProviderError, match="'default'"):
            await start(FaultyRingStore(store.shared)).versions()


async def test_a_fleet_with_a_policy_each_still_has_one_ring(store: FaultyRingStore, start: Start) -> None:
    """A deployment that changes the policy step by step."""
    kids = set()
    for policy in (BY_HAND, HOURLY, RotationPolicy(max_mints=100, previous_ttl=TTL)):
        kids.add((await start(FaultyRingStore(store.shared), policy).acquire()).key.kid)
    assert len(kids) == 1


async def test_without_a_ring_nobody_signs(store: FaultyRingStore, start: Start) -> None:
    """What a refill that outlived its provider finds."""
    with pytest.raises(KeyProviderError, match="closed"):
        start(store)._keeper.signer()


async def test_rotating_what_nobody_began_begins_it(store: FaultyRingStore, start: Start) -> None:
    provider: RotatingKeyProvider = start(store)
    assert (await provider.rotate()).kid == (await kids_in(store))[0]
