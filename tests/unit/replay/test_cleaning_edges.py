"""How much is cleaned away, and how often: bounded steps, so that no call pays for what others left behind."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from mintkey.replay.family_table import FamilyTable
from mintkey.replay.memory import MemoryReplayStore
from mintkey.replay.table import NAME_SIZE, MarkTable
from mintkey.testing.clock import FakeClock

PAGES = 16_384
VALUE = b"v" * NAME_SIZE


def names_in(page: int) -> Iterator[bytes]:
    """Names that end in one page of a table."""
    for number in count():
        name = number.to_bytes(NAME_SIZE, "big")
        if hash(name) % PAGES == page:
            yield name


def put(table: MarkTable, page: int, *, forgotten: int = 0, alive: int = 0) -> None:
    names = names_in(page)
    for expires in [1.0] * forgotten + [99.0] * alive:
        table.put(next(names), b"s", VALUE, expires)


class TestAStepOfATable:
    def test_begins_at_the_first_page_and_goes_on_with_the_next_ones(self) -> None:
        table = MarkTable()
        for page in (0, 5, 15):
            put(table, page, forgotten=1)
        table.clean(now=10.0)
        assert len(table) == 0

    def test_is_of_sixteen_pages_at_most(self) -> None:
        table = MarkTable()
        put(table, 16, forgotten=1)
        table.clean(now=10.0)
        assert len(table) == 1
        table.clean(now=10.0)
        assert len(table) == 0

    @pytest.mark.parametrize(("forgotten", "alive", "goes_on"), [(1, 1, True), (2, 3, False), (0, 1, False)])
    def test_goes_on_after_a_page_of_which_half_was_forgotten(
        self, forgotten: int, alive: int, *, goes_on: bool
    ) -> None:
        table = MarkTable()
        put(table, 0, forgotten=forgotten, alive=alive)
        put(table, 1, forgotten=1)
        table.clean(now=10.0)
        assert len(table) == (alive if goes_on else alive + 1)
        table.clean(now=10.0)
        assert len(table) == alive


async def test_one_call_in_thirty_two_cleans(monkeypatch: pytest.MonkeyPatch) -> None:
    cleanings = 0

    def clean(_table: MarkTable, *, now: float) -> None:
        nonlocal cleanings
        cleanings += 1

    monkeypatch.setattr(MarkTable, "clean", clean)
    clock = FakeClock()
    store = MemoryReplayStore(clock=clock)
    for calls in range(1, 321):
        await store.claim("name", owner="me", issued_at=clock.now(), expires_at=clock.now() + timedelta(minutes=1))
        assert cleanings == calls // 32


def test_two_families_that_are_over_go_with_each_that_comes() -> None:
    table = FamilyTable()
    for number in range(10):
        table.put(f"old-{number}", b"1", expires=10, now=0)
    for number in range(3):
        table.put(f"new-{number}", b"1", expires=100, now=20)
        assert len(table) == 10 - (number + 1)
