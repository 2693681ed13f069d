"""Another service, or somebody without a token, in an application under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Request, Security, WebSocket
from fastapi.responses import PlainTextResponse, Response
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.testclient import WebSocketDenialResponse

from mintkey import ConfigurationError, Purpose, TokenService, VerifiedToken
from mintkey.integrations.fastapi import (
    ServiceDep,
    TokenBearer,
    install_error_handlers,
    jwks_router,
    lifespan,
    magic_link_router,
    service_of,
)
from mintkey.integrations.starlette import jwks_route
from mintkey.testing import override_service, override_user, verified_token
from tests.support.web import BASE, bearer_header, client_of, service

API = Purpose("api", lifetime=timedelta(hours=1))
LOGIN = Purpose("login", lifetime=timedelta(minutes=10), single_use=True)

api = TokenBearer(API, realm="shop")


def never() -> TokenService:
    """What makes the service in production: it would want a Redis."""
    raise AssertionError("nobody may make that one")


async def sign_in(_: Request, used: VerifiedToken[dict[str, Any]]) -> Response:
    return PlainTextResponse(f"hello {used.subject}")


def application(**settings: Any) -> FastAPI:
    app = FastAPI(**settings)
    install_error_handlers(app)
    app.include_router(jwks_router())
    app.include_router(magic_link_router(LOGIN, on_success=sign_in))

    @app.get("/me")
    async def _me(user: Annotated[VerifiedToken[Any], Depends(api)]) -> str | None:
        return user.subject

    @app.get("/orders")
    async def _orders(user: Annotated[VerifiedToken[Any], Security(api, scopes=["orders:read"])]) -> str | None:
        return user.subject

    @app.websocket("/news")
    async def _news(websocket: WebSocket, user: Annotated[VerifiedToken[Any], Security(api, scopes=["news"])]) -> None:
        await websocket.accept()
        await websocket.send_text(str(user.subject))
        await websocket.close()

    @app.post("/tokens")
    async def _tokens(tokens: ServiceDep) -> str:
        return await tokens.mint(API, subject="30")

    @app.get("/issuer")
    async def _issuer(request: Request) -> str:
        return service_of(request).workings.issuer

    return app


@pytest.fixture
def tokens() -> TokenService:
    return service()


async def seen(client: httpx2.AsyncClient, tokens: TokenService) -> list[int]:
    """What the guard, the JWK Set, a link and a route say with that service."""
    link = await tokens.mint(LOGIN, subject="20")
    answers = [
        await client.get("/me", headers=await bearer_header(tokens, API)),
        await client.get("/.well-known/jwks.json"),
        await client.post("/magic", data={"token": link}),
        await client.post("/tokens"),
    ]
    return [answer.status_code for answer in answers]


class TestService:
    """`override_service`."""

    async def test_all_that_takes_the_service_from_the_state_has_this_one(self, tokens: TokenService) -> None:
        app = application(lifespan=lifespan(never))
        with override_service(app, tokens):
            async with client_of(app) as client:
                assert await seen(client, tokens) == [200] * 4

    async def test_without_a_lifespan_too(self, tokens: TokenService) -> None:
        """As most asynchronous clients for tests call an application."""
        app = application(lifespan=lifespan(never))
        transport = httpx2.ASGITransport(app)
        with override_service(app, tokens):
            async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client, tokens:
                assert await seen(client, tokens) == [200] * 4

    def test_a_server_that_hands_the_state_on_has_it(self, tokens: TokenService) -> None:
        app = application(lifespan=lifespan(never))
        with override_service(app, tokens), TestClient(app) as client:
            assert client.get("/issuer").json() == BASE

    async def test_what_begins_beside_the_service_begins_as_ever(self, tokens: TokenService) -> None:
        @asynccontextmanager
        async def also(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
            assert app.state.tokens is tokens
            yield {"database": "open"}

        app = application(lifespan=lifespan(never, also=also))
        with override_service(app, tokens):
            async with app.router.lifespan_context(app) as state:
                assert state == {"tokens": tokens, "database": "open"}

    async def test_a_lifespan_of_your_own_runs_and_its_service_is_not_used(self, tokens: TokenService) -> None:
        theirs = TokenService(issuer="https://production.example", keys=tokens.workings.keys)

        @asynccontextmanager
        async def own(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
            app.state.tokens = theirs
            yield {"tokens": theirs, "database": "open"}

        app = application(lifespan=own)
        with override_service(app, tokens):
            async with client_of(app) as client:
                assert await seen(client, tokens) == [200] * 4
            with TestClient(app) as handed_on:
                assert handed_on.get("/issuer").json() == BASE
        with TestClient(app) as after:
            assert after.get("/issuer").json() == "https://production.example"

    async def test_a_lifespan_with_nothing_in_its_state_does(self, tokens: TokenService) -> None:
        app = application()
        with override_service(app, tokens):
            async with client_of(app) as client:
                assert await seen(client, tokens) == [200] * 4

    async def test_afterwards_all_is_as_before(self, tokens: TokenService) -> None:
        own = service()
        app = application(lifespan=lifespan(own))
        before = app.router.lifespan_context
        with pytest.raises(ZeroDivisionError), override_service(app, tokens):
            raise ZeroDivisionError
        assert app.router.lifespan_context is before
        async with client_of(app) as client:
            assert await seen(client, own) == [200] * 4
            assert (await client.get("/me", headers=await bearer_header(tokens, API))).status_code == 401

    async def test_one_in_another_gives_way(self, tokens: TokenService) -> None:
        inner = service()
        app = application(lifespan=lifespan(never))
        with override_service(app, tokens):
            with override_service(app, inner):
                async with client_of(app) as client:
                    assert await seen(client, inner) == [200] * 4
            async with client_of(app) as client:
                assert await seen(client, tokens) == [200] * 4
        assert not hasattr(app.state, "tokens")

    async def test_starlette_is_enough(self, tokens: TokenService) -> None:
        app = Starlette(routes=[jwks_route()], lifespan=lifespan(never))
        with override_service(app, tokens):
            async with client_of(app) as client:
                assert (await client.get("/.well-known/jwks.json")).status_code == 200


class TestUser:
    """`override_user`."""

    async def test_everybody_is_that_user(self, tokens: TokenService) -> None:
        app = application(lifespan=lifespan(tokens))
        with override_user(app, api, verified_token(API, subject="7", scopes=["orders:read", "more"])):
            async with client_of(app) as client:
                assert (await client.get("/me")).json() == "7"
                assert (await client.get("/orders")).json() == "7"

    async def test_no_service_is_needed(self) -> None:
        app = application()
        with override_user(app, api, verified_token(API)):
            async with client_of(app) as client:
                assert (await client.get("/me")).json() == "20"

    async def test_scopes_are_asked_for_as_ever(self, tokens: TokenService) -> None:
        """The refusal is that of a token without the scope, word for word."""
        app = application(lifespan=lifespan(tokens))
        async with client_of(app) as client:
            real = await client.get("/orders", headers=await bearer_header(tokens, API, "orders:read-all"))
            with override_user(app, api, verified_token(API, scopes=["orders:read-all"])):
                refused = await client.get("/orders")
        assert (refused.status_code, refused.json()) == (403, {"detail": "insufficient_scope"})
        assert refused.headers["www-authenticate"] == real.headers["www-authenticate"]
        assert 'realm="shop"' in refused.headers["www-authenticate"]
        assert 'scope="orders:read"' in refused.headers["www-authenticate"]

    def test_websockets_too(self) -> None:
        app = application()
        client = TestClient(app)
        user = verified_token(API, subject="7", scopes=["news"])
        with override_user(app, api, user), client.websocket_connect("/news") as news:
            assert news.receive_text() == "7"
        connecting = client.websocket_connect("/news")
        with override_user(app, api, verified_token(API)), pytest.raises(WebSocketDenialResponse) as caught, connecting:
            pass
        assert caught.value.status_code == 403

    async def test_afterwards_a_token_is_needed(self, tokens: TokenService) -> None:
        app = application(lifespan=lifespan(tokens))
        with pytest.raises(ZeroDivisionError), override_user(app, api, verified_token(API)):
            raise ZeroDivisionError
        assert app.dependency_overrides == {}
        async with client_of(app) as client:
            assert (await client.get("/me")).status_code == 401

    async def test_one_in_another_gives_way(self) -> None:
        app = application()
        async with client_of(app) as client:
            with override_user(app, api, verified_token(API, subject="outer")):
                with override_user(app, api, verified_token(API, subject="inner")):
                    assert (await client.get("/me")).json() == "inner"
                assert (await client.get("/me")).json() == "outer"

    async def test_another_bearer_is_another_matter(self, tokens: TokenService) -> None:
        app = application(lifespan=lifespan(tokens))
        with override_user(app, TokenBearer(API), verified_token(API)):
            async with client_of(app) as client:
                assert (await client.get("/me")).status_code == 401

    def test_a_token_for_something_else_is_none(self) -> None:
        impossible = override_user(application(), api, verified_token(LOGIN))
        with pytest.raises(ConfigurationError, match="the bearer is for api, not login"), impossible:
            pass
