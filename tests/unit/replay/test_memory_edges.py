"""The memory store between threads, at the very end of a life, and before 1970."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from blockbuster import BlockBuster

from mintkey.replay.family_table import FamilyTable
from mintkey.replay.memory import MemoryReplayStore
from mintkey.testing.clock import FakeClock

Use = Callable[[MemoryReplayStore], Awaitable[object]]
SOON = datetime(2026, 1, 1, 1, tzinfo=UTC)
USES: dict[str, Use] = {
    "claim": lambda store: store.claim("name", owner="me", issued_at=SOON, expires_at=SOON),
    "commit": lambda store: store.commit("name", owner="me", expires_at=SOON),
    "release": lambda store: store.release("name", owner="me"),
    "revoke": lambda store: store.revoke("name", expires_at=SOON),
    "status": lambda store: store.status("name", issued_at=SOON),
    "cut_off": lambda store: store.cut_off("name", before=SOON, expires_at=SOON),
    "cut_off_before": lambda store: store.cut_off_before("name"),
    "look": lambda store: store.look("name", "subject", issued_at=SOON),
    "family": lambda store: store.family("name", issued_at=SOON),
    "swap_family": lambda store: store.swap_family("name", expected=None, document=b"new", expires_at=SOON),
    "entering": lambda store: store.__aenter__(),
}


class InterruptedClock(FakeClock):
    """Gives another thread its turn in the middle of a call, which is where the store asks for the time."""

    def __init__(self) -> None:
        super().__init__()
        self.others_turn: Callable[[], None] | None = None

    def time(self) -> float:
        turn, self.others_turn = self.others_turn, None
        if turn is not None:
            turn()
        return super().time()


@pytest.mark.parametrize("use", USES)
async def test_while_one_thread_is_at_it_no_other_gets_in(use: str, no_blocking_calls: BlockBuster) -> None:
    no_blocking_calls.deactivate()  # we do block, to see who waits
    clock = InterruptedClock()
    store = MemoryReplayStore(clock=clock)
    other = threading.Thread(target=lambda: asyncio.run(USES["claim"](store)))  # type: ignore[arg-type]  # a coroutine
    has_got_in = []

    def others_turn() -> None:
        other.start()
        other.join(0.1)
        has_got_in.append(not other.is_alive())

    clock.others_turn = others_turn
    await USES[use](store)
    await asyncio.to_thread(other.join)
    assert has_got_in == [False]


@pytest.mark.parametrize("instant", [datetime(1960, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), SOON])
async def test_a_cut_off_is_any_instant_and_a_later_one_wins(instant: datetime) -> None:
    store = MemoryReplayStore(clock=FakeClock())
    await store.cut_off("subject", before=instant, expires_at=SOON)
    assert await store.cut_off_before("subject") == instant
    await store.cut_off("subject", before=instant + timedelta(seconds=1), expires_at=SOON)
    await store.cut_off("subject", before=instant, expires_at=SOON)
    assert await store.cut_off_before("subject") == instant + timedelta(seconds=1)


def test_a_family_goes_in_the_very_moment_in_which_its_time_is_over() -> None:
    table = FamilyTable()
    table.put("old", b"document", expires=10.0, now=0.0)
    table.put("new", b"document", expires=20.0, now=10.0)
    assert len(table) == 1


def test_so_does_one_that_was_prolonged_to_that_moment() -> None:
    table = FamilyTable()
    table.put("old", b"document", expires=5.0, now=0.0)
    table.put("old", b"document", expires=10.0, now=0.0)
    table.put("new", b"document", expires=20.0, now=10.0)
    assert len(table) == 1
