"""A compact dictionary whose entries expire: it behaves like a plain one, and its steps are small."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mintkey.ids import random_bytes
from mintkey.replay.table import Mark, MarkTable

# Few names, of which many share a page, and one that looks like the middle of others' records.
NAMES = st.sampled_from([bytes([0, low]) + bytes([filler] * 14) for low in (0, 1, 16) for filler in (0, 1)])


class TableAgainstDictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = MarkTable()
        self.model: dict[bytes, Mark] = {}
        self.now = 0.0

    @rule(name=NAMES, value=NAMES, life=st.integers(1, 5))
    def put(self, name: bytes, value: bytes, life: int) -> None:
        mark = Mark(b"s", value, self.now + life)
        self.table.put(name, mark)
        self.model[name] = mark

    @rule(name=NAMES)
    def remove(self, name: bytes) -> None:
        self.table.remove(name)
        self.model.pop(name, None)

    @rule(steps=st.integers(1, 4096))
    def clean(self, steps: int) -> None:
        for _ in range(steps):
            self.table.clean(now=self.now)

    @rule(by=st.integers(1, 3))
    def pass_time(self, by: int) -> None:
        self.now += by
        self.model = {name: mark for name, mark in self.model.items() if mark.expires > self.now}

    @rule(name=NAMES)
    def look(self, name: bytes) -> None:
        assert self.table.get(name, now=self.now) == self.model.get(name)

    @invariant()
    def remembers_at_least_what_it_must(self) -> None:
        assert len(self.table) >= len(self.model)


TestTableAgainstDictionary = TableAgainstDictionary.TestCase
TestTableAgainstDictionary.settings = settings(max_examples=50, stateful_step_count=30)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_name_that_turns_up_inside_a_record_is_not_found(name: bytes, other: bytes) -> None:
    table = MarkTable()
    table.put(other[:2] + name[:14], Mark(b"s", name[14:] + other[2:], 1.0))
    shifted = (other[:2] + name[:14] + name[14:] + other[2:])[2:18]
    if shifted[:2] == other[:2] and shifted != other[:2] + name[:14]:
        assert table.get(shifted, now=0.0) is None
    assert table.get(other[:2] + name[:14], now=0.0) is not None


def test_the_search_goes_on_behind_a_match_across_fields() -> None:
    table = MarkTable()
    first = bytes(16)
    second = bytes(15) + b"\x01"
    table.put(first, Mark(b"s", bytes(15) + b"\x01", 5.0))
    assert table.get(second, now=0.0) is None
    table.put(second, Mark(b"r", bytes(16), 7.0))
    assert table.get(second, now=0.0) == Mark(b"r", bytes(16), 7.0)
    assert table.get(first, now=0.0) == Mark(b"s", bytes(15) + b"\x01", 5.0)


def test_cleaning_keeps_what_is_not_over() -> None:
    table = MarkTable()
    short, long = bytes(16), bytes(15) + b"\x01"
    table.put(short, Mark(b"s", short, 1.0))
    table.put(long, Mark(b"s", long, 9.0))
    for now, left in ((0.5, 2), (2.0, 1), (10.0, 0)):
        for _ in range(4096):
            table.clean(now=now)
        assert len(table) == left


def test_many_marks_take_few_bytes_and_are_cleaned_in_small_steps() -> None:
    count = 100_000
    names = [random_bytes(16) for _ in range(count)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    table = MarkTable()
    for name in names:
        table.put(name, Mark(b"s", name, 1.0))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / count < 60

    largest_step = 0
    for _ in range(4096):
        left = len(table)
        table.clean(now=2.0)
        largest_step = max(largest_step, left - len(table))
    assert len(table) == 0
    assert largest_step < count / 1000
