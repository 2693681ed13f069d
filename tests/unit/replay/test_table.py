"""A compact dictionary whose entries expire: it behaves like a plain one, and its steps are small."""

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mintkey.ids import random_bytes
from mintkey.replay import table as module
from mintkey.replay.table import NAME_SIZE, Mark, MarkTable

ALL_PAGES = 16_384


def names_of_one_tag(count: int) -> list[bytes]:
    """Names that only the comparison with the record tells apart, once they share a page."""
    by_tag: dict[int, list[bytes]] = {}
    for number in range(256 * count):
        name = number.to_bytes(NAME_SIZE)
        of_tag = by_tag.setdefault(hash(name) >> 48 & 0xFF, [])
        of_tag.append(name)
        if len(of_tag) == count:
            return of_tag
    raise AssertionError("more names than tags times the count")


NAMES = [*names_of_one_tag(4), *(bytes([255]) * (NAME_SIZE - 1) + bytes([last]) for last in range(4))]


class TableAgainstDictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "_PAGES", 2)
        self.table = MarkTable()
        self.model: dict[bytes, Mark] = {}
        self.now = 0.0

    def teardown(self) -> None:
        self.patch.undo()

    @rule(name=st.sampled_from(NAMES), value=st.sampled_from(NAMES), life=st.integers(1, 5))
    def put(self, name: bytes, value: bytes, life: int) -> None:
        mark = Mark(b"s", value, self.now + life)
        self.table.put(name, *mark)
        self.model[name] = mark

    @rule(name=st.sampled_from(NAMES), value=st.sampled_from(NAMES), life=st.integers(1, 5))
    def add(self, name: bytes, value: bytes, life: int) -> None:
        mark = Mark(b"r", value, self.now + life)
        assert self.table.add(name, *mark, now=self.now) == self.model.get(name)
        self.model.setdefault(name, mark)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: bytes) -> None:
        self.table.remove(name)
        self.model.pop(name, None)

    @rule()
    def clean(self) -> None:
        self.table.clean(now=self.now)

    @rule(by=st.integers(1, 3))
    def pass_time(self, by: int) -> None:
        self.now += by
        self.model = {name: mark for name, mark in self.model.items() if mark.expires > self.now}

    @rule(name=st.sampled_from(NAMES))
    def look(self, name: bytes) -> None:
        assert self.table.get(name, now=self.now) == self.model.get(name)

    @invariant()
    def remembers_at_least_what_it_must(self) -> None:
        assert len(self.table) >= len(self.model)


TestTableAgainstDictionary = TableAgainstDictionary.TestCase
TestTableAgainstDictionary.settings = settings(max_examples=50, stateful_step_count=30)


def test_names_of_one_page_and_tag_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGES", 1)
    table, names = MarkTable(), names_of_one_tag(3)
    for number, name in enumerate(names):
        assert table.get(name, now=0.0) is None
        assert table.add(name, b"s", name, 1.0 + number, now=0.0) is None
    table.remove(names[1])
    assert [table.get(name, now=0.0) for name in names] == [
        Mark(b"s", names[0], 1.0),
        None,
        Mark(b"s", names[2], 3.0),
    ]


def test_cleaning_keeps_what_is_not_over() -> None:
    table = MarkTable()
    short, long = bytes(NAME_SIZE), bytes([1]) * NAME_SIZE
    table.put(short, b"s", short, 1.0)
    table.put(long, b"s", long, 9.0)
    for now, left in ((0.5, 2), (2.0, 1), (10.0, 0)):
        for _ in range(ALL_PAGES):
            table.clean(now=now)
        assert len(table) == left


def test_many_marks_take_few_bytes_and_are_cleaned_in_small_steps() -> None:
    count = 200_000
    names = [random_bytes(NAME_SIZE) for _ in range(count)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    table = MarkTable()
    for name in names:
        table.put(name, b"s", name, 1.0)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / count < 80

    largest_step = 0
    for _ in range(ALL_PAGES):
        left = len(table)
        table.clean(now=2.0)
        largest_step = max(largest_step, left - len(table))
    assert len(table) == 0
    assert largest_step < count / 100
