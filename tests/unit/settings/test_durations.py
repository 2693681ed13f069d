"""Durations are written as people write them."""

from datetime import timedelta

import pytest

from mintkey.settings.durations import as_text, parse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), (" 1d2h3m4s ", 93_784), ("0h1s", 1)],
)
def test_days_hours_minutes_and_seconds_add_up(text, seconds):
    assert parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "10", "m", "-5m", "1.5h", "30m1h", "10 m", "10min", "9" * 100 + "s", "١m"]
)
def test_anything_else_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError, match="must be a positive duration like 90s, 10m, 1h30m or 7d"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (86_405, "1 d"),
        (90_061, "1 d 1 h"),
    ],
)
def test_people_read_the_two_largest_units(seconds, text):
    assert as_text(timedelta(seconds=seconds)) == text
