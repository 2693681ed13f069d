"""The table of marks: what it counts, and what goes in the very moment in which its time is over."""

import pytest

from mintkey.ids import new_id
from mintkey.replay import table as module
from mintkey.replay.marks import mark_name
from mintkey.replay.table import NAME_SIZE, MarkTable

NAME, OTHER, VALUE = (bytes([number]) * NAME_SIZE for number in range(3))


def test_names_and_owners_of_our_own_are_kept_as_they_are() -> None:
    assert NAME_SIZE == len(new_id()) == len(mark_name("issuer", "purpose", "id"))


def test_what_is_removed_takes_up_no_memory_any_more() -> None:
    table = MarkTable()
    table.put(NAME, b"s", VALUE, 10.0)
    table.put(OTHER, b"s", VALUE, 10.0)
    table.remove(NAME)
    assert len(table) == 1
    table.remove(NAME)
    assert len(table) == 1


def test_a_mark_whose_time_is_over_now_is_cleaned_away_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGES", 1)
    table = MarkTable()
    table.put(NAME, b"s", VALUE, 10.0)
    table.clean(now=9.999)
    assert len(table) == 1
    table.clean(now=10.0)
    assert len(table) == 0
