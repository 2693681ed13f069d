"""A rotation policy is checked when it is made, all problems at once."""

from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError
from mintkey.keys.policy import RotationPolicy

SECOND = timedelta(seconds=1)


def test_the_defaults_are_those_of_the_documentation():
    policy = RotationPolicy()
    assert (policy.every, policy.max_mints) == (timedelta(days=30), None)
    assert (policy.previous_ttl, policy.publish_ahead) == (timedelta(days=1), timedelta(minutes=15))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("every", timedelta(0)), ("max_mints", 0), ("previous_ttl", timedelta(0)), ("publish_ahead", -SECOND)],
)
def test_a_wrong_setting_is_named(setting, value):
    with pytest.raises(ConfigurationError, match=f"RotationPolicy.{setting}"):
        RotationPolicy(**{setting: value})


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        RotationPolicy(every=-SECOND, max_mints=-1, previous_ttl=-SECOND, publish_ahead=-SECOND)
    assert len(caught.value.details["problems"]) == 4


def test_a_ring_may_never_rotate_by_itself():
    assert RotationPolicy(every=None, publish_ahead=timedelta(0)).every is None
