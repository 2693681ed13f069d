"""Ten thousand schedules keep every promise; without an inequality, or with a defect, some do not."""

import pytest

from tests.simulation.defects import DEFECTS, DropsTooEarly
from tests.simulation.inequalities import explain
from tests.simulation.invariants import Violation
from tests.simulation.node import Node
from tests.simulation.schedule import Schedule, Slack, draw
from tests.simulation.shrinking import broken_promise, shrink
from tests.simulation.world import Tally, play

CHUNK = 500


@pytest.mark.parametrize("first", range(0, 10_000, CHUNK))
def test_every_promise_is_kept(first: int) -> None:
    total = Tally()
    for seed in range(first, first + CHUNK):
        try:
            total.add(play(draw(seed)))
        except Violation as violation:
            pytest.fail(f"{violation}\nreplay: python -m tests.simulation --seed {seed} --verbose --shrink")
    assert min(total.tokens, total.verifications, total.rotations, total.crashes, total.losses) > CHUNK // 25


def counterexample(promise: str, /, *, node_type: type[Node] = Node, slack: Slack | None = None) -> Schedule | None:
    """The first of some hundred schedules that breaks this promise."""
    for seed in range(800):
        schedule = draw(seed, slack=slack or Slack())
        violation = broken_promise(schedule, node_type=node_type)
        if violation is not None and violation.promise == promise:
            return schedule
    return None


@pytest.mark.parametrize(("defect", "promise"), DEFECTS.items(), ids=[defect.__name__ for defect in DEFECTS])
def test_a_defect_is_noticed(defect: type[Node], promise: str) -> None:
    assert counterexample(promise, node_type=defect) is not None


@pytest.mark.parametrize(
    ("promise", "slack"),
    [
        # (1): the period leaves a successor no time to become known.
        ("no valid token is rejected outside", Slack(short_period=True)),
        # (2): previous_ttl leaves no time for who signs without knowing that his key was replaced …
        ("no valid token is rejected inside", Slack(staleness=False)),
        # … or only for one who can look at the store …
        ("no valid token is rejected inside", Slack(cut_off=False)),
        # … or none for clocks that differ, or only as much as two of them differ.
        ("no valid token is rejected inside", Slack(skews=0)),
        ("no valid token is rejected inside", Slack(skews=1)),
    ],
    ids=[
        "every too short",
        "previous_ttl without staleness",
        "previous_ttl without outages",
        "previous_ttl without skew",
        "previous_ttl with one skew",
    ],
)
def test_each_inequality_is_needed(promise: str, slack: Slack) -> None:
    assert counterexample(promise, slack=slack) is not None


def test_a_schedule_is_the_same_every_time() -> None:
    told: list[list[str]] = [[], []]
    for lines in told:
        play(draw(7), log=lines.append)
    assert told[0] == told[1]
    assert told[0]


def test_a_counterexample_is_cut_down_to_what_it_takes() -> None:
    promise = DEFECTS[DropsTooEarly]
    found = counterexample(promise, node_type=DropsTooEarly)
    assert found is not None
    short = shrink(found, node_type=DropsTooEarly)
    assert len(short.events) <= 12
    violation = broken_promise(short, node_type=DropsTooEarly)
    assert violation is not None
    assert violation.promise == promise


def test_what_breaks_nothing_is_not_cut() -> None:
    assert shrink(draw(1)) == draw(1)


def test_the_inequalities_are_told_with_the_figures_of_the_defaults() -> None:
    told = explain()
    assert "0:14:50 + 0:00:05 + 0:00:05  <=  0:15:00" in told
    assert "23:59:45 + 0:00:05 + 2 * 0:00:05  <=  1 day, 0:00:00" in told
