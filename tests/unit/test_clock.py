"""Clocks: the machine's, the one that tests move, and instants that are aware."""

from datetime import UTC, datetime, timedelta

import pytest

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.errors import ConfigurationError
from mintkey.ids import new_id, random_bytes
from mintkey.testing import FakeClock


def test_a_fake_clock_moves_both_its_clocks_and_only_by_hand():
    clock = FakeClock(datetime(2026, 5, 1, tzinfo=UTC))
    began = clock.monotonic()
    assert clock.time() == datetime(2026, 5, 1, tzinfo=UTC).timestamp()
    clock.advance(timedelta(minutes=1))
    assert clock.now() == datetime(2026, 5, 1, 0, 1, tzinfo=UTC)
    assert clock.monotonic() - began == 60


def test_a_naive_start_is_refused():
    with pytest.raises(ConfigurationError, match="aware"):
        FakeClock(datetime(2026, 5, 1))  # noqa: DTZ001 - the mistake


def test_the_machines_clocks_go_on():
    clock = SystemClock()
    assert isinstance(clock, Clock)
    assert clock.monotonic() <= clock.monotonic()
    assert from_timestamp(clock.time()).tzinfo is UTC


def test_ids_are_random_and_of_one_length():
    assert len({new_id() for _ in range(1000)}) == 1000
    assert {len(new_id()) for _ in range(100)} == {22}
    assert len(random_bytes(32)) == 32
