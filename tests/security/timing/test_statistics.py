"""What must not be told by a clock is not: not by the code of others that we call, either."""

import os

import pytest

from tests.security.timing.measuring import compare
from tests.security.timing.questions import OPEN, SECRET, naive

TIMES = int(os.environ.get("MINTKEY_TIMING", "6000"))
TRIES = 5
"""A machine that does other things may disturb one of them; what is always there is there in all of them."""


@pytest.mark.parametrize("name", SECRET)
def test_a_clock_does_not_tell(name: str) -> None:
    found = []
    for attempt in range(TRIES):
        found.append(compare(SECRET[name].ask, times=TIMES, seed=attempt))
        if not found[-1].can_be_told:
            return
    # A leak has a direction. Disturbances have not.
    assert len({difference.t > 0 for difference in found}) == 2, found


def test_a_comparison_byte_by_byte_would_be_noticed() -> None:
    found = [compare(naive, times=TIMES, seed=attempt) for attempt in range(TRIES)]
    assert all(difference.can_be_told and difference.t < 0 for difference in found), found


@pytest.mark.parametrize("name", [name for name in OPEN if "HS256" not in name])
def test_a_clock_tells_whether_a_public_kid_is_known(name: str) -> None:
    found = compare(OPEN[name].ask, times=TIMES)
    assert found.can_be_told
    assert found.medians[0] < found.medians[1]
