"""The rotating provider to the instant: when it looks, whom it asks, and what an error says."""

import logging
from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_COUNT, BY_HAND, HOURLY, TTL, FaultyCustodian, FaultyRingStore, Start

FRESH = timedelta(seconds=2.5)  # half of the default interval
INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


async def kid_of(provider: RotatingKeyProvider) -> str:
    return (await provider.acquire()).key.kid


async def set_aside(provider: RotatingKeyProvider) -> str:
    """Mint until blocks are large, so that there is a grant at hand; who signs."""
    for _ in range(200):
        await provider.acquire()
    return await kid_of(provider)


class TestWhatIsAtHand:
    async def test_is_trusted_for_half_the_interval(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = (await provider.acquire(100)).key.kid
        clock.advance(FRESH - INSTANT)
        assert provider.at_hand(kid) is not None
        clock.advance(INSTANT)
        assert provider.at_hand(kid) is None

    async def test_verifies_to_the_end_of_the_version_and_not_beyond(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        await provider.rotate()
        assert provider.at_hand(kid) is not None
        clock.advance(TTL - INSTANT)
        await provider.versions()
        assert provider.at_hand(kid) is not None
        clock.advance(INSTANT)
        assert provider.at_hand(kid) is None

    async def test_is_enough_to_resolve(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        store.fail()
        loads = store.calls["load"]
        assert await provider.resolve(kid) is provider.at_hand(kid)
        assert store.calls["load"] == loads

    async def test_of_a_grant_is_over_with_the_snapshot(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        await set_aside(provider)
        await provider.versions()
        assert provider.grant_at_hand() is not None
        clock.advance(FRESH - INSTANT)
        assert provider.grant_at_hand() is not None
        clock.advance(INSTANT)
        assert provider.grant_at_hand() is None

    async def test_of_a_grant_is_over_when_rotation_is_due(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        await set_aside(provider)
        clock.advance(HOUR - INSTANT)
        await provider.versions()
        assert provider.grant_at_hand() is not None
        clock.advance(INSTANT)
        assert provider.grant_at_hand() is None

    async def test_is_nothing_before_the_first_look(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        assert provider.grant_at_hand() is None
        assert provider.at_hand("any") is None


class TestAPinnedVersion:
    async def test_that_no_version_can_be_called_is_not_worth_a_look(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store)
        await provider.acquire()
        loads = store.calls["load"]
        with pytest.raises(ConfigurationError, match="pinned"):
            await provider.acquire(kid="no/kid")
        assert store.calls["load"] == loads

    async def test_that_is_known_is_not_worth_one_either(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        kid = await kid_of(provider)
        loads = store.calls["load"]
        assert (await provider.acquire(kid=kid)).key.kid == kid
        assert store.calls["load"] == loads

    async def test_that_nobody_knows_is_looked_for_once_a_second(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        await provider.acquire()
        loads = store.calls["load"]
        for _ in range(3):
            with pytest.raises(ConfigurationError, match="pinned"):
                await provider.acquire(kid="unknown")
        assert store.calls["load"] == loads + 1

    async def test_takes_what_was_set_aside_for_it(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        kid = await set_aside(provider)
        assert provider.grant_at_hand() is not None
        reserved = store.calls["reserve"]
        assert (await provider.acquire(kid=kid)).key.kid == kid
        assert store.calls["reserve"] == reserved

    async def test_that_is_used_up_is_named(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, BY_COUNT)
        kid = (await provider.acquire(7)).key.kid
        pending = next(v.kid for v in await provider.versions() if v.kid != kid)
        await provider.acquire(7, kid=pending)
        with pytest.raises(KeyProviderError) as caught:
            await provider.acquire(kid=pending)
        assert (caught.value.reason, caught.value.details) == (Reason.KEY_EXHAUSTED, {"kid": pending})


async def test_a_reason_may_have_five_hundred_characters(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    kid = await kid_of(provider)
    await provider.revoke(kid, reason="x" * 500)
    with pytest.raises(ConfigurationError, match="at most 500"):
        await provider.revoke(kid, reason="x" * 501)


async def test_one_token_is_the_least_that_can_be_wanted(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    assert (await provider.acquire(1)).count == 1
    with pytest.raises(ConfigurationError, match="at least 1"):
        await provider.acquire(0)


class TestWhatMayBeCached:
    async def test_is_the_time_for_which_a_key_is_public_ahead_less_all_delays(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, HOURLY)
        assert (await provider.jwks()).max_age == timedelta(minutes=10) - timedelta(seconds=5 + 5)

    async def test_shrinks_while_the_store_is_away(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        usual = (await provider.jwks()).max_age
        store.fail()
        clock.advance(timedelta(seconds=5))
        assert (await provider.jwks()).max_age == usual, "no older than it may usually be"
        clock.advance(timedelta(seconds=60))
        assert (await provider.jwks()).max_age == usual - timedelta(seconds=60)

    async def test_is_never_less_than_nothing(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store, BY_HAND)
        assert (await provider.jwks()).max_age == timedelta(0)
        store.fail()
        clock.advance(timedelta(seconds=60))
        assert (await provider.jwks()).max_age == timedelta(0)


class TestUpkeep:
    async def test_comes_back_before_callers_would_look(self, store: FaultyRingStore, start: Start) -> None:
        assert await start(store).maintain() == timedelta(seconds=2)

    async def test_comes_back_at_the_very_moment_when_something_is_due(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        await provider.maintain()
        clock.advance(HOUR - timedelta(seconds=0.25))
        assert await provider.maintain() == timedelta(seconds=0.25)

    async def test_comes_back_in_a_second_after_a_failure(self, store: FaultyRingStore, start: Start) -> None:
        store.fail()
        assert await start(store).maintain() == timedelta(seconds=1)


class TestARotationThatFails:
    async def test_is_told_once_until_one_succeeds(
        self,
        store: FaultyRingStore,
        custodian: FaultyCustodian,
        start: Start,
        clock: FakeClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        provider = start(store, HOURLY, custodian=custodian)
        await provider.acquire()

        async def fail_to_rotate() -> int:
            caplog.clear()
            store.fail("compare_and_swap")
            for _ in range(5):
                clock.advance(timedelta(seconds=2))
                await provider.acquire()
            return sum("could not be rotated when it was due" in record.message for record in caplog.records)

        with caplog.at_level(logging.WARNING, "mintkey.keys"):
            clock.advance(HOUR)
            assert await fail_to_rotate() == 1
            store.heal()
            clock.advance(timedelta(seconds=2))
            before = store.calls["compare_and_swap"]
            await provider.acquire()
            assert store.calls["compare_and_swap"] > before
            clock.advance(HOUR)
            assert await fail_to_rotate() == 1

    async def test_is_tried_once_a_second(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store, HOURLY)
        await provider.acquire()
        clock.advance(HOUR)
        store.fail("compare_and_swap")
        await provider.acquire()
        tries = store.calls["compare_and_swap"]
        clock.advance(timedelta(seconds=1) - INSTANT)
        await provider.acquire()
        assert store.calls["compare_and_swap"] == tries
        clock.advance(INSTANT)
        await provider.acquire()
        assert store.calls["compare_and_swap"] == tries + 1

    async def test_is_forgotten_with_the_closing(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store, HOURLY)
        await provider.acquire()
        clock.advance(HOUR)
        store.fail("compare_and_swap")
        await provider.acquire()
        await provider.aclose()
        store.heal()
        before = store.calls["compare_and_swap"]
        await provider.acquire()
        assert store.calls["compare_and_swap"] == before + 1, "tried at once"


async def test_closing_twice_closes_the_store_of_others_never(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    async with store:
        async with provider:
            pass
        await provider.aclose()
        assert store.is_open
