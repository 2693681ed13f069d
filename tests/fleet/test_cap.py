"""A cap for the whole fleet: hard, through crashes, and next to nothing of it is wasted."""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import jwt
import pytest

from mintkey import TokenService
from tests.support.fleet_workers import ISSUER, LASTING, by_count, keys_at
from tests.support.processes import process

_logger = logging.getLogger(__name__)

PROCESSES, MINTS, CAP = 6, 1500, 500
KILLED_AFTER = MINTS // 2
BLOCK = 2 * (CAP // 64)  # what a process sets aside at most, and the next of these ahead of need
MODULE = "tests.support.fleet_workers"


@pytest.fixture(params=["valkey", "debian_redis", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


def tokens_of(url: str, number: int) -> list[str]:
    """What one process minted; the first two are killed half-way."""
    with process(MODULE, ("mint", url, MINTS, CAP)) as worker:
        assert worker.stdout is not None
        said = list[str]()
        for line in worker.stdout:
            said.append(line.strip())
            if number < 2 and len(said) == KILLED_AFTER:
                worker.kill()
        if number < 2:
            assert KILLED_AFTER <= len(said) < MINTS
        else:
            assert said.pop() == '"done"'
        return [token for token in said if token.count(".") == 2]


async def test_no_version_signs_beyond_it_though_two_of_six_processes_are_killed(url: str) -> None:
    async with keys_at(url, by_count(CAP)) as keys:
        await keys.versions()
        run: Callable[[int], list[str]] = lambda number: tokens_of(url, number)  # noqa: E731 - for map
        with ThreadPoolExecutor(PROCESSES) as threads:
            minted = await anyio.to_thread.run_sync(lambda: list(threads.map(run, range(PROCESSES))))
        tokens = [token for said in minted for token in said]
        signed = Counter(jwt.get_unverified_header(token)["kid"] for token in tokens)
        assert len(tokens) == len(set(tokens)) >= 2 * KILLED_AFTER + (PROCESSES - 2) * MINTS
        assert max(signed.values()) <= CAP

        async with TokenService(issuer=ISSUER, keys=keys) as elsewhere:
            for token in tokens:
                await elsewhere.verify(token, LASTING)
            versions = await keys.versions()

    counted = {version.kid: version.mints for version in versions}
    assert max(counted.values()) <= CAP
    assert all(signed[kid] <= counted[kid] for kid in signed)
    # What the killed ones held is lost. What the others held at a hand-over is little, because blocks shrink to one.
    assert len(signed) <= -(-(len(tokens) + 2 * BLOCK) // CAP)
    assert len(versions) == len(signed) + 1
    wasted = sum(CAP - signed[version.kid] for version in versions if version.retires_at is not None)
    assert wasted <= 2 * BLOCK + PROCESSES * len(signed)
    _logger.info("%d tokens, %d versions signed, %d mints wasted", len(tokens), len(signed), wasted)
