"""The failing stores fail when they are told to, with the errors of real ones, and otherwise are the store inside."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason, ReplayStoreError
from mintkey.keys.ports import KeyRingStore, StoredRing
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.lifecycle import Resource
from mintkey.replay.base import ClaimOutcome, ClaimStatus, ReplayStore
from mintkey.replay.memory import MemoryReplayStore
from mintkey.testing import FakeClock, FaultyReplayStore, FaultyRingStore, StoreFault

BEFORE, AFTER, HANG = StoreFault.BEFORE, StoreFault.AFTER, StoreFault.HANG
NOW = FakeClock().now()
LATER = NOW + timedelta(minutes=1)


class Marks:
    """A failing store around one in memory, and the calls that the tests make."""

    def __init__(self) -> None:
        self.inside = MemoryReplayStore(clock=FakeClock(), fence=False)
        self.store = FaultyReplayStore(self.inside)

    async def claim(self, key: str = "mark", lease: timedelta | None = None) -> ClaimOutcome:
        return await self.store.claim(key, owner="me", issued_at=NOW, expires_at=LATER, lease=lease)

    async def status(self, key: str = "mark") -> ClaimStatus:
        """The truth, past all faults."""
        return await self.inside.status(key, issued_at=NOW)

    def calls(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "claim": self.claim,
            "commit": lambda: self.store.commit("mark", owner="me", expires_at=LATER),
            "release": lambda: self.store.release("mark", owner="me"),
            "revoke": lambda: self.store.revoke("mark", expires_at=LATER),
            "status": lambda: self.store.status("mark", issued_at=NOW),
        }


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def rings() -> FaultyRingStore:
    return FaultyRingStore(MemoryKeyRingStore())


def ring_calls(store: FaultyRingStore) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "load": lambda: store.load("ring"),
        "compare_and_swap": lambda: store.compare_and_swap("ring", expected=0, document=b"1"),
        "reserve": lambda: store.reserve("ring", "kid", want=1, limit=1),
    }


async def test_they_are_stores(marks: Marks, rings: FaultyRingStore) -> None:
    replay: ReplayStore = marks.store
    ring: KeyRingStore = rings
    await replay.aclose()
    assert [revision async for revision in ring.watch("ring")] == []


async def test_without_faults_a_replay_store_is_the_one_inside(marks: Marks) -> None:
    store = marks.store
    assert await marks.claim("a", lease=timedelta(seconds=30)) is ClaimOutcome.ACCEPTED
    assert await store.commit("a", owner="me", expires_at=LATER)
    assert await marks.claim("b", lease=timedelta(seconds=30)) is ClaimOutcome.ACCEPTED
    assert await store.release("b", owner="me")
    await store.revoke("c", expires_at=LATER)
    found = [await store.status(key, issued_at=NOW) for key in "abc"]
    assert found == [ClaimStatus.SPENT, ClaimStatus.UNUSED, ClaimStatus.REVOKED]
    assert store.calls == {"claim": 2, "commit": 1, "release": 1, "revoke": 1, "status": 3}


async def test_without_faults_a_ring_store_is_the_one_inside(rings: FaultyRingStore) -> None:
    assert await rings.compare_and_swap("ring", expected=0, document=b"1")
    assert await rings.reserve("ring", "kid", want=5, limit=3) == 3
    assert await rings.load("ring") == StoredRing(b"1", 1, {"kid": 3})
    assert rings.calls == {"compare_and_swap": 1, "reserve": 1, "load": 1}


@pytest.mark.parametrize("method", ["claim", "commit", "release", "revoke", "status"])
async def test_every_replay_call_can_fail_before_and_after(marks: Marks, method: str) -> None:
    call = marks.calls()[method]
    marks.store.fail(BEFORE, AFTER, on=method)
    with pytest.raises(ReplayStoreError) as before:
        await call()
    assert before.value.reason is Reason.REPLAY_UNAVAILABLE
    with pytest.raises(ReplayStoreError) as after:
        await call()
    # Whoever only looked is in no doubt about what he did.
    unknown = Reason.REPLAY_UNAVAILABLE if method == "status" else Reason.REPLAY_OUTCOME_UNKNOWN
    assert after.value.reason is unknown
    await call()


@pytest.mark.parametrize("method", ["load", "compare_and_swap", "reserve"])
async def test_every_ring_call_can_fail_before_and_after(rings: FaultyRingStore, method: str) -> None:
    call = ring_calls(rings)[method]
    rings.fail(BEFORE, AFTER, on=method)
    for _ in range(2):
        with pytest.raises(KeyProviderError) as caught:
            await call()
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    await call()


async def test_before_means_that_nothing_was_done(marks: Marks) -> None:
    marks.store.fail(BEFORE)
    with pytest.raises(ReplayStoreError):
        await marks.claim()
    assert await marks.status() is ClaimStatus.UNUSED


async def test_after_means_that_it_was_done(marks: Marks, rings: FaultyRingStore) -> None:
    marks.store.fail(AFTER)
    with pytest.raises(ReplayStoreError):
        await marks.claim()
    assert await marks.status() is ClaimStatus.SPENT
    rings.fail(AFTER)
    with pytest.raises(KeyProviderError):
        await rings.compare_and_swap("ring", expected=0, document=b"1")
    assert await rings.load("ring") == StoredRing(b"1", 1)


async def test_a_hanging_call_does_nothing_until_it_is_healed(marks: Marks) -> None:
    marks.store.fail(HANG)
    async with asyncio.TaskGroup() as group:
        hanging = group.create_task(marks.claim())
        await asyncio.sleep(0)
        assert await marks.status() is ClaimStatus.UNUSED
        marks.store.heal()
    assert hanging.result() is ClaimOutcome.ACCEPTED


async def test_a_hanging_call_can_be_cancelled(marks: Marks) -> None:
    marks.store.fail_always(HANG)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(marks.claim(), 0.01)
    assert await marks.status() is ClaimStatus.UNUSED


async def test_an_error_of_the_store_inside_is_not_covered_up() -> None:
    class Broken(MemoryKeyRingStore):
        async def load(self, ring: str, /) -> StoredRing | None:
            raise KeyProviderError("really away", reason=Reason.ROTATION_CONFLICT)

    store = FaultyRingStore(Broken())
    store.fail(AFTER)
    with pytest.raises(KeyProviderError, match="really away"):
        await store.load("ring")


async def test_faults_meet_one_call_each_in_order(marks: Marks) -> None:
    marks.store.fail(BEFORE, None, BEFORE)
    met: list[object] = []
    for _ in range(4):
        try:
            met.append(await marks.claim())
        except ReplayStoreError as error:
            met.append(error.reason)
    accepted, away = ClaimOutcome.ACCEPTED, Reason.REPLAY_UNAVAILABLE
    assert met == [away, accepted, away, accepted]


async def test_a_method_s_own_faults_come_first_and_leave_others_alone(rings: FaultyRingStore) -> None:
    rings.fail(None, on="load")
    rings.fail(BEFORE)
    rings.fail_always(BEFORE, on="reserve")
    assert await rings.load("ring") is None
    with pytest.raises(KeyProviderError):
        await rings.load("ring")
    assert await rings.compare_and_swap("ring", expected=0, document=b"1")
    for _ in range(2):
        with pytest.raises(KeyProviderError):
            await rings.reserve("ring", "kid", want=1, limit=1)


async def test_what_fails_always_fails_until_it_is_taken_back_or_healed(marks: Marks) -> None:
    marks.store.fail_always(BEFORE)
    marks.store.fail_always(None, on="status")
    for _ in range(3):
        with pytest.raises(ReplayStoreError):
            await marks.claim()
    assert await marks.store.status("mark", issued_at=NOW) is ClaimStatus.UNUSED
    marks.store.fail(BEFORE)
    marks.store.heal()
    assert await marks.claim() is ClaimOutcome.ACCEPTED


def test_a_method_that_does_not_exist_is_an_error(marks: Marks, rings: FaultyRingStore) -> None:
    with pytest.raises(ConfigurationError, match="claim, commit, release, revoke, status"):
        marks.store.fail(BEFORE, on="clam")
    with pytest.raises(ConfigurationError, match="load, compare_and_swap, reserve"):
        rings.fail_always(BEFORE, on="claim")


class Counted(Resource, MemoryKeyRingStore):
    """A store with a lifecycle, which tells how often it was opened."""

    openings = closings = 0

    async def _open(self) -> None:
        self.openings += 1

    async def _close(self) -> None:
        self.closings += 1


async def test_the_store_inside_is_opened_and_closed_along_with_it() -> None:
    inside = Counted()
    async with FaultyRingStore(inside) as store:
        assert (inside.openings, inside.closings) == (1, 0)
    await store.aclose()
    assert (inside.openings, inside.closings) == (1, 1)


async def test_another_s_opening_of_the_store_inside_is_left_alone() -> None:
    async with Counted() as inside:
        async with FaultyRingStore(inside) as store:
            pass
        await store.aclose()
        assert inside.closings == 0


async def test_a_store_inside_without_a_lifecycle_is_left_alone(rings: FaultyRingStore) -> None:
    async with rings:
        assert await rings.load("ring") is None


def test_they_show_nothing_of_what_is_stored(marks: Marks) -> None:
    assert "mark" not in repr(marks.store)
