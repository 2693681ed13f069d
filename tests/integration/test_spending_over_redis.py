"""Single use end to end: a service, a ring of keys and a real server, through races, lost replies and restarts."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from mintkey import MintRequest, Reason, ReplayStoreError, TokenReplayedError
from mintkey.errors import InvalidTokenError
from tests.support.spender import LINK, service, spend_all

PROCESSES, TOKENS = 8, 50


@pytest.fixture
def keys_at(tmp_path):
    return str(tmp_path / "keys")


@pytest.fixture(params=["valkey", "debian_redis"])
def server(request):
    return request.getfixturevalue(request.param)


async def mint(keys_at, url, count):
    async with service(keys_at, url) as tokens:
        return [str(token) for token in await tokens.mint_many(LINK, [MintRequest(subject="20")] * count)]


def test_of_eight_processes_exactly_one_wins_each_token(keys_at, server):
    tokens = asyncio.run(mint(keys_at, server.url, TOKENS))
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(spend_all, keys_at, server.url, tokens) for _ in range(PROCESSES)]
        results = [future.result() for future in futures]
    won = sorted(position for positions, _ in results for position in positions)
    assert won == list(range(TOKENS))
    assert sum(refused for _, refused in results) == PROCESSES * TOKENS - TOKENS


async def test_a_dead_server_lets_nobody_in_and_a_new_one_cannot_prove_old_tokens(keys_at, own_valkey):
    async with service(keys_at, own_valkey.url) as tokens:
        old = await tokens.mint(LINK)
        await asyncio.to_thread(own_valkey.kill)
        for call in (tokens.verify, tokens.peek):
            with pytest.raises(ReplayStoreError) as caught:
                await call(old, LINK)
            assert caught.value.status_code == 503
        await asyncio.to_thread(own_valkey.start)
        with pytest.raises(TokenReplayedError) as refused:
            await tokens.verify(old, LINK)
        assert refused.value.reason is Reason.REPLAY_UNPROVABLE


async def test_a_thousand_concurrent_callers_have_one_winner(keys_at, valkey):
    async with service(keys_at, valkey.url) as tokens:
        token = await tokens.mint(LINK)
        outcomes = await asyncio.gather(*(tokens.verify(token, LINK) for _ in range(1000)), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TokenReplayedError) for outcome in outcomes) == 999


async def test_nothing_about_a_person_reaches_the_server(keys_at, valkey):
    async with service(keys_at, valkey.url) as tokens:
        token = await tokens.mint(LINK, subject="alice", claims={"email": "alice@example.com"})
        await tokens.verify(token, LINK)
    keys = await asyncio.to_thread(valkey.command, "KEYS", "*")
    values = [await asyncio.to_thread(valkey.command, "GET", key) for key in keys]
    assert keys
    for text in (*keys, *values):
        assert "alice" not in text
        assert token.id not in text


async def test_a_forged_token_marks_nothing(keys_at, valkey):
    async with service(keys_at, valkey.url) as tokens:
        token = await tokens.mint(LINK)
        before = await asyncio.to_thread(valkey.command, "DBSIZE")
        header, payload, signature = token.split(".")
        for forged in (f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload}.", token + "A"):
            with pytest.raises(InvalidTokenError):
                await tokens.verify(forged, LINK)
            with pytest.raises(InvalidTokenError):
                await tokens.revoke(forged, LINK)
        assert await asyncio.to_thread(valkey.command, "DBSIZE") == before
