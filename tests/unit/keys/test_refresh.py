"""How old a process's view of the ring may become, and who waits for a newer one."""

from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import KeyNotFoundError, KeyProviderError, KeyRevokedError, Reason
from mintkey.keys import refresh
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ring import TOMBSTONES
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, TTL, FaultyCustodian, FaultyRingStore, Start

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def settle() -> None:
    """Let what runs behind the callers run."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def kid_of(provider: RotatingKeyProvider) -> str:
    return (await provider.acquire()).key.kid


async def cut_off(
    store: FaultyRingStore, start: Start, clock: FakeClock, *, since: timedelta
) -> tuple[RotatingKeyProvider, str]:
    """A provider that was told that its store is away, for longer than is safe, and the kid that it knows."""
    provider = start(store)
    kid = await kid_of(provider)
    store.fail()
    clock.advance(since)
    with pytest.raises(KeyProviderError):
        await provider.resolve(kid)
    store.heal()
    return provider, kid


class TestKnownKid:
    async def test_costs_nothing_while_the_snapshot_is_young(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.calls.clear()
        clock.advance(2.4 * SECOND)
        for _ in range(50):
            await provider.resolve(kid)
        assert not store.calls

    async def test_is_looked_up_behind_the_caller_in_time(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """From half the interval on, once, and nobody waits."""
        provider = start(store)
        kid = await kid_of(provider)
        store.calls.clear()
        store.hang("load")
        clock.advance(2.6 * SECOND)
        for _ in range(50):
            assert (await provider.resolve(kid)).kid == kid
        await settle()
        assert store.calls == {"load": 1}
        store.release()

    async def test_waits_for_a_look_if_nobody_looked_for_long(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """An idle process does not answer from what it knew last week."""
        provider = start(store)
        kid = await kid_of(provider)
        await start(FaultyRingStore(store.shared)).revoke(kid)
        clock.advance(timedelta(days=7))
        with pytest.raises(KeyNotFoundError) as raised:
            await provider.resolve(kid)
        assert raised.value.reason is Reason.KEY_REVOKED

    async def test_waits_half_a_second_at_most(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.hang("load")
        clock.advance(5 * SECOND)
        with anyio.fail_after(2):
            assert (await provider.resolve(kid)).kid == kid
        store.release()

    async def test_waits_for_nobody_who_was_waited_for_in_vain(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.hang("load")
        clock.advance(5 * SECOND)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.resolve, kid)
            await anyio.wait_all_tasks_blocked()
            clock.advance(SECOND)
            with anyio.fail_after(0.3):
                for _ in range(20):
                    assert (await provider.resolve(kid)).kid == kid
            store.release()

    async def test_waits_for_the_whole_look_if_there_is_nothing_safe_without_it(
        self, store: FaultyRingStore, start: Start, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that wakes up beside a slow store is none that was cut off."""
        monkeypatch.setattr(refresh, "_PATIENCE", 0)
        provider = start(store)
        kid = await kid_of(provider)
        store.hang("load")
        clock.advance(10 * MINUTE)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(provider.resolve, kid)
            await anyio.wait_all_tasks_blocked()
            store.release()

    async def test_waits_no_longer_than_ever_if_a_look_failed_lately(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """However many ask while a store is away for longer than is safe: they are told soon."""
        provider, kid = await cut_off(store, start, clock, since=10 * MINUTE)
        store.hang("load")
        with anyio.fail_after(2), pytest.raises(KeyProviderError) as raised:
            await provider.resolve(kid)
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        store.release()


class TestOutage:
    async def test_work_goes_on_from_what_is_known(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.fail()
        for _ in range(59):
            clock.advance(10 * SECOND)
            assert await kid_of(provider) == kid
            assert (await provider.resolve(kid)).kid == kid
            assert [v.kid for v in await provider.versions()][-1] == kid
            assert (await provider.jwks()).as_dict()["keys"]

    async def test_ends_what_is_safe_after_a_while(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """Then it is an error of the infrastructure: nobody is told that a good token is bad."""
        provider = start(store)
        kid = await kid_of(provider)
        store.fail()
        clock.advance(10 * MINUTE)
        for call in (
            provider.acquire,
            provider.versions,
            provider.jwks,
            provider.rotate,
            lambda: provider.resolve(kid),
        ):
            with pytest.raises(KeyProviderError) as raised:
                await call()
            assert raised.value.reason is Reason.KEYS_UNAVAILABLE
            assert raised.value.retryable

    async def test_is_over_as_soon_as_the_store_is_back(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider, kid = await cut_off(store, start, clock, since=20 * MINUTE)
        assert (await provider.resolve(kid)).kid == kid
        assert await kid_of(provider) == kid

    async def test_is_tried_once_a_second(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.fail("load")
        clock.advance(5 * SECOND)
        store.calls.clear()
        for _ in range(10):
            for _ in range(20):
                await provider.resolve(kid)
                await settle()
            clock.advance(SECOND)
        assert store.calls["load"] == 10

    async def test_of_long_ago_is_no_excuse_for_what_is_old(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """A process that was idle since a look failed looks again before it answers."""
        provider, operator = start(store), start(FaultyRingStore(store.shared))
        kid = await kid_of(provider)
        store.fail()
        clock.advance(3 * SECOND)
        await provider.resolve(kid)
        await settle()
        store.heal()
        await operator.revoke(kid)
        clock.advance(9 * MINUTE)
        with pytest.raises(KeyRevokedError):
            await provider.resolve(kid)

    async def test_before_there_was_anything_is_an_error_at_once(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        store.fail()
        for call in (provider.acquire, provider.versions, provider.jwks, lambda: provider.resolve("unknown")):
            with pytest.raises(KeyProviderError):
                await call()
        store.heal()
        assert (await provider.acquire()).count == 1

    async def test_a_driver_error_of_a_foreign_store_is_ours(self, store: FaultyRingStore, start: Start) -> None:
        store.fail()
        store.error = ConnectionError("redis://:password@host")
        with pytest.raises(KeyProviderError) as raised:
            await start(store).acquire()
        assert "password" not in str(raised.value)

    async def test_a_document_that_cannot_be_read_is_an_outage_and_stays(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """It is never replaced: it may be the only copy of keys whose tokens are out."""
        provider = start(store)
        kid = await kid_of(provider)
        await store.shared.compare_and_swap("default", expected=1, document=b"damaged")
        with pytest.raises(KeyProviderError, match="'default'"):
            await start(FaultyRingStore(store.shared)).acquire()
        clock.advance(6 * SECOND)
        assert (await provider.resolve(kid)).kid == kid
        with pytest.raises(KeyProviderError, match="'default'"):
            await provider.rotate()
        stored = await store.load("default")
        assert stored is not None
        assert stored.document == b"damaged"

    async def test_a_retired_version_is_refused_meanwhile_too(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """Whatever a cached snapshot holds."""
        provider = start(store)
        kid = await kid_of(provider)
        await provider.rotate()
        clock.advance(TTL - MINUTE)
        await provider.versions()
        store.fail()
        clock.advance(MINUTE)
        with pytest.raises(KeyNotFoundError) as raised:
            await provider.resolve(kid)
        assert raised.value.reason is Reason.KEY_RETIRED


class TestUnknownKid:
    async def test_a_flood_causes_one_look_a_second(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.calls.clear()
        for second in range(2):
            for number in range(500):
                with pytest.raises(KeyNotFoundError) as raised:
                    await provider.resolve(f"random-{second}-{number}")
                assert raised.value.reason is Reason.KEY_UNKNOWN
            assert (await provider.resolve(kid)).kid == kid
            assert store.calls == {"load": second + 1}
            clock.advance(SECOND)

    async def test_what_no_kid_can_look_like_is_not_worth_a_look(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        for kid in ("", "../../etc", "x" * 129, "a\n"):
            with pytest.raises(KeyNotFoundError):
                await provider.resolve(kid)
        assert not store.calls

    async def test_a_flood_against_a_hanging_store_does_not_hold_up_known_kids(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.hang("load")

        async def unknown(number: int) -> None:
            with pytest.raises(KeyNotFoundError):
                await provider.resolve(f"random-{number}")

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(unknown, number)
            await anyio.wait_all_tasks_blocked()
            store.calls.clear()
            with anyio.fail_after(0.3):
                for _ in range(100):
                    assert (await provider.resolve(kid)).kid == kid
            store.release()
        assert store.calls["load"] == 0

    async def test_during_an_outage_is_not_a_bad_token(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """Neither for the one who looked nor for those who may not look again yet."""
        provider = start(store)
        await provider.acquire()
        store.fail("load")
        for _ in range(3):
            with pytest.raises(KeyProviderError) as raised:
                await provider.resolve("unknown")
            assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        store.heal()
        clock.advance(SECOND)
        with pytest.raises(KeyNotFoundError):
            await provider.resolve("unknown")

    async def test_that_was_made_meanwhile_can_be_pinned(self, store: FaultyRingStore, start: Start) -> None:
        here, there = start(store), start(FaultyRingStore(store.shared))
        await there.acquire()
        await here.rotate()
        pending = (await here.versions())[0].kid
        assert (await there.acquire(kid=pending)).key.kid == pending


class TestFallingBehind:
    async def test_a_long_absence_loses_nothing(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        """After so many rotations nobody remembers our versions; they were not lost, they went."""
        asleep, busy = start(store), start(FaultyRingStore(store.shared))
        old = {version.kid for version in await asleep.versions()}
        for number in range(TOMBSTONES + 4):
            await busy.rotate()
            if number % 20 == 0:
                clock.advance(TTL)
                await busy.prune()
        clock.advance(TTL)
        await busy.prune()
        before = [version.kid for version in await busy.versions()]
        store.calls.clear()
        assert [version.kid for version in await asleep.versions()] == before
        assert store.calls["compare_and_swap"] == 0
        assert not old & set(before)


async def test_a_hurried_clock_elsewhere_does_not_stop_us(
    store: FaultyRingStore, custodian: FaultyCustodian, start: Start
) -> None:
    """A ring whose times lie ahead of our clock has an active version all the same."""
    ahead = FakeClock()
    ahead.advance(4 * SECOND)
    hurried = RotatingKeyProvider(store, custodian=custodian, policy=HOURLY, clock=ahead)
    kid = (await hurried.acquire()).key.kid
    late = start(FaultyRingStore(store.shared), BY_HAND)
    assert (await late.acquire()).key.kid == kid
    assert [str(version.state) for version in await late.versions()] == ["pending", "active"]
    await hurried.aclose()
