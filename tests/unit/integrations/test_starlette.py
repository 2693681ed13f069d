"""Starlette without FastAPI: the same guard, the same answers."""

import inspect
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from mintkey import ConfigurationError, KeyProviderError, MalformedTokenError, Purpose, TokenService
from mintkey.integrations import fastapi, starlette
from mintkey.integrations.starlette import (
    RefusedError,
    TokenGuard,
    TokenState,
    answer_to,
    install_error_handlers,
    lifespan,
    respond,
)
from tests.support.web import bearer_header, client_of, service

API = Purpose("api", lifetime=timedelta(minutes=5), audience="app")
guard = TokenGuard(API)


async def orders(request: Request) -> JSONResponse:
    user = await guard(request, scopes=["orders"])
    return JSONResponse({"user": user.subject})


async def news(websocket: WebSocket) -> None:
    user = await guard(websocket)
    await websocket.accept()
    await websocket.send_text(user.subject or "")
    await websocket.receive_text()
    raise MalformedTokenError("a token in a message is refused")


def application(tokens: TokenService, *, handlers: bool = True) -> Starlette:
    app = Starlette(lifespan=lifespan(tokens), routes=[Route("/orders", orders), WebSocketRoute("/news", news)])
    if handlers:
        install_error_handlers(app)
    return app


async def test_requests_are_guarded():
    tokens = service()
    async with client_of(application(tokens)) as client:
        good = await client.get("/orders", headers=await bearer_header(tokens, API, "orders"))
        assert good.json() == {"user": "20"}
        poor = await client.get("/orders", headers=await bearer_header(tokens, API))
        assert (poor.status_code, poor.json()) == (403, {"detail": "insufficient_scope"})
        assert poor.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="orders"'
        assert poor.headers["cache-control"] == "no-store"


async def test_without_handlers_starlette_says_it_in_plain_text():
    async with client_of(application(service(), handlers=False)) as client:
        answer = await client.get("/orders")
    assert (answer.status_code, answer.text, answer.headers["www-authenticate"]) == (401, "not_authenticated", "Bearer")


def test_websockets_are_guarded_and_closed_with_a_code():
    tokens = service()
    with TestClient(application(tokens)) as client:
        assert client.portal is not None
        headers = client.portal.call(bearer_header, tokens, API)
        with client.websocket_connect("/news", headers=headers) as websocket:
            assert websocket.receive_text() == "20"
            websocket.send_text("x")
            with pytest.raises(WebSocketDisconnect) as closed:
                websocket.receive_text()
            assert (closed.value.code, closed.value.reason) == (1008, "invalid_token")
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/news"):
            pass


def test_the_state_is_typed():
    if not hasattr(State, "__getitem__"):
        pytest.skip("a Starlette whose state has attributes only")

    async def ready(request: "Request[TokenState]") -> JSONResponse:
        tokens: TokenService = request.state["tokens"]
        return JSONResponse((await tokens.health()).ok)

    with TestClient(Starlette(lifespan=lifespan(service()), routes=[Route("/ready", ready)])) as client:
        assert client.get("/ready").json() is True


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MalformedTokenError("x"), 1008),
        (KeyProviderError("x"), 1013),
        (ConfigurationError("x"), 1011),
    ],
    ids=["token", "backend", "configuration"],
)
def test_a_server_that_cannot_send_a_response_closes(error: Exception, code: int):
    from mintkey.integrations.web.refusing import refusal

    scope: dict[str, Any] = {"type": "websocket", "headers": []}
    answer = answer_to(error)
    refused = refusal(HTTPConnection(scope), answer)
    assert isinstance(refused, WebSocketException)
    assert (refused.code, refused.reason) == (code, answer.word)
    able = HTTPConnection({**scope, "extensions": {"websocket.http.response": {}}})
    assert isinstance(refusal(able, answer), RefusedError)


def test_an_answer_is_json():
    response = respond(answer_to(KeyProviderError("x")))
    assert (response.status_code, response.body) == (503, b'{"detail":"temporarily_unavailable"}')
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("room", [fastapi, starlette], ids=["fastapi", "starlette"])
def test_everything_that_is_offered_exists_and_has_an_example(room: Any):
    for name in room.__all__:
        value = getattr(room, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert "Example:" in (value.__doc__ or ""), name
