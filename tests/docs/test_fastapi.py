"""What the guide to FastAPI shows runs, and answers as its tables say."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import Depends, Response, Security
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from mintkey import ConfigurationError, KeyProviderError, ReplayStoreError, TokenService
from mintkey.integrations.fastapi import TokenBearer, lifespan
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.docs.page import Page
from tests.support.http_server import HttpServer, json_reply

PAGE = Page("how-to/fastapi")
URL = "https://myapp.example"
BEARER = "WWW-Authenticate: Bearer"


@pytest.fixture
def guide() -> SimpleNamespace:
    *application, _test = PAGE.blocks()
    names: dict[str, object] = {"__name__": "myapp"}
    for block in application:
        exec(block, names)  # noqa: S102 - the page is ours
    return SimpleNamespace(**names)


@asynccontextmanager
async def client_of(app) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=URL) as client,
    ):
        yield client


@pytest.fixture
async def client(guide) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(guide.app) as client:
        yield client


@pytest.fixture
def mint(guide):
    async def mint(*scopes, purpose=None):
        return await guide.app.state.tokens.mint(purpose or guide.ACCESS, subject="20", scopes=scopes)

    return mint


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_application_and_its_test_are_what_somebody_can_run(tmp_path):
    *application, test = PAGE.blocks()
    (tmp_path / "myapp.py").write_text("\n".join(application), encoding="utf-8")
    (tmp_path / "test_myapp.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


async def _nothing() -> None:
    """A route that does nothing."""


# Who gets in


async def test_everybody_is_told_what_the_table_says(guide, client, mint, monkeypatch):
    good = await mint("orders:read")
    foreign = TokenService(issuer="https://other.example", keys=MemoryKeyProvider())

    async def ask(headers=None, **more) -> list[str]:
        answer = await client.get("/orders", headers=headers, **more)
        told = [
            f"`{name}: {answer.headers[name]}`"
            for name in ("WWW-Authenticate", "Retry-After")
            if name in answer.headers
        ]
        word = "" if answer.is_success else f"`{answer.json()['detail']}`"
        return [str(answer.status_code), "".join(told), word]

    assert await ask() == await ask({"Authorization": "Basic YTpi"})
    two = httpx2.Headers([("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")])
    found = {
        "no token": await ask(),
        "two tokens": await ask(two),
        "a token in the query alone": await ask(params={"access_token": good}),
        "an expired, forged, revoked or foreign token": await ask(
            bearing(await foreign.mint(guide.ACCESS, subject="20"))
        ),
        "a token without the scope": await ask(bearing(await mint("orders:write"))),
        "a good token": await ask(bearing(good)),
    }

    async def away(*_arguments: object, **_more: object) -> None:
        raise KeyProviderError("away")

    monkeypatch.setattr(guide.app.state.tokens, "verify", away)
    found["a token, and the keys or the store away"] = await ask(bearing(good))
    rows = PAGE.rows("Who gets in, and what the others are told")[1:]
    assert {row[0]: row[1:] for row in rows} == found


@pytest.mark.parametrize("what", ["expired", "forged", "revoked", "of another purpose"])
async def test_a_bad_token_is_a_bad_token(guide, what):
    clock = FakeClock(datetime.now(UTC))
    keys = MemoryKeyProvider(clock=clock)
    tokens = TokenService(issuer=URL, keys=keys, replay=MemoryReplayStore(clock=clock), clock=clock)
    guide.app.router.lifespan_context = lifespan(tokens)
    access = guide.ACCESS
    async with client_of(guide.app) as client:
        token = await tokens.mint(access, subject="20", scopes=["orders:read"])
        match what:
            case "expired":
                clock.advance(timedelta(minutes=11))
            case "forged":
                token = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
            case "revoked":
                await keys.revoke(token.key_id)
            case _:
                token = await tokens.mint(guide.SHARE, subject="20")
        answer = await client.get("/orders", headers=bearing(token))
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid_token"})
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_scopes_of_routers_and_nested_dependencies_add_up(guide, mint):
    async def nested(reader):
        return reader

    nested.__annotations__["reader"] = guide.Reader
    guide.app.add_api_route("/both", _nothing, dependencies=[Security(nested, scopes=["orders:write"])])
    async with client_of(guide.app) as client:
        lacking = await client.get("/both", headers=bearing(await mint("orders:read")))
        enough = await client.get("/both", headers=bearing(await mint("orders:read", "orders:write")))
    assert (lacking.status_code, enough.status_code) == (403, 200)


async def test_openapi_has_the_scheme(guide, client):
    schemes = (await client.get("/openapi.json")).json()["components"]["securitySchemes"]
    assert schemes["access"]["scheme"] == "bearer"


async def test_a_guard_spends_a_token_for_single_use(guide, mint):
    guide.app.add_api_route("/once", _nothing, dependencies=[Depends(TokenBearer(guide.SHARE))])
    async with client_of(guide.app) as client:
        token = await mint(purpose=guide.SHARE)
        answers = [(await client.get("/once", headers=bearing(token))).status_code for _ in range(2)]
    assert answers == [200, 401]


# In a route


async def test_a_share_is_opened_once(client, mint):
    token = (await client.post("/shares", headers=bearing(await mint("orders:read")))).json()["token"]
    opened = [await client.post("/shares/open", data={"token": token}) for _ in range(2)]
    assert opened[0].json() == {"orders of": "20"}
    assert (opened[1].status_code, opened[1].json()) == (401, {"detail": "invalid_token"})


async def test_what_a_route_raises_is_answered(guide, client, mint):
    token = await mint(purpose=guide.SHARE)
    async with guide.app.state.tokens.redeem(token, guide.SHARE):
        taken = await client.post("/shares/open", data={"token": token})
    assert (taken.status_code, taken.headers["retry-after"]) == (409, "1")
    error = ReplayStoreError("away")
    guide.app.add_api_route("/away", partial(_raise, error))
    away = await client.get("/away")
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")


async def _raise(error: Exception) -> None:
    raise error


# WebSockets


def test_a_websocket_has_the_same_guard(guide):
    with TestClient(guide.app, base_url=URL) as client:
        token = client.portal.call(partial(guide.app.state.tokens.mint, guide.ACCESS, subject="20"))
        with client.websocket_connect("/news", headers=bearing(token)) as socket:
            assert socket.receive_text() == "hello 20"
            socket.send_text("bye")
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/news"):
            pass
    assert (refused.value.status_code, refused.value.headers["www-authenticate"]) == (401, "Bearer")


def test_a_websocket_ends_with_its_token(guide):
    clock = FakeClock(datetime.now(UTC) - timedelta(minutes=10, milliseconds=900))
    tokens = TokenService(issuer=URL, keys=MemoryKeyProvider(clock=clock), replay=None, clock=clock)
    guide.app.router.lifespan_context = lifespan(tokens)
    with TestClient(guide.app, base_url=URL) as client:
        token = client.portal.call(partial(tokens.mint, guide.ACCESS, subject="20"))
        with client.websocket_connect("/news", headers=bearing(token)) as socket:
            assert socket.receive_text() == "hello 20"
            with pytest.raises(WebSocketDisconnect):  # its time is over by the machine's clock
                socket.receive_text()


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 1008), (KeyProviderError("away"), 1013), (ConfigurationError("a mistake"), 1011)],
    ids=["bad-token", "keys-away", "mistake"],
)
def test_a_server_that_cannot_deny_closes(guide, monkeypatch, error, code):
    async def plain(scope, receive, send):
        if scope["type"] == "websocket":
            scope["extensions"] = {}
        await guide.app(scope, receive, send)

    with TestClient(plain, base_url=URL) as client:
        if error is not None:
            monkeypatch.setattr(guide.app.state.tokens, "verify", lambda *_, **__: _raise(error))
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/news", headers=bearing("a.b.c")),
        ):
            pass
    assert refused.value.code == code


# Cookies


async def test_a_session_in_a_cookie(client, mint):
    token = await mint()
    answer = await client.post("/session", headers=bearing(token))
    (field,) = answer.headers.get_list("set-cookie")
    for part in ("__Host-access=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age="):
        assert part in field
    assert (await client.get("/inbox")).json() == {"mail of": "20"}
    assert (await client.get("/inbox", headers=bearing(token))).status_code == 400
    for _ in range(2):
        assert (await client.post("/session", headers=bearing(token))).status_code == 204
    assert len(client.cookies) == 1
    client.cookies.clear()
    assert (await client.get("/inbox")).status_code == 401


def test_signing_out_clears_the_cookie(guide):
    response = Response()
    guide.ACCESS_COOKIE.clear(response)
    assert "Max-Age=0" in response.headers["set-cookie"]


# Another answer


async def test_people_come_to_the_login_page_and_programs_are_refused(client, mint):
    page = await client.get("/inbox", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    assert (await client.get("/inbox", headers={"Accept": "application/json"})).status_code == 401
    poor = {"Accept": "text/html", **bearing(await mint())}
    assert (await client.get("/orders", headers=poor)).status_code == 403


# An API that only verifies


async def test_an_api_verifies_by_the_published_keys(guide, client, mint, server: HttpServer):
    published = await client.get("/.well-known/jwks.json")
    assert published.headers["cache-control"].startswith("public, max-age=")
    assert all("d" not in key for key in published.json()["keys"])
    unchanged = await client.get("/.well-known/jwks.json", headers={"If-None-Match": published.headers["etag"]})
    assert unchanged.status_code == 304
    assert (await guide.app.state.tokens.jwks()).max_age < RotationPolicy().publish_ahead

    server.route("/jwks", json_reply(published.json()))
    guide.api.router.lifespan_context = lifespan(lambda: guide.verifier(server.url("/jwks")))
    async with client_of(guide.api) as api:
        answer = await api.get("/orders", headers=bearing(await mint("orders:read")))
        assert answer.json() == {"orders of": "20"}
        assert (await api.get("/orders")).status_code == 401


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
