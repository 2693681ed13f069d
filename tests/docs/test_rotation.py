"""The time line of the page happens, and its arithmetic is that of the code."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.keys import KeyState, MemoryKeyProvider, RotationPolicy
from mintkey.testing import FakeClock
from tests.docs.page import Page
from tests.simulation.inequalities import room_for_tokens

PAGE = Page("explanation/rotation")
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
UNITS = {"d": DAY, "h": HOUR, "min": MINUTE, "s": SECOND}


def duration(text: str) -> timedelta:
    words = text.split()
    return sum((int(n) * UNITS[unit] for n, unit in zip(words[::2], words[1::2], strict=True)), timedelta())


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


def test_the_time_line_is_printed_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    PAGE.names()
    assert capsys.readouterr().out == PAGE.blocks("text")[0]


def test_the_states_are_in_the_order_of_a_life() -> None:
    states = [row[1].partition(";")[0] for row in PAGE.rows("One version after the other") if row[0] != "from"]
    assert states == [str(state) for state in KeyState]


async def test_the_figures_are_those_of_the_defaults(mintkey_clock: FakeClock) -> None:
    said = {row[0]: row[1] for row in PAGE.rows("How long for whom")}
    policy = RotationPolicy()
    assert policy.every is not None
    keys = MemoryKeyProvider(clock=mintkey_clock)
    grant = await keys.acquire()
    mintkey_clock.advance(policy.every)
    await keys.acquire()
    first = {version.kid: version for version in await keys.versions()}[grant.key.kid]
    waited = next(version for version in await keys.versions() if version.state is KeyState.ACTIVE)
    assert first.activates_at is not None
    assert first.retires_at is not None
    assert first.verify_until is not None
    assert waited.activates_at is not None
    lives = {
        "a version waits": waited.activates_at - waited.created_at,
        "it signs": first.retires_at - first.activates_at,
        "it verifies after that": first.verify_until - first.retires_at,
        "it is in the JWK Set": (waited.activates_at - waited.created_at) + policy.every + policy.previous_ttl,
        "the set may be cached": (await keys.jwks()).max_age,
    }
    assert {name: duration(said[name]) for name in lives} == lives
    assert keys.max_token_age == duration(said["the longest token"].partition(",")[0])
    published = [len((await keys.jwks()).as_dict()["keys"])]
    mintkey_clock.advance(policy.previous_ttl)
    published.append(len((await keys.jwks()).as_dict()["keys"]))
    assert published == [3, 2]


async def test_the_policies_have_room_for_their_tokens(mintkey_clock: FakeClock) -> None:
    rows = [row for row in PAGE.rows("The second inequality: a token verifies to its end") if row[0] != "you mint"]
    assert len(rows) == 3
    for _, lifetime, previous_ttl, every in rows:
        policy = RotationPolicy(every=duration(every), previous_ttl=duration(previous_ttl))
        purpose = Purpose("token", lifetime=duration(lifetime))
        room = room_for_tokens(policy, staleness=10 * MINUTE, skew=5 * SECOND)
        assert purpose.lifetime + purpose.leeway <= room
        tokens = TokenService(
            issuer="i", keys=MemoryKeyProvider(policy=policy, clock=mintkey_clock), clock=mintkey_clock
        )
        await tokens.mint(purpose)
        with pytest.raises(ConfigurationError, match="previous_ttl"):
            await tokens.mint(Purpose("longer", lifetime=policy.previous_ttl))


def test_a_cap_is_well_above_what_is_minted_meanwhile(guide: SimpleNamespace) -> None:
    assert guide.smallest_cap(100, RotationPolicy().publish_ahead) == 900_000


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
