"""A purpose is checked when it is made, all problems at once, and never changes afterwards."""

import dataclasses
from datetime import timedelta

import pytest

from mintkey import presets
from mintkey.errors import ConfigurationError
from mintkey.purpose import FORBIDDEN_HEADERS, Purpose

MINUTE = timedelta(minutes=1)


def test_a_purpose_has_safe_defaults():
    purpose = Purpose("magic-login", lifetime=MINUTE)
    assert (purpose.typ, purpose.audience, purpose.leeway) == ("magic-login+jwt", (), timedelta(seconds=10))
    assert not purpose.single_use
    assert not purpose.revocable
    assert not purpose.stateful
    assert purpose.claims is dict


def test_a_purpose_cannot_be_changed_and_compares_by_value():
    purpose = Purpose("a", lifetime=MINUTE, audience="x", single_use=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        purpose.lifetime = MINUTE * 2
    assert purpose == Purpose("a", lifetime=MINUTE, audience=["x"], single_use=True)
    assert hash(purpose) == hash(Purpose("a", lifetime=MINUTE, audience="x", single_use=True))
    assert purpose.stateful


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"lifetime": -MINUTE}, "lifetime"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"audience": ["a", ""]}, "audience"),
        ({"leeway": timedelta(minutes=11)}, "leeway"),
        ({"leeway": -MINUTE}, "leeway"),
        ({"typ": ""}, "typ"),
        ({"typ": "a b"}, "typ"),
        ({"typ": "x" * 200}, "typ"),
        ({"headers": ["alg"]}, "alg"),
        ({"headers": [""]}, "headers"),
        ({"required": [""]}, "required"),
        ({"max_age": timedelta(0)}, "max_age"),
        ({"claims": int}, "claims"),
    ],
)
def test_a_wrong_setting_is_named(settings, named):
    with pytest.raises(ConfigurationError, match=named):
        Purpose("p", **{"lifetime": MINUTE, **settings})


@pytest.mark.parametrize("name", ["", "A", "a b", "ä", "x" * 65, "a/b"])
def test_a_name_is_short_and_plain(name):
    with pytest.raises(ConfigurationError, match="name"):
        Purpose(name, lifetime=MINUTE)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Purpose("B!", lifetime=-MINUTE, leeway=MINUTE * 60, claims=int)
    assert len(caught.value.details["problems"]) == 4


@pytest.mark.parametrize("header", sorted(FORBIDDEN_HEADERS))
def test_no_purpose_allows_a_header_that_changes_how_a_token_is_read(header):
    with pytest.raises(ConfigurationError):
        Purpose("p", lifetime=MINUTE, headers=[header, "x-tenant"])


def test_x5t_may_be_named():
    assert Purpose("p", lifetime=MINUTE, headers=["x5t", "x5t#S256"]).headers == {"x5t", "x5t#S256"}


def test_replace_changes_what_it_is_told_and_keeps_the_rest():
    access = presets.ACCESS.replace(audience="api", lifetime=MINUTE)
    assert (access.audience, access.lifetime, access.typ) == (("api",), MINUTE, "at+jwt")
    renamed = presets.MAGIC_LINK.replace(name="sign-in", leeway=timedelta(0))
    assert (renamed.typ, renamed.single_use, renamed.leeway) == ("sign-in+jwt", True, timedelta(0))
    assert access.replace(name="b").audience == ("api",)


@pytest.mark.parametrize("name", presets.__all__)
def test_every_preset_fits_the_default_rotation_policy(name):
    preset = getattr(presets, name)
    assert preset.lifetime + preset.leeway <= timedelta(days=1)
