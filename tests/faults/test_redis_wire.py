"""Every call to Redis, with every mishap to every exchange: the caller is told the truth, and nobody wins twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from time import monotonic

import anyio
import pytest

from mintkey.errors import BackendError, Reason
from mintkey.replay.base import ClaimOutcome
from tests.faults.ground import Fate, Ground, Stores, attempt, opened, redis_stores
from tests.faults.matrix import cells
from tests.faults.paths import PATHS, claim
from tests.faults.plays import LONG, over_redis
from tests.faults.wire import Mishap, Way
from tests.support.servers import RedisServer

PATIENCE, SHORT = 3.0, 0.6
CUTS = [Mishap.RESET_BEFORE, Mishap.REQUEST_CUT, Mishap.RESET_AFTER, Mishap.TRUNCATED]
EACH_KIND = ["claim", "revoke", "swap ring", "give mints back", "publish"]


@pytest.fixture
async def way(valkey: RedisServer) -> AsyncIterator[Way]:
    async with Way(valkey.port) as way:
        yield way


def behind(way: Way, mishap: Mishap) -> Stores:
    return redis_stores(f"redis://127.0.0.1:{way.port}", SHORT if mishap is Mishap.BLACK_HOLE else PATIENCE)


@pytest.mark.parametrize(("name", "mishap"), cells("redis", Mishap))
async def test_a_call_is_told_what_happened_to_it(valkey: RedisServer, name: str, mishap: Mishap) -> None:
    assert len(await over_redis(valkey, name, mishap)) == 1


@pytest.mark.parametrize(("name", "mishap"), cells("redis", CUTS, names=EACH_KIND))
async def test_so_is_one_that_begins_with_opening_everything(valkey: RedisServer, name: str, mishap: Mishap) -> None:
    """The handshake, the look at the server, the beginning of its memory: whatever comes before the call itself."""
    assert len(await over_redis(valkey, name, mishap, is_warm=False)) > 1


@pytest.mark.parametrize(("name", "mishap"), cells("redis", [Mishap.REQUEST_CUT, Mishap.TRUNCATED]))
async def test_so_is_one_that_is_cut_anywhere(valkey: RedisServer, name: str, mishap: Mishap) -> None:
    """Of a few commands in one write, some may be executed, and some answers may arrive."""
    shares = [step / 10 for step in range(1, 10)]
    assert len(await over_redis(valkey, name, mishap, shares=shares)) == len(shares)


@pytest.mark.parametrize("name", PATHS["redis"])
async def test_where_nobody_answers_every_first_caller_is_told_in_its_own_time(
    valkey: RedisServer, way: Way, name: str
) -> None:
    """Something has to be done once before the first call; whoever waits for that waits no longer than for a call."""
    path = PATHS["redis"][name]
    tried, sure = behind(way, Mishap.BLACK_HOLE), redis_stores(valkey.url, LONG)
    async with opened(tried, sure):
        grounds = [Ground(tried, sure) for _ in range(12)]
        for ground in grounds:
            await path.before(ground)
        way.arm(Mishap.BLACK_HOLE)
        began = monotonic()
        fates = await asyncio.gather(*(attempt(path.call(ground)) for ground in grounds))
        assert monotonic() - began < 3 * SHORT
        assert {fate for fate, _ in fates} == {Fate.NOTHING}
        way.heal()
        for ground, (fate, answer) in zip(grounds, fates, strict=True):
            await path.after(ground, fate, answer)


async def test_answers_that_come_to_another_connection_are_nobody_s(valkey: RedisServer, way: Way) -> None:
    """As behind a proxy that mixes its clients up: each claim is a first use, and told so."""
    one, other, sure = (behind(way, Mishap.LATE), behind(way, Mishap.LATE), redis_stores(valkey.url, LONG))
    async with opened(one, other, sure):
        await one.marks.status("warm", issued_at=Ground(one, sure).issued_at)
        await other.marks.status("warm", issued_at=Ground(one, sure).issued_at)
        way.cross()
        grounds = Ground(one, sure), Ground(other, sure)
        fates = await asyncio.gather(*(attempt(PATHS["redis"]["claim"].call(ground)) for ground in grounds))
        assert way.has_struck
        assert fates == [(Fate.DONE, ClaimOutcome.ACCEPTED)] * 2
        assert [await claim(ground) for ground in grounds] == [ClaimOutcome.SPENT] * 2


@pytest.mark.parametrize("mishap", [m for m in Mishap if m not in {Mishap.TOO_LATE, Mishap.BLACK_HOLE}])
async def test_of_many_who_want_one_token_one_gets_it(valkey: RedisServer, way: Way, mishap: Mishap) -> None:
    """The ledger: grants per token, whatever becomes of whose exchange, and however often they ask again."""
    sure = redis_stores(valkey.url, LONG)
    processes = [behind(way, mishap) for _ in range(3)]
    async with opened(sure, *processes):
        for process in processes:
            await process.warm("marks", "warm")
        tokens = [Ground(sure, sure) for _ in range(8)]
        granted: dict[str, set[str]] = {token.name: set() for token in tokens}

        async def want(token: Ground) -> None:
            fate, answer = Fate.UNKNOWN, None
            while fate is not Fate.DONE:
                fate, answer = await attempt(PATHS["redis"]["claim"].call(token))
            assert answer in {ClaimOutcome.ACCEPTED, ClaimOutcome.SPENT}
            if answer is ClaimOutcome.ACCEPTED:
                granted[token.name].add(token.owner)

        async def fail() -> None:
            for number in range(12):
                way.arm(mishap, after=number % 3)
                await anyio.sleep(0.005)

        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            for process, token in product(processes * 4, tokens):
                group.start_soon(want, Ground(process, sure, token.name))
        assert [len(owners) for owners in granted.values()] == [1] * len(tokens)


@pytest.mark.parametrize("mishap", Mishap)
async def test_a_look_is_answered_or_fails_and_changes_nothing(valkey: RedisServer, way: Way, mishap: Mishap) -> None:
    tried, sure = behind(way, mishap), redis_stores(valkey.url, LONG)
    async with opened(tried, sure):
        ground = Ground(tried, sure)
        await tried.warm("marks", ground.name)
        await tried.warm("rings", ground.name)
        before = await valkey.send("DBSIZE")
        looks: list[Callable[[], Awaitable[object]]] = [
            lambda: tried.marks.status(ground.name, issued_at=ground.issued_at),
            lambda: tried.marks.family(ground.name, issued_at=ground.issued_at),
            lambda: tried.rings.load(ground.name),
        ]
        for look in looks:
            way.arm(mishap)
            _, answer = await attempt(look())
            assert way.has_struck
            assert isinstance(answer, BackendError) is (mishap is Mishap.BLACK_HOLE)
            if isinstance(answer, BackendError):
                assert answer.reason in {Reason.REPLAY_UNAVAILABLE, Reason.KEYS_UNAVAILABLE}
            way.heal()
        assert await valkey.send("DBSIZE") == before
