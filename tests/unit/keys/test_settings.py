"""Settings that contradict one another are refused, all at once."""

from datetime import timedelta
from typing import Any

import pytest

from mintkey.errors import ConfigurationError
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.settings import check_settings

GOOD: dict[str, Any] = {
    "ring": "default",
    "algorithm": "EdDSA",
    "policy": RotationPolicy(),
    "refresh_interval": timedelta(seconds=5),
    "outage_tolerance": timedelta(minutes=10),
    "max_clock_skew": timedelta(seconds=5),
}


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=10.001), timedelta(days=1)])
def test_publication_ahead_covers_what_processes_may_be_behind(ahead: timedelta) -> None:
    check_settings(**GOOD | {"policy": RotationPolicy(publish_ahead=ahead)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ring", ""),
        ("ring", "../x"),
        ("algorithm", "none"),
        ("refresh_interval", timedelta(0)),
        ("outage_tolerance", timedelta(seconds=4)),
        ("max_clock_skew", timedelta(seconds=-1)),
        ("policy", RotationPolicy(publish_ahead=timedelta(seconds=10))),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match="publish_ahead" if name == "policy" else name):
        check_settings(**GOOD | {name: value})


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_settings(**GOOD | {"ring": "", "algorithm": "none", "max_clock_skew": timedelta(seconds=-1)})
    problems = raised.value.details["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 3


@pytest.mark.parametrize(
    ("every", "ahead", "warned"),
    [
        (timedelta(seconds=10), timedelta(minutes=15), True),
        (timedelta(seconds=10.001), timedelta(minutes=15), False),
        (timedelta(seconds=1), timedelta(0), False),
        (None, timedelta(minutes=15), False),
    ],
)
def test_a_period_in_which_nobody_outside_can_learn_of_a_key_is_warned_of(
    every: timedelta | None, ahead: timedelta, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    check_settings(**GOOD | {"policy": RotationPolicy(every=every, publish_ahead=ahead)})
    assert ("before they can know it" in caplog.text) is warned


@pytest.mark.parametrize(("seconds", "warned"), [(60, True), (610, True), (610.001, False), (86_400, False)])
def test_a_previous_ttl_that_an_outage_uses_up_is_warned_of(
    seconds: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Who signs without knowing that his key was replaced signs for nobody else."""
    check_settings(**GOOD | {"policy": RotationPolicy(previous_ttl=timedelta(seconds=seconds))})
    assert ("cut off from its store" in caplog.text) is warned
