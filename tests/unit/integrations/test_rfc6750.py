"""Every case of RFC 6750, with real tokens, in applications of FastAPI and Starlette, by request and by WebSocket."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from mintkey import KeyProviderError, Purpose, Reason, ReplayStoreError, TokenService, VerifiedToken
from mintkey.integrations import fastapi, starlette
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.support.web import BASE

ACCESS = Purpose[dict[str, Any]]("access", lifetime=timedelta(minutes=5), audience="app", revocable=True)
ONCE = Purpose[dict[str, Any]]("approval", lifetime=timedelta(minutes=5), audience="app", single_use=True)
COOKIE = fastapi.TokenCookie("session")
SCOPES = ("orders:read", "orders:write")

Headers = list[tuple[str, str]]
Guarding = Callable[[TokenService, Purpose[Any]], Any]


class Store(MemoryReplayStore):
    """A store that is away when it is told to be."""

    trouble: Reason | None = None

    def _may_fail(self) -> None:
        if self.trouble is not None:
            raise ReplayStoreError("away", reason=self.trouble)

    async def claim(self, *args: Any, **options: Any) -> Any:
        self._may_fail()
        return await super().claim(*args, **options)

    async def look(self, *args: Any, **options: Any) -> Any:
        self._may_fail()
        return await super().look(*args, **options)


class Keys(MemoryKeyProvider):
    """Keys that cannot be read when they are told so."""

    away = False

    async def resolve(self, kid: str, /) -> Any:
        if self.away:
            raise KeyProviderError("away")
        return await super().resolve(kid)


class World:
    """A service, what it stands on, and the time."""

    def __init__(self, issuer: str = BASE) -> None:
        self.clock = FakeClock()
        self.store = Store(clock=self.clock)
        policy = RotationPolicy(previous_ttl=timedelta(minutes=10), publish_ahead=timedelta(0))
        self.keys = Keys(clock=self.clock, policy=policy)
        self.tokens = TokenService(issuer=issuer, keys=self.keys, replay=self.store, clock=self.clock)

    async def token(self, purpose: Purpose[Any] = ACCESS, **options: Any) -> str:
        return str(await self.tokens.mint(purpose, subject="20", scopes=SCOPES, **options))


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


Given = Callable[[World], Awaitable[Headers]]


@dataclass(frozen=True)
class Case:
    """A request, and what it is answered.

    Attributes:
        given: The request's fields, once whatever must have happened before did.
        status: Of the answer.
        challenge: Of the answer.
        retry_after: Of the answer.
        purpose: What the route wants.
        query: Of the request.
    """

    given: Given
    status: int
    challenge: str | None = None
    retry_after: str | None = None
    purpose: Purpose[Any] = ACCESS
    query: str = ""


CASES: dict[str, Case] = {}


def case(
    status: int, challenge: str | None = None, **more: Any
) -> Callable[[Callable[[World], Awaitable[Headers]]], None]:
    """One row of the table: what to do before the request, and its fields."""

    def row(given: Callable[[World], Awaitable[Headers]]) -> None:
        retry_after = "1" if status in {409, 503} else None
        CASES[given.__name__.strip("_").replace("_", "-")] = Case(given, status, challenge, retry_after, **more)

    return row


BARE = "Bearer"
INVALID_REQUEST = 'Bearer error="invalid_request"'
INVALID_TOKEN = 'Bearer error="invalid_token"'
INSUFFICIENT_SCOPE = 'Bearer error="insufficient_scope", scope="orders:read orders:write"'


# Good


@case(200)
async def _a_good_token(world: World) -> Headers:
    return bearer(await world.token())


@case(200)
async def _the_scheme_in_any_case(world: World) -> Headers:
    return [("Authorization", f"BEARER {await world.token()}")]


@case(200)
async def _a_cookie(world: World) -> Headers:
    return [("Cookie", f"theme=dark; {COOKIE.name}={await world.token()}")]


@case(200, purpose=ONCE)
async def _a_token_for_single_use(world: World) -> Headers:
    return bearer(await world.token(ONCE))


@case(200)
async def _a_token_of_a_key_that_was_replaced(world: World) -> Headers:
    token = await world.token()
    await world.keys.rotate()
    return bearer(token)


# No credentials: §3.1, a challenge and no error


@case(401, BARE)
async def _nothing(_world: World) -> Headers:
    return []


@case(401, BARE)
async def _another_scheme(_world: World) -> Headers:
    return [("Authorization", "Basic YTpi")]


@case(401, BARE)
async def _the_scheme_alone(_world: World) -> Headers:
    return [("Authorization", "Bearer")]


@case(401, BARE, query="access_token=a.b.c")
async def _a_token_in_the_query_alone(_world: World) -> Headers:
    return []


@case(401, BARE)
async def _a_cookie_without_its_prefix(world: World) -> Headers:
    return [("Cookie", f"session={await world.token()}")]


# More than one token: §2


@case(400, INVALID_REQUEST)
async def _two_fields(world: World) -> Headers:
    return bearer(await world.token()) * 2


@case(400, INVALID_REQUEST)
async def _field_and_cookie(world: World) -> Headers:
    token = await world.token()
    return [*bearer(token), ("Cookie", f"{COOKIE.name}={token}")]


@case(400, INVALID_REQUEST)
async def _two_cookies(world: World) -> Headers:
    one, other = await world.token(), await world.token()
    return [("Cookie", f"{COOKIE.name}={one}; {COOKIE.name}={other}")]


@case(400, INVALID_REQUEST, query="page=2&access_token=a.b.c")
async def _field_and_query(world: World) -> Headers:
    return bearer(await world.token())


# Bad tokens: all alike


@case(401, INVALID_TOKEN)
async def _nonsense(_world: World) -> Headers:
    return bearer("nonsense")


@case(401, INVALID_TOKEN)
async def _two_words(world: World) -> Headers:
    return bearer(f"{await world.token()} {await world.token()}")


@case(401, INVALID_TOKEN)
async def _far_too_long(world: World) -> Headers:
    return bearer(f"{await world.token()}{'A' * 20_000}")


@case(401, INVALID_TOKEN)
async def _a_forged_signature(world: World) -> Headers:
    token, other = await world.token(), await world.token()
    return bearer(token.rpartition(".")[0] + "." + other.rpartition(".")[2])


@case(401, INVALID_TOKEN)
async def _keys_of_somebody_else(_world: World) -> Headers:
    return bearer(await World().token())


@case(401, INVALID_TOKEN)
async def _a_revoked_key(world: World) -> Headers:
    token = await world.tokens.mint(ACCESS, scopes=SCOPES)
    await world.keys.revoke(token.key_id)
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _a_retired_key(world: World) -> Headers:
    token = await world.token()
    await world.keys.rotate()
    world.clock.advance(timedelta(minutes=11))
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _another_purpose(world: World) -> Headers:
    return bearer(await world.token(ONCE))


@case(401, INVALID_TOKEN)
async def _another_issuer(world: World) -> Headers:
    other = TokenService(issuer="https://other.example", keys=world.keys, replay=world.store, clock=world.clock)
    return bearer(await other.mint(ACCESS, scopes=SCOPES))


@case(401, INVALID_TOKEN)
async def _another_audience(world: World) -> Headers:
    return bearer(await world.token(audience="another app"))


@case(401, INVALID_TOKEN)
async def _an_expired_token(world: World) -> Headers:
    token = await world.token()
    world.clock.advance(timedelta(minutes=6))
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _a_token_of_the_future(world: World) -> Headers:
    token = await world.token()
    world.clock.advance(-timedelta(minutes=6))
    return bearer(token)


@case(401, INVALID_TOKEN, purpose=ONCE)
async def _a_spent_token(world: World) -> Headers:
    token = await world.token(ONCE)
    await world.tokens.verify(token, ONCE)
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _a_revoked_token(world: World) -> Headers:
    token = await world.token()
    await world.tokens.revoke(token, ACCESS)
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _a_revoked_subject(world: World) -> Headers:
    token = await world.token()
    await world.tokens.revoke_subject("20", ACCESS)
    return bearer(token)


@case(401, INVALID_TOKEN)
async def _a_bad_cookie(_world: World) -> Headers:
    return [("Cookie", f"{COOKIE.name}=nonsense")]


# Good tokens without a scope: §3.1


@case(403, INSUFFICIENT_SCOPE)
async def _no_scope(world: World) -> Headers:
    return bearer(await world.tokens.mint(ACCESS))


@case(403, INSUFFICIENT_SCOPE)
async def _one_of_two_scopes(world: World) -> Headers:
    return bearer(await world.tokens.mint(ACCESS, scopes=["orders:read", "orders:write-own"]))


# Trouble of ours: nobody is challenged


@case(409, purpose=ONCE)
async def _somebody_else_is_spending_it(world: World) -> Headers:
    token = await world.token(ONCE)
    await world.tokens.redeem(token, ONCE, lease=timedelta(minutes=1)).__aenter__()
    return bearer(token)


@case(503)
async def _the_store_is_away(world: World) -> Headers:
    world.store.trouble = Reason.REPLAY_UNAVAILABLE
    return bearer(await world.token())


@case(503, purpose=ONCE)
async def _nobody_knows_whether_it_was_spent(world: World) -> Headers:
    world.store.trouble = Reason.REPLAY_OUTCOME_UNKNOWN
    return bearer(await world.token(ONCE))


@case(503)
async def _keys_are_away(world: World) -> Headers:
    world.keys.away = True
    other = World()
    return bearer(await other.token())


# The applications


def with_fastapi(tokens: TokenService, purpose: Purpose[Any], *, handlers: bool = False) -> FastAPI:
    app = FastAPI(lifespan=fastapi.lifespan(tokens))
    guard = fastapi.TokenBearer(purpose, cookie=COOKIE)
    User = Annotated[VerifiedToken[dict[str, Any]], Security(guard, scopes=list(SCOPES))]  # noqa: N806 - a type

    @app.get("/orders")
    async def _orders(user: User) -> str | None:
        return user.subject

    @app.websocket("/orders")
    async def _news(websocket: WebSocket, user: User) -> None:
        await websocket.accept()
        await websocket.close(reason=user.subject)

    if handlers:
        fastapi.install_error_handlers(app)
    return app


def with_fastapi_and_handlers(tokens: TokenService, purpose: Purpose[Any]) -> FastAPI:
    return with_fastapi(tokens, purpose, handlers=True)


def with_starlette(tokens: TokenService, purpose: Purpose[Any], *, handlers: bool = False) -> Starlette:
    guard = starlette.TokenGuard(purpose, cookie=COOKIE)

    async def orders(request: Request) -> JSONResponse:
        return JSONResponse((await guard(request, scopes=SCOPES)).subject)

    async def news(websocket: WebSocket) -> None:
        await guard(websocket, scopes=SCOPES)
        await websocket.accept()
        await websocket.close()

    routes = [Route("/orders", orders), WebSocketRoute("/orders", news)]
    app = Starlette(lifespan=starlette.lifespan(tokens), routes=routes)
    if handlers:
        starlette.install_error_handlers(app)
    return app


def with_starlette_and_handlers(tokens: TokenService, purpose: Purpose[Any]) -> Starlette:
    return with_starlette(tokens, purpose, handlers=True)


APPLICATIONS = (with_fastapi, with_fastapi_and_handlers, with_starlette, with_starlette_and_handlers)

Answer = tuple[int, Mapping[str, str]]


async def asked(app: Any, headers: Headers, *, query: str, kind: str, extensions: Mapping[str, Any]) -> list[Any]:
    """What an application sends to one request, or to one attempt to open a WebSocket."""
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/orders",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "extensions": extensions,
    }
    sent: list[Any] = []
    first = {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request"}

    async def receive() -> Any:
        return first

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    return sent


def answer_in(sent: list[Any]) -> Answer:
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


both = pytest.mark.parametrize("name", CASES)
everywhere = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda made: made.__name__)


@both
@everywhere
async def test_a_request_is_answered_as_the_table_says(name: str, application: Guarding) -> None:
    row, world = CASES[name], World()
    async with world.tokens:
        headers = await row.given(world)
        sent = await asked(application(world.tokens, row.purpose), headers, query=row.query, kind="http", extensions={})
    status, fields = answer_in(sent)
    assert status == row.status
    assert fields.get("www-authenticate") == row.challenge
    assert fields.get("retry-after") == row.retry_after
    body = b"".join(part.get("body", b"") for part in sent)
    assert not any(value.rpartition(" ")[2].encode() in body for _, value in headers)


@both
@everywhere
async def test_a_websocket_is_refused_before_it_is_accepted(name: str, application: Guarding) -> None:
    row, world = CASES[name], World()
    async with world.tokens:
        headers = await row.given(world)
        sent = await asked(
            application(world.tokens, row.purpose),
            headers,
            query=row.query,
            kind="websocket",
            extensions={"websocket.http.response": {}},
        )
    if row.status == 200:
        assert sent[0]["type"] == "websocket.accept"
        return
    assert sent[0]["type"] == "websocket.http.response.start"
    status, fields = answer_in(sent)
    assert (status, fields.get("www-authenticate"), fields.get("retry-after")) == (
        row.status,
        row.challenge,
        row.retry_after,
    )


@both
@everywhere
async def test_a_server_that_cannot_send_a_response_closes_with_a_code(name: str, application: Guarding) -> None:
    row, world = CASES[name], World()
    async with world.tokens:
        headers = await row.given(world)
        sent = await asked(
            application(world.tokens, row.purpose), headers, query=row.query, kind="websocket", extensions={}
        )
    if row.status != 200:
        (closed,) = sent
        code = 1013 if row.retry_after else 1008
        assert (closed["type"], closed["code"]) == ("websocket.close", code)


def test_the_table_has_every_status_and_challenge() -> None:
    seen = {(row.status, row.challenge) for row in CASES.values()}
    assert seen == {
        (200, None),
        (400, INVALID_REQUEST),
        (401, BARE),
        (401, INVALID_TOKEN),
        (403, INSUFFICIENT_SCOPE),
        (409, None),
        (503, None),
    }
