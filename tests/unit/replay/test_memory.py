"""What the memory store does beyond the contract."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import anyio

from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ReplayStore, RevocationStore
from mintkey.replay.memory import MemoryReplayStore
from mintkey.testing import FakeClock


def test_it_is_both_kinds_of_store() -> None:
    store: ReplayStore = MemoryReplayStore()
    assert isinstance(store, RevocationStore)


def test_threads_with_event_loops_of_their_own_have_one_winner() -> None:
    store = MemoryReplayStore()
    now = datetime.now(UTC) + timedelta(seconds=1)
    barrier = threading.Barrier(8)
    outcomes: list[ClaimOutcome] = []

    async def claim_all() -> None:
        for index in range(200):
            outcome = await store.claim(f"key {index}", owner=new_id(), issued_at=now, expires_at=now)
            outcomes.append(outcome)

    def run() -> None:
        barrier.wait()
        asyncio.run(claim_all())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(ClaimOutcome.ACCEPTED) == 200


async def test_expired_marks_are_let_go_by_the_calls_that_follow() -> None:
    clock = FakeClock()
    store = MemoryReplayStore(clock=clock)
    for _ in range(5000):
        await store.claim(new_id(), owner=new_id(), issued_at=clock.now(), expires_at=clock.now())
    assert len(store._table) == 5000
    clock.advance(timedelta(minutes=1))
    for _ in range(40_000):
        await store.status("key", issued_at=clock.now())
    assert len(store._table) == 0


async def test_entering_begins_the_memory() -> None:
    clock = FakeClock()
    issued = clock.now()
    clock.advance(timedelta(seconds=2))
    store = MemoryReplayStore(clock=clock)
    async with store:
        clock.advance(timedelta(hours=1))
    early = issued + timedelta(seconds=2)
    assert await store.claim("new", owner="me", issued_at=early, expires_at=clock.now()) is ClaimOutcome.ACCEPTED
    assert await store.claim("old", owner="me", issued_at=issued, expires_at=clock.now()) is ClaimOutcome.UNPROVABLE


async def test_asking_again_never_shortens_a_mark() -> None:
    clock = FakeClock()
    store = MemoryReplayStore(clock=clock)
    now = clock.now()
    await store.claim("key", owner="me", issued_at=now, expires_at=now + timedelta(hours=1))
    await store.claim("key", owner="me", issued_at=now, expires_at=now + timedelta(seconds=1))
    await store.commit("key", owner="me", expires_at=now + timedelta(seconds=1))
    clock.advance(timedelta(minutes=59))
    assert await store.claim("key", owner="you", issued_at=now, expires_at=now) is ClaimOutcome.SPENT


async def test_keys_and_owners_of_any_length_are_kept_apart() -> None:
    store = MemoryReplayStore()
    now = datetime.now(UTC) + timedelta(seconds=1)
    texts = ["", "a", "b" * 22, "b" * 23, "é" * 11, "\ud800" * 10, "x" * 1000]
    for key in texts:
        assert await store.claim(key, owner=key, issued_at=now, expires_at=now) is ClaimOutcome.ACCEPTED
    for key in texts:
        for owner in texts:
            outcome = ClaimOutcome.ACCEPTED if owner == key else ClaimOutcome.SPENT
            assert await store.claim(key, owner=owner, issued_at=now, expires_at=now) is outcome


async def test_a_cut_off_is_no_mark() -> None:
    store = MemoryReplayStore()
    now = datetime.now(UTC) + timedelta(seconds=1)
    await store.cut_off("the same key", before=now, expires_at=now)
    assert await store.claim("the same key", owner="me", issued_at=now, expires_at=now) is ClaimOutcome.ACCEPTED
    assert await store.cut_off_before("the same key") == now


async def test_a_cancelled_call_is_either_done_or_not() -> None:
    store = MemoryReplayStore()
    now = datetime.now(UTC) + timedelta(seconds=1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.claim("key", owner="me", issued_at=now, expires_at=now)
    assert await store.claim("key", owner="me", issued_at=now, expires_at=now) is ClaimOutcome.ACCEPTED
