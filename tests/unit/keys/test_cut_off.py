"""A process that is cut off from its store, while others rotate: what it signs, and for how long others accept that."""

from datetime import timedelta

import pytest

from mintkey.errors import KeyNotFoundError, KeyProviderError, Reason
from mintkey.testing.clock import FakeClock
from tests.simulation.inequalities import room_for_tokens
from tests.support.ring_faults import BY_HAND, TTL, FaultyRingStore, Start

TOLERATED = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
LATEST = TOLERATED - SECOND


async def signed_while_cut_off(store: FaultyRingStore, start: Start, clock: FakeClock) -> str:
    """The key with which one process signs at the last moment, which another one replaced as soon as it was away."""
    away = start(FaultyRingStore(store.shared))
    kid = (await away.acquire()).key.kid
    await start(store).rotate()
    away._store.fail()  # type: ignore[attr-defined]  # it is ours
    clock.advance(LATEST)
    assert (await away.acquire()).key.kid == kid
    return kid


async def test_what_it_signs_has_all_the_room_that_the_inequality_tells(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    kid = await signed_while_cut_off(store, start, clock)
    clock.advance(room_for_tokens(BY_HAND, staleness=TOLERATED, skew=timedelta(0)))
    assert (await start(FaultyRingStore(store.shared)).resolve(kid)).kid == kid


async def test_a_longer_token_ends_with_its_key_and_loses_no_more_than_the_outage(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """A token for all of `previous_ttl`: what the process was cut off for is what it loses."""
    kid = await signed_while_cut_off(store, start, clock)
    clock.advance(TTL - LATEST - SECOND)
    verifier = start(FaultyRingStore(store.shared))
    assert (await verifier.resolve(kid)).kid == kid
    clock.advance(SECOND)
    with pytest.raises(KeyNotFoundError) as caught:
        await verifier.resolve(kid)
    assert caught.value.reason is Reason.KEY_RETIRED


async def test_after_the_tolerance_it_signs_no_more(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store)
    await provider.acquire()
    store.fail()
    clock.advance(TOLERATED)
    with pytest.raises(KeyProviderError) as caught:
        await provider.acquire()
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE


async def test_its_health_says_so_meanwhile(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store)
    await provider.acquire()
    store.fail()
    clock.advance(LATEST)
    ring = (await provider.checks())["ring"]
    assert (ring.ok, ring.word, ring.figure) == (False, "stale", LATEST.total_seconds())
