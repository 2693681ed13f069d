"""A store that forgets: rings come back from whoever still holds them, and caps hold all the same."""

from collections import Counter
from datetime import timedelta

import pytest

from mintkey.errors import KeyNotFoundError, KeyProviderError, Reason
from mintkey.keys.document import decode
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_COUNT, BY_HAND, HOURLY, FaultyRingStore, Start, held, restore

LOOK = timedelta(seconds=6)


async def test_whoever_looks_first_writes_it_back(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    """Also one who only verifies."""
    provider = start(store)
    kid = (await provider.acquire()).key.kid
    before = (await held(store)).document
    store.shared.forget("default")
    clock.advance(LOOK)
    assert (await provider.resolve(kid)).kid == kid
    assert (await held(store)).document == before


async def test_signing_without_a_cap_notices_by_itself(store: FaultyRingStore, start: Start) -> None:
    """A store that counts nothing has lost the ring."""
    provider = start(store)
    kid = (await provider.acquire()).key.kid
    store.shared.forget("default")
    assert (await provider.acquire()).key.kid == kid
    assert len(decode((await held(store)).document, ring="default").versions) == 2


async def test_with_a_cap_the_version_that_signed_is_done(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """Its count is gone, so that others could be granted it a second time: nothing of it is left to them."""
    here, there = start(store, BY_COUNT), start(FaultyRingStore(store.shared), BY_COUNT)
    granted = Counter([(await here.acquire()).key.kid for _ in range(5)])
    await there.versions()
    store.shared.forget("default")
    clock.advance(LOOK)
    await here.maintain()
    for provider in (there, here):
        granted.update([(await provider.acquire()).key.kid for _ in range(10)])
    assert max(granted.values()) <= 7


async def test_a_store_that_fell_back_gets_the_rotation_again(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """And who began from the older state in the meantime follows."""
    provider = start(store)
    await provider.acquire()
    older = await held(store)
    active = await provider.rotate()
    await restore(store, older)
    behind = start(FaultyRingStore(store.shared))
    assert (await behind.acquire()).key.kid != active.kid
    clock.advance(LOOK)
    assert (await provider.acquire()).key.kid == active.kid
    clock.advance(LOOK)
    assert (await behind.acquire()).key.kid == active.kid


async def test_counts_that_went_back_are_not_granted_again(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    provider = start(store, BY_COUNT)
    granted = Counter([(await provider.acquire()).key.kid for _ in range(2)])
    older = await held(store)
    granted.update([(await provider.acquire()).key.kid for _ in range(4)])
    await provider.versions()
    await restore(store, older)
    clock.advance(LOOK)
    granted.update([(await provider.acquire()).key.kid for _ in range(20)])
    assert max(granted.values()) <= 7


async def test_a_revocation_survives_a_restored_backup(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store, HOURLY)
    kid = (await provider.acquire()).key.kid
    older = await held(store)
    await provider.revoke(kid, reason="leaked")
    await restore(store, older)
    clock.advance(LOOK)
    await provider.acquire()
    for process in (provider, start(FaultyRingStore(store.shared), HOURLY)):
        with pytest.raises(KeyNotFoundError) as raised:
            await process.resolve(kid)
        assert raised.value.reason is Reason.KEY_REVOKED


async def test_what_cannot_be_written_back_is_still_known(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """A process without the right to write verifies from what it knows, for as long as that is safe."""
    provider = start(store)
    kid = (await provider.acquire()).key.kid
    store.shared.forget("default")
    store.fail("compare_and_swap")
    for _ in range(10):
        clock.advance(LOOK)
        assert (await provider.resolve(kid)).kid == kid
    clock.advance(timedelta(minutes=10))
    with pytest.raises(KeyProviderError):
        await provider.resolve(kid)
    store.heal()
    assert (await provider.resolve(kid)).kid == kid


async def test_a_lost_race_of_writing_back_is_run_again(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store, BY_COUNT)
    kid = (await provider.acquire()).key.kid
    store.shared.forget("default")
    store.losing = 2
    clock.advance(LOOK)
    assert (await provider.acquire()).key.kid != kid
    assert (await provider.resolve(kid)).kid == kid


async def test_a_closed_provider_holds_nothing(store: FaultyRingStore, start: Start) -> None:
    """Closing is forgetting: who comes back takes what the store has."""
    provider = start(store, BY_HAND)
    kid = (await provider.acquire()).key.kid
    await provider.aclose()
    store.shared.forget("default")
    assert (await provider.acquire()).key.kid != kid
