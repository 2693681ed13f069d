"""The exact numbers of a mark's life: a change of one of them is a change of what is promised."""

from datetime import UTC, datetime, timedelta

import pytest

from mintkey.replay.marks import LONGEST_LIFE, SKEW, life, memory_begins_after_loss, memory_begins_at_opening

NOW = 1000.0
INSTANT = datetime.fromtimestamp(NOW, UTC)


def test_clocks_may_differ_by_five_seconds_and_no_mark_lives_longer_than_ten_years_and_some_days() -> None:
    assert timedelta(seconds=5) == SKEW
    assert timedelta(days=3660) == LONGEST_LIFE


def test_what_is_over_for_long_is_remembered_for_a_millisecond() -> None:
    assert life(INSTANT - timedelta(days=1), NOW) == 0.001


@pytest.mark.parametrize(("now", "begins"), [(1000.0, 1006), (1000.9, 1006), (1000.999, 1006), (999.999, 1005)])
def test_a_lost_memory_begins_in_the_first_second_that_no_clock_of_the_fleet_can_show_yet(
    now: float, begins: int
) -> None:
    assert memory_begins_after_loss(now) == begins
    assert memory_begins_at_opening(now) == int(now)
