"""Rotation of a fleet: once, however many reach it together, and without one rejected token."""

import logging
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mintkey import SystemClock
from mintkey.keys import KeyState
from tests.support.fleet_workers import BY_TIME, EVERY_TWO_SECONDS, answers, by_count, keys_at
from tests.support.processes import process, results

_logger = logging.getLogger(__name__)

MODULE = "tests.support.fleet_workers"
PROCESSES = 8
TOGETHER = 2.0  # seconds until all have begun
LONG = 20.0  # seconds of minting and verifying


@pytest.fixture(params=["valkey", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


async def reach_together(url: str, *, cap: int) -> set[str]:
    """The kids that processes sign with which find at the same moment that a rotation is due."""
    at = SystemClock().time() + TOGETHER
    return set(await anyio.to_thread.run_sync(lambda: results(MODULE, *[("reach", url, at, cap)] * PROCESSES)))


async def test_by_time_happens_once(url: str) -> None:
    async with keys_at(url, BY_TIME) as keys:
        first = (await keys.acquire()).key.kid
        (second,) = await reach_together(url, cap=0)
        versions = await keys.versions()
    assert [version.kid for version in reversed(versions)][:2] == [first, second]
    assert len(versions) == 3


async def test_by_count_happens_once(url: str) -> None:
    async with keys_at(url, by_count(50)) as keys:
        first = {(await keys.acquire()).key.kid for _ in range(50)}
        (second,) = await reach_together(url, cap=50)
        versions = await keys.versions()
    assert [version.kid for version in reversed(versions)][:2] == [*first, second]
    assert [str(version.state) for version in versions] == [KeyState.PENDING, KeyState.ACTIVE, KeyState.RETIRING]


async def test_rejects_no_token_for_twenty_seconds(url: str, tmp_path: Path) -> None:
    """Rotating every two seconds; verified in other processes, and by PyJWT with a JWK Set cached as long as served."""
    async with keys_at(url, EVERY_TWO_SECONDS, quick=True) as keys:
        await keys.versions()
    commands = [
        ("mint_into", url, tmp_path, "one"),
        ("mint_into", url, tmp_path, "two"),
        ("verify_from", url, tmp_path, "mintkey"),
        ("verify_from", url, tmp_path, "pyjwt"),
    ]
    with process(MODULE, *commands) as fleet:
        await anyio.sleep(LONG)
        (tmp_path / "stop").touch()
        said, _ = await anyio.to_thread.run_sync(lambda: fleet.communicate(timeout=60))
        assert fleet.returncode == 0
    minted = sum(answer for answer in answers(said) if isinstance(answer, int))
    outcomes = [answer for answer in answers(said) if isinstance(answer, dict)]
    assert [set(outcome) for outcome in outcomes] == [{"good"}, {"good"}]
    assert min(outcome["good"] for outcome in outcomes) > minted / 2 > 50
    async with keys_at(url, EVERY_TWO_SECONDS, quick=True) as keys:
        signed = [version for version in await keys.versions() if version.mints]
    _logger.info("%d tokens, verified: %s; %d versions still remembered", minted, outcomes, len(signed))
    assert len(signed) > 3
