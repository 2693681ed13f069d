"""What the recipe for Litestar shows runs under Litestar, and answers as its table says."""

import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType, SimpleNamespace

import httpx2
import pytest
from anyio import to_thread
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from mintkey import ConfigurationError, MintkeyError, Reason, ReplayStoreError, SignatureError
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.docs.refusals import ISSUER, Ask, bearer, refusals, row, with_a_key_of_nobody
from tests.support.servers import RedisServer

PAGE = Page("litestar")


def recipe(monkeypatch: pytest.MonkeyPatch, store: str, **settings: str) -> SimpleNamespace:
    for name, value in {"STORE": store, "ISSUER": ISSUER, **settings}.items():
        monkeypatch.setenv(f"MINTKEY_{name}", value)
    # An application of Litestar sets up logging, and that of this process is pytest's.
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)
    # Litestar looks for the module of a handler to read its annotations.
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    return SimpleNamespace(**PAGE.names(__name__="shop"))


@pytest.fixture
def shop(monkeypatch) -> SimpleNamespace:
    return recipe(monkeypatch, "memory://")


@asynccontextmanager
async def client_of(shop: SimpleNamespace) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client in the test's event loop, so that the test can mint; Litestar's own client has another."""
    async with (
        shop.app.lifespan(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(shop.app), base_url=ISSUER) as client,
    ):
        yield client


def asking(client: httpx2.AsyncClient) -> Ask:
    async def ask(headers: Sequence[tuple[str, str]]):
        answer = await client.get("/orders", headers=list(headers))
        return answer.status_code, answer.headers

    return ask


async def test_the_guard_lets_in_and_says_who(shop):
    async with client_of(shop) as client:
        token = await shop.tokens.mint(shop.ACCESS, subject="20", scopes=["orders:read"])
        for headers in (dict([bearer(token)]), {"Cookie": f"{shop.SESSION.name}={token}"}):
            answer = await client.get("/orders", headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"orders of": "20"})


async def test_refusals_are_those_of_the_table(shop):
    async with client_of(shop) as client:
        token = await shop.tokens.mint(shop.ACCESS, subject="20")
        told = await refusals(
            asking(client), shop.tokens, shop.ACCESS, both=[("Cookie", f"{shop.SESSION.name}={token}")]
        )
        assert PAGE.rows("Refusals")[1:5] == told


async def test_an_outage_is_told_as_one(monkeypatch, own_valkey: RedisServer):
    shop = await to_thread.run_sync(lambda: recipe(monkeypatch, own_valkey.url, SEAL_KEYS=Sealer.generate_key()))
    async with client_of(shop) as client:
        good = await shop.tokens.mint(shop.ACCESS, subject="20", scopes=["orders:read"])
        link = await shop.tokens.mint(shop.LOGIN, subject="20")
        await to_thread.run_sync(own_valkey.kill)
        answer = await asking(client)([bearer(await with_a_key_of_nobody(shop.ACCESS))])
        assert [row("a key that nobody can look up, because the store is away", answer)] == PAGE.rows("Refusals")[5:]
        assert (await asking(client)([bearer(good)]))[0] == 200
        page = await client.get("/magic", params={"token": link})
        assert (page.status_code, page.headers["retry-after"]) == (503, "1")


def test_websockets(shop):
    with TestClient(shop.app, base_url=ISSUER) as client:
        token = client.blocking_portal.call(partial(shop.tokens.mint, shop.ACCESS, subject="20"))
        with client.websocket_connect("/news", headers=dict([bearer(token)])) as socket:
            assert socket.receive_text() == "hello 20"
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/news"):
            pass
    assert (refused.value.code, refused.value.detail) == (1008, "not_authenticated")
    busy = shop.refused(SimpleNamespace(scope={"type": "websocket"}), shop.answer_to(ReplayStoreError("away")))
    assert busy.code == 1013


async def test_a_link_signs_in_once_and_looking_spends_nothing(shop):
    async with client_of(shop) as client:
        mails: list[tuple[str, str]] = []

        async def send_mail(to: str, text: str) -> None:
            mails.append((to, text))

        shop.ask_for_link.fn.__globals__["send_mail"] = send_mail
        assert (await client.post("/links", data={"email": "alice@example.com"})).status_code == 202
        ((to, link),) = mails
        assert to == "alice@example.com"
        for _ in range(3):
            assert (await client.get(link)).status_code == 200
            assert (await client.head(link)).status_code == 200
        form = {"token": link.partition("token=")[2]}
        answer = await client.post("/magic", data=form, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await client.get("/orders")).json() == {"orders of": "alice@example.com"}
        assert (await client.post("/magic", data=form)).status_code == 410


async def test_keys_are_public_and_the_schema_shows_the_scheme(shop):
    async with client_of(shop) as client:
        answer = await client.get("/.well-known/jwks.json")
        assert answer.json() == (await shop.tokens.jwks()).as_dict()
        assert answer.headers["cache-control"].startswith("public, max-age=")
        again = await client.get("/.well-known/jwks.json", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        schema = (await client.get("/schema/openapi.json")).json()
        assert schema["components"]["securitySchemes"]["access"]["scheme"] == "bearer"
        assert (await client.get("/nowhere")).status_code == 404


async def test_errors_of_routes_are_told_like_those_of_the_guard(shop):
    async with client_of(shop) as client:

        async def answer_to(error: MintkeyError) -> tuple[int, dict[str, object]]:
            async def raises(*_: object) -> None:
                raise error

            shop.ask_for_link.fn.__globals__["send_mail"] = raises
            answer = await client.post("/links", data={"email": "alice@example.com"})
            return answer.status_code, json.loads(answer.content)

        reserved = ReplayStoreError("busy", reason=Reason.TOKEN_RESERVED)
        assert await answer_to(SignatureError("forged")) == (401, {"status_code": 401, "detail": "invalid_token"})
        assert await answer_to(ConfigurationError("ours")) == (500, {"status_code": 500, "detail": "server_error"})
        assert await answer_to(reserved) == (409, {"status_code": 409, "detail": "token_reserved"})
        assert await answer_to(ReplayStoreError("away")) == (
            503,
            {"status_code": 503, "detail": "temporarily_unavailable"},
        )


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
