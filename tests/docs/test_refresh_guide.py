"""What the guide to sessions shows runs, over HTTP where it is meant for that, and does what the page says."""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from mintkey import ConfigurationError, InvalidTokenError, TokenRevokedError, TokenService, presets
from mintkey.events import Event, ReuseDetected
from mintkey.keys import MemoryKeyProvider
from mintkey.refresh import RefreshFlow
from mintkey.replay import MemoryReplayStore, RevocationCache
from mintkey.testing import FakeClock
from tests.docs.page import Page
from tests.support.families import FaultyFamilies
from tests.support.http_server import HttpServer, Reply, Request, json_reply, status

PAGE = Page("refresh")
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def store(clock: FakeClock) -> FaultyFamilies:
    return FaultyFamilies(clock=clock)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def tokens(clock, store, events) -> AsyncIterator[TokenService]:
    keys = MemoryKeyProvider(clock=clock)
    async with TokenService(
        issuer="https://myapp.example", keys=keys, replay=store, clock=clock, hooks=[events.append]
    ) as tokens:
        yield tokens


@pytest.fixture
def sessions(guide, tokens) -> RefreshFlow[Any]:
    return RefreshFlow(tokens, access=guide.API, refresh=presets.REFRESH)


def test_the_example_runs_as_it_stands(tmp_path: Path):
    command = [sys.executable, "-W", "error", "-c", PAGE.blocks()[0]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["signed in: 20 editor", "one line: True", "refused: revoked"]


async def test_the_alarm_is_raised(guide, sessions, clock, capsys):
    first = await sessions.issue("20")
    await sessions.refresh(first.refresh)
    clock.advance(10 * SECOND)
    await refused(sessions, first.refresh, "replayed")
    guide.alarm(ReuseDetected(purpose="refresh"))
    assert capsys.readouterr().out == "a refresh token came twice, its session is over\n"


async def refused(sessions, token, reason):
    with pytest.raises(InvalidTokenError) as caught:
        await sessions.refresh(token)
    assert caught.value.reason == reason


# At the token endpoint


@pytest.fixture
async def server(guide, sessions) -> AsyncIterator[HttpServer]:
    async with HttpServer() as server:

        async def token(request: Request) -> Reply:
            code, body = await guide.refreshed(sessions, request.form["refresh_token"], request.form.get("scope", ""))
            return json_reply(body, status=code)

        async def logout(request: Request) -> Reply:
            return status(await guide.signed_out(sessions, request.form["token"]))

        server.route("/token", token)
        server.route("/logout", logout)
        yield server


@pytest.fixture
async def client(server) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.url(), trust_env=False) as client:
        yield client


async def ask(client, token, **form) -> tuple[int, dict[str, Any]]:
    answer = await client.post("/token", data={"refresh_token": str(token), **form})
    return answer.status_code, answer.json()


async def test_two_tabs_and_a_lost_answer(guide, tokens, sessions, client, clock):
    first = await sessions.issue("20", claims={"role": "editor"}, scopes=["orders:read", "orders:write"])
    answers = await asyncio.gather(*(ask(client, first.refresh) for _ in range(2)))
    clock.advance(9 * SECOND)
    answers.append(await ask(client, first.refresh))
    assert [code for code, _ in answers] == [200] * 3
    body = answers[0][1]
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert body["token_type"] == "Bearer"
    assert 580 <= body["expires_in"] <= 600
    callers = [await tokens.verify(body["access_token"], guide.API, scopes=["orders:write"]) for _, body in answers]
    assert len({caller.id for caller in callers}) == 1
    assert callers[0].claims == {"role": "editor"}
    assert (await ask(client, answers[2][1]["refresh_token"]))[0] == 200


async def test_a_token_that_comes_twice_ends_the_session(sessions, client, clock, events):
    first = await sessions.issue("20")
    code, newest = await ask(client, first.refresh)
    assert code == 200
    clock.advance(10 * SECOND)
    for token in (first.refresh, newest["refresh_token"], "no token"):
        assert await ask(client, token) == (400, {"error": "invalid_grant"})
    assert [event for event in events if isinstance(event, ReuseDetected)] == [ReuseDetected(purpose="refresh")]


async def test_scopes_never_grow(guide, tokens, sessions, client):
    first = await sessions.issue("20", scopes=["orders:read", "orders:write"])
    assert await ask(client, first.refresh, scope="admin") == (400, {"error": "invalid_scope"})
    code, body = await ask(client, first.refresh, scope="orders:read")
    assert code == 200
    assert (await tokens.verify(body["access_token"], guide.API)).scopes == {"orders:read"}
    whole = (await ask(client, body["refresh_token"]))[1]
    assert (await tokens.verify(whole["access_token"], guide.API)).scopes == {"orders:read", "orders:write"}


