"""A look that takes long, and a process that is stopped in the middle of a change: no time in a ring lies back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.document import decode
from mintkey.keys.ports import KeyMaterial, StoredRing
from mintkey.keys.ring import Intent, Ring
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, TTL, FaultyCustodian, FaultyRingStore, Start, held

HALF_A_MINUTE = timedelta(seconds=30)


class SlowStore(FaultyRingStore):
    """Answers a look, and before the answer arrives time passes."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.takes = timedelta(0)
        self.tells_time = False

    async def load(self, ring: str, /) -> StoredRing | None:
        self._clock.advance(self.takes / 2)
        stored, time = await super().load(ring), self._clock.time()
        self._clock.advance(self.takes / 2)
        return replace(stored, time=time) if stored is not None and self.tells_time else stored


@pytest.fixture
def slow(clock: FakeClock) -> SlowStore:
    return SlowStore(clock)


async def ring_in(store: FaultyRingStore) -> Ring:
    return decode((await held(store)).document, ring="default")


async def test_a_rotation_is_dated_after_the_look_that_it_is_planned_for(
    slow: SlowStore, start: Start, clock: FakeClock
) -> None:
    """What is signed until then verifies for as long as ever."""
    provider = start(slow, BY_HAND)
    await provider.acquire()
    slow.takes = HALF_A_MINUTE
    await provider.rotate()
    retired, active, successor = (await ring_in(slow)).versions
    now = clock.time()
    assert (retired.retires_at, retired.verify_until) == (now, now + TTL.total_seconds())
    assert (active.activates_at, successor.created_at) == (now, now)


async def test_so_are_a_revocation_and_a_ring_that_is_begun(slow: SlowStore, start: Start, clock: FakeClock) -> None:
    slow.takes = HALF_A_MINUTE
    provider = start(slow, BY_HAND)
    kid = (await provider.workings.keeper.change(Intent())).snapshot.signing_kid
    first = (await ring_in(slow)).find(kid)
    assert first is not None
    assert first.activates_at == clock.time()
    await provider.revoke(kid)
    revoked = (await ring_in(slow)).find(kid)
    assert revoked is not None
    assert revoked.revoked_at == clock.time()


async def test_what_a_lost_ring_is_joined_with_is_judged_after_the_look(
    slow: SlowStore, start: Start, clock: FakeClock
) -> None:
    """A version whose time was over when the answer came is not brought back, only its kid is."""
    provider = start(slow, BY_HAND)
    kid = (await provider.acquire()).key.kid
    await provider.rotate()
    clock.advance(TTL - timedelta(seconds=10))
    slow.shared.forget("default")
    slow.takes = HALF_A_MINUTE
    await provider.workings.keeper.refresh()
    ring = await ring_in(slow)
    assert ring.find(kid) is None
    assert ring.tombstone(kid) is not None


async def test_an_answer_that_took_long_says_nothing_of_clocks(slow: SlowStore, start: Start) -> None:
    """The store's clock is compared with ours from before the question to after the answer."""
    provider = start(slow, BY_HAND)
    await provider.acquire()
    slow.takes, slow.tells_time = HALF_A_MINUTE, True
    checks = await provider.checks()
    assert (checks["clock"].word, checks["clock"].figure) == ("in_step", 0)


def _relief(kid: str) -> Intent:
    return Intent(relieve=frozenset({kid}))


@pytest.fixture
def stop(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stops a process once, or always, in the middle of its next change: what is planned is not sent yet."""

    def stop(keychain: Any, lasting: timedelta, *, times: int = 1) -> None:
        spares, left = keychain.spares, [times]

        def slowly(count: int, ring: Ring, /) -> Sequence[KeyMaterial] | None:
            found: Sequence[KeyMaterial] | None = spares(count, ring)
            if found is not None and left[0]:
                left[0] -= 1
                clock.advance(lasting)
            return found

        monkeypatch.setattr(keychain, "spares", slowly)

    return stop


async def test_what_was_planned_before_a_stop_is_planned_again(
    store: FaultyRingStore, start: Start, clock: FakeClock, stop: Any, custodian: FaultyCustodian
) -> None:
    provider = start(store, HOURLY, custodian=custodian)
    await provider.acquire()
    stop(provider.workings.keychain, HALF_A_MINUTE)
    loads = store.calls["load"]
    await provider.workings.keeper.change(_relief((await provider.acquire()).key.kid))
    retired, active, successor = (await ring_in(store)).versions
    now = clock.time()
    assert (retired.retires_at, retired.verify_until) == (now, now + TTL.total_seconds())
    assert (active.activates_at, successor.created_at) == (now, now)
    assert store.calls["load"] >= loads + 2
    assert len(custodian.created) == 3, "the keys that were made before the stop serve"


@pytest.mark.parametrize(("lasting", "planned_again"), [(1.0, False), (1.01, True), (-1.01, True)])
async def test_a_plan_is_good_for_a_second_either_way(
    start: Start, clock: FakeClock, stop: Any, lasting: float, planned_again: bool
) -> None:
    """A clock that was set back meanwhile made it a plan of another time, too."""
    store = FaultyRingStore()
    provider = start(store, BY_HAND)
    signer = (await provider.acquire()).key.kid
    stop(provider.workings.keychain, timedelta(seconds=lasting))
    before, loads = clock.time(), store.calls["load"]
    await provider.workings.keeper.change(_relief(signer))
    active = (await ring_in(store)).signer
    assert active is not None
    # A hand-over is never before the last one, whatever the clock says.
    assert active.activates_at == (max(before, clock.time()) if planned_again else before)
    assert store.calls["load"] - loads == (3 if planned_again else 2), "one look is before the key was made"


async def test_an_edit_is_asked_anew_after_a_stop(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store, BY_HAND)
    await provider.acquire()
    clock.advance(HALF_A_MINUTE)
    asked: list[float] = []

    def edit(ring: Ring) -> Ring:
        asked.append(clock.time())
        if len(asked) == 1:
            clock.advance(HALF_A_MINUTE)
        return replace(ring, versions=tuple(replace(v, created_at=asked[-1]) for v in ring.versions))

    changed = await provider.workings.keeper.edit(edit)
    assert len(asked) == 2
    assert {version.created_at for version in changed.snapshot.ring.versions} == {clock.time()}


async def test_a_process_that_is_stopped_every_time_gives_up(store: FaultyRingStore, start: Start, stop: Any) -> None:
    provider = start(store, BY_HAND)
    signer = (await provider.acquire()).key.kid
    stop(provider.workings.keychain, HALF_A_MINUTE, times=1000)
    with pytest.raises(KeyProviderError) as caught:
        await provider.workings.keeper.change(_relief(signer))
    assert caught.value.reason is Reason.ROTATION_CONFLICT
    assert store.calls["compare_and_swap"] == 1
