"""A store that goes away under load: what can go on goes on, the rest is an outage and never a bad token."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from mintkey import SystemClock, TokenService
from mintkey.keys import KeyState
from tests.support.fleet_workers import A_MILLION, ISSUER, LASTING, keys_at
from tests.support.processes import process
from tests.support.servers import RedisServer, running

MODULE = "tests.support.fleet_workers"
NAMES = ("one", "two", "three")
BEFORE, AWAY, AFTER = 5.0, 10.0, 8.0  # seconds
TOLD = 2.5  # seconds until everybody noticed that the server is away, or back


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that writes down everything before it answers, and finds it again when it is started anew."""
    directory = tmp_path / "redis"
    directory.mkdir()
    with running("redis", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(directory)) as server:
        yield server


async def until_all_serve(directory: Path) -> None:
    """Processes begin slowly where many tests run at once."""
    with anyio.fail_after(60):
        while len(await anyio.to_thread.run_sync(lambda: list(directory.glob("*.ready")))) < len(NAMES):
            await anyio.lowlevel.checkpoint()


async def test_ten_seconds_without_redis(server: RedisServer, tmp_path: Path) -> None:
    """Multi-use tokens are minted and verified all the time, single use answers 503, nothing is called invalid."""
    clock = SystemClock()
    async with keys_at(server.url, A_MILLION) as keys:
        await keys.versions()
    with process(MODULE, *[("serve", server.url, tmp_path, name) for name in NAMES]) as fleet:
        await until_all_serve(tmp_path)
        await anyio.sleep(BEFORE)
        killed_at = clock.time()
        await anyio.to_thread.run_sync(server.kill)
        await anyio.sleep(AWAY)
        await anyio.to_thread.run_sync(server.start)
        back_at = clock.time()
        await anyio.sleep(AFTER)
        (tmp_path / "stop").touch()
        await anyio.to_thread.run_sync(lambda: fleet.communicate(timeout=60))
        assert fleet.returncode == 0
    for name in NAMES:
        outcomes = json.loads((tmp_path / f"{name}.json").read_text())
        before, away, after = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for moment, what, outcome in outcomes:
            if moment < killed_at:
                before[what, outcome] += 1
            elif killed_at + TOLD < moment < back_at:
                away[what, outcome] += 1
            elif moment > back_at + TOLD:
                after[what, outcome] += 1
        assert not [outcome for _, _, outcome in outcomes if outcome not in {"good", "503"}]
        # A machine that is busy with other tests may let a call or two run out of time, before and after.
        assert set(before) >= {("mint", "good"), ("verify", "good"), ("spend", "good")}
        assert set(away) == {("mint", "good"), ("verify", "good"), ("spend", "503")}
        assert set(after) >= {("mint", "good"), ("verify", "good"), ("spend", "good")}
        assert away["verify", "good"] > 20


async def test_a_server_that_forgets_everything_gets_the_ring_back(valkey: RedisServer) -> None:
    """The history of the kids goes on: what was signed before verifies, and nobody begins from nothing."""
    async with (
        TokenService(issuer=ISSUER, keys=keys_at(valkey.url, A_MILLION, quick=True)) as here,
        TokenService(issuer=ISSUER, keys=keys_at(valkey.url, A_MILLION, quick=True)) as there,
    ):
        token = await here.mint(LASTING)
        await there.verify(token, LASTING)
        await valkey.send("FLUSHALL")
        with anyio.fail_after(30):
            while not await valkey.send("DBSIZE"):
                await anyio.to_thread.run_sync(lambda: None)
        async with TokenService(issuer=ISSUER, keys=keys_at(valkey.url, A_MILLION, quick=True)) as new:
            assert (await new.verify(token, LASTING)).key_id == token.key_id
            later = await new.mint(LASTING)
        for tokens in (here, there):
            await tokens.verify(later, LASTING)
    async with keys_at(valkey.url, A_MILLION) as keys:
        kids = {version.kid: version.state for version in await keys.versions()}
    assert token.key_id in kids
    # Nobody knows how often the version that signed was counted, so that it signs no more.
    assert kids[token.key_id] is KeyState.RETIRING