async def test_a_store_that_is_away_logs_nobody_out(sessions, store, client):
    first = await sessions.issue("20")
    store.is_away = True
    assert await ask(client, first.refresh) == (503, {})
    assert (await client.post("/logout", data={"token": str(first.refresh)})).status_code == 503
    store.is_away = False
    assert (await ask(client, first.refresh))[0] == 200


async def test_signing_out_answers_the_same_whatever_the_token_is(sessions, client):
    first = await sessions.issue("20")
    for token in ("no token", str(first.access), str(first.refresh), str(first.refresh)):
        assert (await client.post("/logout", data={"token": token})).status_code == 200
    assert await ask(client, first.refresh) == (400, {"error": "invalid_grant"})


# How long


def test_the_defaults_are_those_of_the_table():
    rows = {name: default for name, default, _ in PAGE.rows("How long")}
    assert rows == {
        "setting": "default",
        "`access.lifetime`": "10 min",
        "`refresh.lifetime`": "12 h",
        "`family_lifetime`": "`refresh.lifetime`",
        "`grace`": "10 s",
    }
    assert (presets.ACCESS.lifetime, presets.REFRESH.lifetime) == (timedelta(minutes=10), timedelta(hours=12))
    parameters = inspect.signature(RefreshFlow).parameters
    assert (parameters["grace"].default, parameters["family_lifetime"].default) == (timedelta(seconds=10), None)


async def test_a_session_of_months_needs_keys_that_verify_as_long(guide, clock, tokens):
    with pytest.raises(ConfigurationError, match="previous_ttl"):
        guide.phone_sessions(tokens)
    keys = MemoryKeyProvider(clock=clock, policy=guide.POLICY)
    replay = MemoryReplayStore(clock=clock)
    async with TokenService(issuer="https://myapp.example", keys=keys, replay=replay, clock=clock) as patient:
        sessions = guide.phone_sessions(patient)
        pair = await sessions.issue("20")
        for _ in range(6):
            clock.advance(timedelta(days=13))
            pair = await sessions.refresh(pair.refresh)
        clock.advance(timedelta(days=12))
        await refused(sessions, pair.refresh, "expired")


# What a session says, and how it ends


async def test_roles_that_changed_and_fewer_scopes(guide, tokens, sessions):
    pair = await sessions.issue("20", claims={"role": "editor"}, scopes=["orders:read", "orders:write"])
    pair = await sessions.refresh(pair.refresh, claims={"role": "owner"}, scopes=["orders:read"])
    caller = await tokens.verify(pair.access, guide.API)
    assert (caller.claims, caller.scopes) == ({"role": "owner"}, {"orders:read"})
    pair = await sessions.refresh(pair.refresh)
    assert (await tokens.verify(pair.access, guide.API)).claims == {"role": "editor"}


async def test_another_device_and_everywhere(guide, tokens, sessions, clock):
    here, there, elsewhere = [await sessions.issue("20") for _ in range(3)]
    await sessions.revoke_family(there.family)
    await refused(sessions, there.refresh, "revoked")
    here = await sessions.refresh(here.refresh)
    await tokens.revoke_subject("20", presets.REFRESH)
    for pair in (here, elsewhere):
        with pytest.raises(TokenRevokedError):
            await sessions.refresh(pair.refresh)
    assert (await tokens.verify(here.access, guide.API)).subject == "20"  # for as long as it lives
    clock.advance(SECOND)
    await sessions.refresh((await sessions.issue("20")).refresh)


async def test_a_cache_of_revocations_passes_families_on(guide, clock):
    store = RevocationCache(MemoryReplayStore(clock=clock), clock=clock)
    keys = MemoryKeyProvider(clock=clock)
    async with TokenService(issuer="https://myapp.example", keys=keys, replay=store, clock=clock) as tokens:
        sessions = RefreshFlow(tokens, access=guide.API, refresh=presets.REFRESH)
        first = await sessions.issue("20")
        second = await sessions.refresh(first.refresh)
        assert (await sessions.refresh(first.refresh)).refresh.id == second.refresh.id
        await sessions.revoke(second.refresh)
        await refused(sessions, second.refresh, "revoked")


async def test_what_is_remembered_is_some_hundred_bytes_and_no_token(sessions, store):
    pair = await sessions.issue("a-person", claims={"role": "editor"})
    (documents,) = store.documents.values()
    assert len(documents[0]) < 200
    for told in ("a-person", "editor", str(pair.refresh)):
        assert told not in documents[0].decode()
    assert json.loads(documents[0])["id"] == pair.refresh.id


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 210
