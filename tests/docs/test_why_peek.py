"""The story of the page happens as it is told, and the router answers as its table says."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from mintkey import TokenService, VerifiedToken, presets
from mintkey.integrations.fastapi import lifespan, magic_link_router
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock, FaultyReplayStore, StoreFault
from tests.docs.page import Page
from tests.support.web import client_of

PAGE = Page("explanation/why-peek")
LOGIN = presets.MAGIC_LINK.replace(audience="myapp.web")


def test_the_story_is_told_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    PAGE.names()
    assert capsys.readouterr().out == PAGE.blocks("text")[0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def store(clock: FakeClock) -> FaultyReplayStore:
    return FaultyReplayStore(MemoryReplayStore(clock=clock))


@pytest.fixture
def tokens(clock: FakeClock, store: FaultyReplayStore) -> TokenService:
    keys = MemoryKeyProvider(clock=clock)
    return TokenService(issuer="https://myapp.example", keys=keys, replay=store, clock=clock)


@pytest.fixture
async def client(tokens: TokenService) -> AsyncIterator[httpx2.AsyncClient]:
    async def welcome(_: Request, used: VerifiedToken[dict[str, Any]]) -> Response:
        return PlainTextResponse(f"hello {used.subject}", status_code=201)

    app = FastAPI(lifespan=lifespan(tokens))
    app.include_router(magic_link_router(LOGIN, on_success=welcome))
    async with client_of(app) as client:
        yield client


async def test_the_router_answers_as_the_table_says(
    tokens: TokenService, store: FaultyReplayStore, clock: FakeClock, client: httpx2.AsyncClient
) -> None:
    async def look(link: str, method: str = "GET") -> int:
        return (await client.request(method, "/magic", params={"token": link})).status_code

    async def press(link: str, where: str = "same-origin") -> int:
        answer = await client.post("/magic", data={"token": link}, headers={"Sec-Fetch-Site": where})
        return answer.status_code

    link, late = [str(await tokens.mint(LOGIN, subject="20")) for _ in range(2)]
    looks = {await look(link, method) for method in ("GET", "HEAD") for _ in range(10)}
    elsewhere = await press(link, "cross-site")
    store.fail_always(StoreFault.BEFORE)
    away = await client.get("/magic", params={"token": link})
    store.heal()
    pressed = await press(link)
    over = {await look(link), await press(link)}
    clock.advance(timedelta(hours=1))
    over.add(await look(late))
    nonsense = await look("nonsense")

    rows = [row for row in PAGE.rows("What the router does") if row[0] not in {"request", "promise"}]
    said = [row[1] for row in rows if not row[1].startswith("`tests/")]
    got = [*looks, pressed, elsewhere, *over, nonsense, away.status_code]
    assert got == [200, 201, 403, 410, 400, 503]
    assert [answer[:3] for answer in said] == ["200", "you", "403", "410", "400", "503"]
    assert "retry-after" in away.headers


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
