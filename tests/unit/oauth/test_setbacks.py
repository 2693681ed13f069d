"""Failures: who tries again, and when."""

from datetime import timedelta

import pytest

from mintkey.errors import TokenEndpointError
from mintkey.oauth.setbacks import Setbacks
from mintkey.testing import FakeClock

CLOCK_TICK = timedelta(milliseconds=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def setbacks(clock: FakeClock) -> Setbacks:
    return Setbacks(clock)


def test_without_a_failure_everybody_may_try(setbacks: Setbacks) -> None:
    assert not setbacks.is_failing
    assert not setbacks.is_calm
    setbacks.check()


def test_those_who_can_wait_do_for_five_seconds(setbacks: Setbacks, clock: FakeClock) -> None:
    setbacks.failed(TokenEndpointError("away"))
    clock.advance(seconds(5) - CLOCK_TICK)
    assert setbacks.is_calm
    clock.advance(CLOCK_TICK)
    assert not setbacks.is_calm
    assert setbacks.is_failing


def test_those_in_need_try_at_once_until_it_failed_three_times(setbacks: Setbacks, clock: FakeClock) -> None:
    for _ in range(2):
        setbacks.failed(TokenEndpointError("away"))
        setbacks.check()
    setbacks.failed(TokenEndpointError("still away"))
    with pytest.raises(TokenEndpointError, match="still away"):
        setbacks.check()
    clock.advance(seconds(1))
    setbacks.check()


def test_a_success_ends_all_of_it(setbacks: Setbacks) -> None:
    for _ in range(5):
        setbacks.failed(TokenEndpointError("away"))
    setbacks.succeeded()
    setbacks.check()
    assert not setbacks.is_failing
    assert not setbacks.is_calm


@pytest.mark.parametrize(("asked", "pause"), [(20.0, 20), (86_400.0, 60)])
def test_the_other_side_may_ask_for_a_pause_of_a_minute_at_most(
    setbacks: Setbacks, clock: FakeClock, asked: float, pause: float
) -> None:
    setbacks.failed(TokenEndpointError("busy", details={"retry_after": asked}))
    clock.advance(seconds(pause) - CLOCK_TICK)
    assert setbacks.is_calm
    with pytest.raises(TokenEndpointError, match="busy"):
        setbacks.check()
    clock.advance(CLOCK_TICK)
    assert not setbacks.is_calm
    setbacks.check()


def test_errors_of_others_count_too(setbacks: Setbacks) -> None:
    for _ in range(3):
        setbacks.failed(LookupError("no"))
    with pytest.raises(LookupError):
        setbacks.check()


def test_who_waited_in_vain_spares_the_others_that(setbacks: Setbacks) -> None:
    setbacks.waited_in_vain()
    assert setbacks.is_failing
    assert not setbacks.is_calm
    setbacks.succeeded()
    assert not setbacks.is_failing
