"""FastAPI: the guard of a route, the service in the state, errors of routes, and what OpenAPI says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mintkey import (
    ConfigurationError,
    ExpiredTokenError,
    KeyProviderError,
    Purpose,
    Reason,
    ReplayStoreError,
    TokenService,
    TokenVerifier,
    VerifiedToken,
)
from mintkey.integrations.fastapi import (
    RefusedError,
    ServiceDep,
    TokenBearer,
    TokenCookie,
    install_error_handlers,
    lifespan,
    respond,
    service_of,
)
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.support.web import bearer_header, client_of, service

API = Purpose("api", lifetime=timedelta(minutes=5), audience="app")
ONCE = Purpose("approval", lifetime=timedelta(minutes=5), audience="app", single_use=True)
REVOCABLE = Purpose("session", lifetime=timedelta(minutes=5), audience="app", revocable=True)
COOKIE = TokenCookie("session")
INVALID = 'Bearer error="invalid_token"'

api, session, once = TokenBearer(API), TokenBearer(REVOCABLE, cookie=COOKIE), TokenBearer(ONCE)
Token = VerifiedToken[dict[str, Any]]
OnceWrite = Security(once, scopes=["write"])


def application(tokens: TokenService) -> FastAPI:
    app = FastAPI(lifespan=lifespan(tokens))

    @app.get("/open")
    async def _open() -> dict[str, bool]:
        return {"open": True}

    @app.get("/me")
    async def _me(user: Annotated[Token, Depends(api)]) -> dict[str, str | None]:
        return {"subject": user.subject}

    @app.get("/orders")
    async def _orders(user: Annotated[Token, Security(api, scopes=["orders:write", "orders:read"])]) -> str | None:
        return user.subject

    @app.get("/session")
    async def _session(user: Annotated[Token, Depends(session)]) -> str | None:
        return user.subject

    @app.post("/approve")
    async def _approve(used: Annotated[Token, Depends(once)]) -> str:
        return used.id

    @app.post("/approve-twice", dependencies=[Security(once, scopes=["read"])])
    async def _twice(used: Annotated[Token, OnceWrite], again: Annotated[Token, Depends(once)]) -> bool:
        return used is again

    @app.post("/approve-by-two-guards", dependencies=[Depends(TokenBearer(ONCE))])
    async def _two_guards(_used: Annotated[Token, Depends(once)]) -> None: ...

    @app.post("/tokens")
    async def _mint(service: ServiceDep) -> str:
        return await service.mint(API, subject="20")

    @app.websocket("/news")
    async def _news(websocket: WebSocket, user: Annotated[Token, Security(api, scopes=["news"])]) -> None:
        await websocket.accept()
        await websocket.send_text(user.subject or "")
        await websocket.close()

    return app


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> TokenService:
    return service(clock)


@pytest.fixture
async def client(tokens: TokenService) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(application(tokens)) as made:
        yield made


async def test_a_good_token_gets_in(client: httpx2.AsyncClient, tokens: TokenService):
    answer = await client.get("/me", headers=await bearer_header(tokens, API))
    assert (answer.status_code, answer.json()) == (200, {"subject": "20"})


async def test_no_credentials_get_a_bare_challenge(client: httpx2.AsyncClient):
    answer = await client.get("/me")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"detail": "not_authenticated"}


async def test_a_bad_token_is_invalid_and_nothing_finer(
    client: httpx2.AsyncClient, tokens: TokenService, clock: FakeClock
):
    old = await bearer_header(tokens, API)
    other = await bearer_header(tokens, REVOCABLE)
    clock.advance(timedelta(minutes=6))
    for headers in (old, other, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer a b c"}):
        answer = await client.get("/me", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": "invalid_token"})
        assert answer.headers["www-authenticate"] == INVALID


async def test_scopes_are_asked_for_whole(client: httpx2.AsyncClient, tokens: TokenService):
    for scopes in ((), ("orders:read",), ("orders:read", "orders:write-own")):
        answer = await client.get("/orders", headers=await bearer_header(tokens, API, *scopes))
        assert answer.status_code == 403
        challenge = 'Bearer error="insufficient_scope", scope="orders:read orders:write"'
        assert answer.headers["www-authenticate"] == challenge
    answer = await client.get("/orders", headers=await bearer_header(tokens, API, "orders:read", "orders:write"))
    assert answer.status_code == 200


async def test_two_methods_at_once_are_an_invalid_request(client: httpx2.AsyncClient, tokens: TokenService):
    token = await tokens.mint(REVOCABLE, subject="20")
    headers = {"Authorization": f"Bearer {token}"}
    for answer in (
        await client.get("/session", headers={**headers, "Cookie": f"{COOKIE.name}={token}"}),
        await client.get("/session", headers=headers, params={"access_token": token}),
        await client.get("/session", headers=[*headers.items(), *headers.items()]),
    ):
        assert (answer.status_code, answer.json()) == (400, {"detail": "invalid_request"})
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_request"'


async def test_a_cookie_is_read_where_it_may_be(client: httpx2.AsyncClient, tokens: TokenService):
    cookie = {"Cookie": f"{COOKIE.name}={await tokens.mint(REVOCABLE, subject='20')}"}
    assert (await client.get("/session", headers=cookie)).json() == "20"
    assert (await client.get("/me", headers=cookie)).status_code == 401


async def test_a_token_for_single_use_is_spent(client: httpx2.AsyncClient, tokens: TokenService):
    headers = await bearer_header(tokens, ONCE)
    assert (await client.post("/approve", headers=headers)).status_code == 200
    assert (await client.post("/approve", headers=headers)).status_code == 401


async def test_parts_of_one_request_share_a_token_for_single_use(client: httpx2.AsyncClient, tokens: TokenService):
    """A router and its route may ask for the same token with other scopes."""
    answer = await client.post("/approve-twice", headers=await bearer_header(tokens, ONCE, "read", "write"))
    assert (answer.status_code, answer.json()) == (200, True)
    answer = await client.post("/approve-twice", headers=await bearer_header(tokens, ONCE, "read"))
    assert (answer.status_code, answer.json()) == (403, {"detail": "insufficient_scope"})
    assert 'scope="write"' in answer.headers["www-authenticate"]


async def test_two_guards_of_one_request_spend_a_token_once(client: httpx2.AsyncClient, tokens: TokenService):
    """A router and its route may each have made their own."""
    headers = await bearer_header(tokens, ONCE)
    assert (await client.post("/approve-by-two-guards", headers=headers)).status_code == 200
    assert (await client.post("/approve-by-two-guards", headers=headers)).status_code == 401


class Away(MemoryReplayStore):
    """A store that is away, or that says why not."""

    reason = Reason.REPLAY_UNAVAILABLE

    async def status(self, *_: Any, **__: Any) -> Any:
        raise ReplayStoreError("away", reason=self.reason)

    look = claim = status


@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [
        (Reason.REPLAY_UNAVAILABLE, 503, "temporarily_unavailable"),
        (Reason.REPLAY_OUTCOME_UNKNOWN, 503, "temporarily_unavailable"),
        (Reason.TOKEN_RESERVED, 409, "token_reserved"),
    ],
)
async def test_trouble_with_the_store_is_no_bad_token(reason: Reason, status: int, word: str):
    store = Away()
    store.reason = reason
    tokens = TokenService(issuer="https://app.example", keys=MemoryKeyProvider(), replay=store)
    async with client_of(application(tokens)) as client:
        answer = await client.post("/approve", headers=await bearer_header(tokens, ONCE))
    assert (answer.status_code, answer.json()) == (status, {"detail": word})
    assert answer.headers["retry-after"] == "1"
    assert "www-authenticate" not in answer.headers


async def test_a_guard_may_have_a_service_and_a_realm_of_its_own(tokens: TokenService):
    app = FastAPI()
    guard = TokenBearer(API, tokens=tokens, realm="orders")

    @app.get("/", dependencies=[Depends(guard)])
    async def _root() -> None: ...

    async with client_of(app) as client:
        assert (await client.get("/", headers=await bearer_header(tokens, API))).status_code == 200
        assert (await client.get("/")).headers["www-authenticate"] == 'Bearer realm="orders"'
    with pytest.raises(ConfigurationError, match="realm"):
        TokenBearer(API, realm='"')


async def test_without_a_service_the_developer_is_told_what_to_do() -> None:
    app = FastAPI()

    @app.get("/", dependencies=[Depends(api)])
    async def _root() -> None: ...

    async with client_of(app) as client:
        with pytest.raises(ConfigurationError, match=r"lifespan=lifespan\(tokens\)"):
            await client.get("/", headers={"Authorization": "Bearer a.b.c"})


def test_websockets_are_guarded_before_they_are_accepted(tokens: TokenService):
    with TestClient(application(tokens)) as client:
        assert client.portal is not None
        good, poor = (client.portal.call(bearer_header, tokens, API, *scopes) for scopes in (("news",), ()))
        with client.websocket_connect("/news", headers=good) as websocket:
            assert websocket.receive_text() == "20"
        for headers, status in (({}, 401), (poor, 403), ({"Authorization": "Bearer x"}, 401)):
            with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/news", headers=headers):
                pass
            response: Any = refused.value
            assert response.status_code == status
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_openapi_documents_a_bearer_scheme_and_the_scopes(tokens: TokenService):
    document = application(tokens).openapi()
    assert document["components"]["securitySchemes"]["api"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    assert document["paths"]["/me"]["get"]["security"] == [{"api": []}]
    (orders,) = document["paths"]["/orders"]["get"]["security"]
    assert sorted(orders["api"]) == ["orders:read", "orders:write"]
    assert "security" not in document["paths"]["/open"]["get"]
    named = TokenBearer(API, scheme_name="Access", description="from /token")
    assert (named.scheme_name, named.model.description) == ("Access", "from /token")


async def test_tests_may_put_somebody_in_the_place_of_the_guard(tokens: TokenService):
    app = application(tokens)
    known = await tokens.verify(await tokens.mint(API, subject="alice"), API)
    app.dependency_overrides[api] = lambda: known
    async with client_of(app) as client:
        assert (await client.get("/me")).json() == {"subject": "alice"}


async def test_the_service_is_a_parameter_of_a_route(client: httpx2.AsyncClient):
    token = (await client.post("/tokens")).json()
    assert (await client.get("/me", headers={"Authorization": f"Bearer {token}"})).status_code == 200


class TestLifespan:
    """The service is open before the first request and closed after the last."""

    def test_a_server_hands_on_the_state(self, tokens: TokenService):
        app = application(tokens)

        @app.get("/state")
        async def _state(request: Request) -> bool:
            return request.state.tokens is tokens is service_of(request)

        with TestClient(app) as client:
            assert client.get("/state").json() is True

    async def test_a_mounted_application_has_the_service_too(self, tokens: TokenService):
        outer = FastAPI(lifespan=lifespan(tokens))
        outer.mount("/inner", application(tokens))

        def call() -> int:
            with TestClient(outer) as client:
                return client.post("/inner/tokens").status_code

        from anyio import to_thread

        assert await to_thread.run_sync(call) == 200

    @pytest.mark.parametrize("kind", ["function", "coroutine function"])
    async def test_a_factory_makes_it_when_the_application_starts(self, kind: str, tokens: TokenService):
        made: list[TokenService] = []

        def make() -> TokenService:
            made.append(tokens)
            return tokens

        async def make_later() -> TokenService:
            return make()

        app = FastAPI(lifespan=lifespan(make if kind == "function" else make_later))
        assert not made
        async with app.router.lifespan_context(app) as state:
            assert state == {"tokens": tokens}
            assert made == [tokens]

    async def test_another_lifespan_lives_inside(self, tokens: TokenService):
        seen: list[str] = []

        @asynccontextmanager
        async def database(app: FastAPI) -> AsyncIterator[dict[str, str]]:
            seen.append(type(app.state.tokens).__name__)
            yield {"database": "open"}
            seen.append("closed")

        @asynccontextmanager
        async def nothing(_app: FastAPI) -> AsyncIterator[None]:
            yield

        app = FastAPI(lifespan=lifespan(tokens, also=database))
        async with app.router.lifespan_context(app) as state:
            assert state == {"tokens": tokens, "database": "open"}
        assert seen == ["TokenService", "closed"]
        app = FastAPI(lifespan=lifespan(tokens, also=nothing))
        async with app.router.lifespan_context(app) as state:
            assert state == {"tokens": tokens}

    async def test_a_service_that_only_verifies_guards_but_does_not_mint(self, tokens: TokenService):
        verifier = TokenVerifier(issuer="https://app.example", keys=tokens.workings.keys, clock=tokens.workings.clock)
        app = FastAPI(lifespan=lifespan(verifier))

        @app.get("/me")
        async def _me(user: Annotated[Token, Depends(api)]) -> str | None:
            return user.subject

        @app.post("/tokens")
        async def _mint(service: ServiceDep) -> str:
            return await service.mint(API)

        async with client_of(app) as client:
            assert (await client.get("/me", headers=await bearer_header(tokens, API))).json() == "20"
            with pytest.raises(ConfigurationError, match="only verifies"):
                await client.post("/tokens")


class TestErrorHandlers:
    """A route that calls the service itself answers as a guard does."""

    @pytest.mark.parametrize(
        ("error", "status", "word", "field"),
        [
            (ExpiredTokenError("x", claim="exp"), 401, "invalid_token", ("www-authenticate", INVALID)),
            (KeyProviderError("x"), 503, "temporarily_unavailable", ("retry-after", "1")),
            (ConfigurationError("x"), 500, "server_error", ("cache-control", "no-store")),
        ],
        ids=["token", "backend", "configuration"],
    )
    async def test_errors_of_routes(
        self, error: Exception, status: int, word: str, field: tuple[str, str], caplog: pytest.LogCaptureFixture
    ):
        app = FastAPI()
        install_error_handlers(app)

        @app.get("/")
        async def _root() -> None:
            raise error

        async with client_of(app) as client:
            answer = await client.get("/")
        assert (answer.status_code, answer.json()) == (status, {"detail": word})
        assert field in answer.headers.items()
        assert [record.levelname for record in caplog.records] == (["ERROR"] if status == 500 else [])

    async def test_guards_answer_the_same_with_and_without(self, tokens: TokenService):
        app = application(tokens)
        async with client_of(app) as client:
            without = await client.get("/me")
        app = application(tokens)
        install_error_handlers(app)
        async with client_of(app) as client:
            with_handlers = await client.get("/me")
        assert without.status_code == with_handlers.status_code
        assert without.json() == with_handlers.json()
        assert without.headers["www-authenticate"] == with_handlers.headers["www-authenticate"]

    async def test_an_application_may_answer_in_its_own_way(self, tokens: TokenService):
        app = application(tokens)
        causes: list[object] = []

        async def own(_request: Request, refused: RefusedError) -> Any:
            causes.append(getattr(refused.__cause__, "reason", None))
            return respond(refused.answer)

        app.add_exception_handler(RefusedError, own)  # type: ignore[arg-type]  # Starlette wants any Exception
        async with client_of(app) as client:
            await client.get("/me", headers={"Authorization": "Bearer x"})
            await client.get("/me")
        assert causes == [Reason.MALFORMED, None]


async def test_routers_take_a_guard_for_all_their_routes(tokens: TokenService):
    router = APIRouter(prefix="/admin", dependencies=[Security(api, scopes=["admin"])])

    @router.get("/")
    async def _root() -> None: ...

    app = FastAPI(lifespan=lifespan(tokens))
    app.include_router(router)
    async with client_of(app) as client:
        assert (await client.get("/admin/", headers=await bearer_header(tokens, API))).status_code == 403
        assert (await client.get("/admin/", headers=await bearer_header(tokens, API, "admin"))).status_code == 200
