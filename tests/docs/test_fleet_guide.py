"""What the fleet guide says about code, settings and checks is so."""

import re
from datetime import timedelta
from typing import Any

import pytest

from mintkey.keys import RotationPolicy, Sealer
from mintkey.presets import SERVICE
from tests.docs.page import Page

PAGE = Page("fleet")


@pytest.fixture(params=["valkey", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


def made(url: str) -> Any:
    """The service that the guide's code makes."""
    return PAGE.names()["service"](url, Sealer.generate_key())


async def test_the_code_runs(url: str) -> None:
    async with made(url) as tokens:
        token = await tokens.mint(SERVICE, subject="billing", audience="reports")
        assert (await tokens.jwks()).max_age == timedelta(minutes=14, seconds=50)
        assert token.key_id in {key["kid"] for key in (await tokens.jwks()).as_dict()["keys"]}


async def test_every_check_is_in_the_table(url: str) -> None:
    explained = set(re.findall(r"`((?:keys|replay)(?:\.\w+)?)`", PAGE.section("Health")))
    async with made(url) as tokens:
        await tokens.mint(SERVICE, subject="billing", audience="reports")
        health = await tokens.health()
    assert health.ok, health
    assert set(health.checks) <= explained


def test_the_timings_are_the_defaults() -> None:
    policy = RotationPolicy()
    assert (policy.every, policy.previous_ttl, policy.publish_ahead) == (
        timedelta(days=30),
        timedelta(days=1),
        timedelta(minutes=15),
    )
    for row in ["`RotationPolicy.every` | 30 d", "`RotationPolicy.previous_ttl` | 1 d", "publish_ahead` | 15 min"]:
        assert row in PAGE.text
