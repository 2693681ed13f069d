"""What looking at revocable tokens costs a real server: counted by the server itself."""

import asyncio
from datetime import timedelta

import anyio.to_thread
import pytest

from benchmarks.server import reads
from mintkey import Purpose, TokenService
from mintkey.errors import TokenRevokedError
from mintkey.keys import MemoryKeyProvider
from mintkey.oauth.introspection import introspect
from mintkey.pace import Pace
from mintkey.replay import RedisReplayStore, RevocationCache
from mintkey.testing import FakeClock

LIFETIME = timedelta(minutes=10)
SESSION = Purpose("session", lifetime=LIFETIME, revocable=True)
BOTH = Purpose("both", lifetime=LIFETIME, revocable=True, single_use=True)


@pytest.fixture(params=["valkey", "debian_redis"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def tokens(server):
    """A service that has its connection already."""
    replay = RedisReplayStore(server.url)
    async with TokenService(issuer="https://issuer.test", keys=MemoryKeyProvider(), replay=replay) as service:
        await service.peek(await service.mint(SESSION, subject="warm"), SESSION)
        yield service


async def round_trips(server, *calls):
    """How often the server read something while the calls were made at the same time."""
    first, second = [await anyio.to_thread.run_sync(reads, server) for _ in range(2)]
    await asyncio.gather(*calls, return_exceptions=True)
    third = await anyio.to_thread.run_sync(reads, server)
    return third - second - (second - first)


async def test_a_look_at_a_revocable_token_is_one_round_trip(server, tokens):
    """Token, subject and epoch together."""
    session, both = [await tokens.mint(purpose, subject="20") for purpose in (SESSION, BOTH)]
    assert await round_trips(server, tokens.verify(session, SESSION)) == 1
    assert await round_trips(server, tokens.peek(session, SESSION)) == 1
    assert await round_trips(server, tokens.peek(both, BOTH)) == 1
    assert await round_trips(server, introspect(tokens, session, [SESSION])) == 1
    assert await round_trips(server, tokens.verify(await tokens.mint(SESSION), SESSION)) == 1


async def test_so_is_one_that_ends_in_a_refusal(server, tokens):
    session = await tokens.mint(SESSION, subject="20")
    await tokens.revoke_subject("20", SESSION)
    assert await round_trips(server, tokens.verify(session, SESSION)) == 1
    with pytest.raises(TokenRevokedError):
        await tokens.verify(session, SESSION)


async def test_concurrent_looks_share_it(server, tokens):
    # A crowd that takes long gives way to other tasks, and comes in several turns then. Here no time passes.
    tokens._pace = Pace(FakeClock())
    sessions = [await tokens.mint(SESSION, subject=str(number)) for number in range(20)]
    assert await round_trips(server, *(tokens.verify(session, SESSION) for session in sessions)) == 1


async def test_spending_looks_at_the_subject_first(server, tokens):
    """A round trip of its own: a token that is refused must not be spent."""
    both = await tokens.mint(BOTH, subject="20")
    assert await round_trips(server, tokens.verify(both, BOTH)) == 2


async def test_with_a_cache_a_token_that_comes_again_costs_none(server, tokens):
    cache = RevocationCache(tokens._replay, max_age=timedelta(minutes=1))
    cached = TokenService(issuer="https://issuer.test", keys=tokens._keys, replay=cache)
    session = await cached.mint(SESSION, subject="20")
    assert await round_trips(server, cached.verify(session, SESSION)) == 1
    assert await round_trips(server, *(cached.verify(session, SESSION) for _ in range(100))) == 0
    await cached.revoke(session, SESSION)
    with pytest.raises(TokenRevokedError):
        await cached.verify(session, SESSION)


async def test_on_a_cluster_the_two_may_be_at_two_nodes(redis_cluster):
    replay = RedisReplayStore(redis_cluster.url)
    async with TokenService(issuer="https://issuer.test", keys=MemoryKeyProvider(), replay=replay) as tokens:
        good, bad = [[await tokens.mint(SESSION, subject=f"{kind} {n}") for n in range(40)] for kind in ("good", "bad")]
        await asyncio.gather(*(tokens.revoke_subject(f"bad {number}", SESSION) for number in range(0, 40, 2)))
        await asyncio.gather(*(tokens.revoke(bad[number], SESSION) for number in range(1, 40, 2)))
        found = await asyncio.gather(*(tokens.peek(token, SESSION) for token in good + bad), return_exceptions=True)
    assert not [one for one in found[:40] if isinstance(one, BaseException)]
    assert [type(one) for one in found[40:]] == [TokenRevokedError] * 40
