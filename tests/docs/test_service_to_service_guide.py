"""What the guide to calls between services shows runs, between real servers on loopback, and fares as the page says."""

import asyncio
import inspect
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace

import httpx2
import pytest

from mintkey import Purpose, Reason, TokenEndpointError, TokenRevokedError, TokenService, TokenVerifier, presets
from mintkey.integrations.httpx import MintAuth
from mintkey.keys import JWKSKeyResolver, MemoryKeyProvider
from mintkey.oauth import ClientCredentials, PrivateKeyJWT
from mintkey.oauth.token_response import DEFAULT_LIFETIME
from mintkey.replay import MemoryReplayStore, RevocationCache
from mintkey.testing import FakeClock, FaultyReplayStore, StoreFault
from tests.docs.page import Page
from tests.support.http_server import DROP, HttpServer, Reply, Request, json_reply, redirect, status
from tests.support.servers import RedisServer

PAGE = Page("service-to-service")
SECRET = "a secret"
BASIC = "Basic " + b64encode(b"billing:a+secret").decode()


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with HttpServer() as server:
        yield server


async def publish(server: HttpServer, path: str, tokens: TokenService) -> str:
    """Serve the keys of a service, as the page says; where that is."""
    jwks = await tokens.jwks()
    cache = f"public, max-age={int(jwks.max_age.total_seconds())}"
    server.route(path, json_reply(jwks.as_dict(), headers={"ETag": jwks.etag, "Cache-Control": cache}))
    return server.url(path)


@pytest.fixture
async def billing() -> AsyncIterator[TokenService]:
    keys = MemoryKeyProvider(algorithm="ES256")
    async with TokenService(issuer="billing", keys=keys) as billing:
        yield billing


def serve_orders(server: HttpServer, guide: SimpleNamespace, verifier: TokenVerifier) -> str:
    """The service that is called."""

    async def today(request: Request) -> Reply:
        code, caller = await guide.admitted(verifier, request.headers.get("authorization"))
        return json_reply({"caller": caller}, status=code)

    server.route("/today", today)
    return server.url("/today")


# Tokens of our own


@pytest.fixture
async def orders(guide, server, billing) -> AsyncIterator[str]:
    keys = JWKSKeyResolver(await publish(server, "/billing/jwks", billing))
    async with TokenVerifier(issuer="billing", keys=keys) as verifier:
        yield serve_orders(server, guide, verifier)


async def test_a_call_with_a_token_of_our_own(guide, billing, orders, server):
    assert await guide.orders_of_today(billing, orders) == {"caller": "billing"}
    assert server.count("/billing/jwks") == 1


async def test_what_the_called_service_answers(guide, billing, orders, server):
    async def code(token: str) -> int:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return (await client.get(orders, headers={"authorization": token})).status_code

    scoped = await billing.mint(guide.ORDERS, subject="billing", scopes=["orders:read"])
    assert await code(f"bearer {scoped}") == 200
    assert [await code(text) for text in ("", "Basic eA==", "Bearer", "Bearer x.y.z", str(scoped))] == [401] * 5
    assert await code(f"Bearer {await billing.mint(guide.ORDERS, subject='billing')}") == 403
    server.route("/away", DROP)
    async with TokenVerifier(issuer="billing", keys=JWKSKeyResolver(server.url("/away"))) as blind:
        assert await guide.admitted(blind, f"Bearer {scoped}") == (503, None)


async def test_one_token_for_all_and_one_each_for_single_use(billing, orders, server):
    once = Purpose("once", lifetime=timedelta(minutes=1), audience="orders", single_use=True)
    for purpose, tokens in ((presets.SERVICE.replace(audience="orders"), 1), (once, 5)):
        seen: set[str] = set()

        def today(request: Request, seen: set[str] = seen) -> Reply:
            seen.add(request.headers["authorization"])
            return json_reply({})

        server.route("/today", today)
        async with httpx2.AsyncClient(auth=MintAuth(billing, purpose, subject="billing")) as client:
            await asyncio.gather(*(client.get(orders) for _ in range(5)))
        assert len(seen) == tokens


# Tokens of an authorization server


class AuthorizationServer:
    """One client, `billing`, with a secret or with keys that it publishes."""

    def __init__(self, server: HttpServer, tokens: TokenService, guide: SimpleNamespace) -> None:
        self.issuer = server.url("/login")
        self.url = server.url("/login/token")
        self.granted = 0
        self._tokens, self._orders = tokens, guide.ORDERS
        self._assertion = Purpose(
            "assertion", typ="JWT", audience=self.url, lifetime=timedelta(minutes=5), single_use=True
        )
        self.clients = TokenVerifier(
            issuer="billing", keys=JWKSKeyResolver(server.url("/billing/jwks")), replay=MemoryReplayStore()
        )
        server.route(
            "/.well-known/oauth-authorization-server/login",
            json_reply({"issuer": self.issuer, "token_endpoint": self.url, "jwks_uri": server.url("/login/jwks")}),
        )
        server.route("/login/token", self.grant)

    async def grant(self, request: Request) -> Reply:
        form = request.form
        if "client_assertion" in form:
            await self.clients.verify(form["client_assertion"], self._assertion)
        elif request.headers.get("authorization") != BASIC:
            return json_reply({"error": "invalid_client", "error_description": "no"}, status=401)
        self.granted += 1
        token = await self._tokens.mint(self._orders, subject="billing", scopes=form.get("scope", "").split())
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": 300})


@pytest.fixture
async def login(guide, server) -> AsyncIterator[AuthorizationServer]:
    issuer = server.url("/login")
    async with TokenService(issuer=issuer, keys=MemoryKeyProvider()) as tokens:
        keys = JWKSKeyResolver(await publish(server, "/login/jwks", tokens))
        login = AuthorizationServer(server, tokens, guide)
        # Entered before anybody asserts anything: what is older than its store's memory is refused.
        async with TokenVerifier(issuer=issuer, keys=keys) as verifier, login.clients:
            serve_orders(server, guide, verifier)
            yield login


async def test_a_call_with_a_token_of_an_authorization_server(guide, server, login):
    assert await guide.report(login.issuer, SECRET, server.url("/today")) == {"caller": "billing"}
    server.route("/.well-known/oauth-authorization-server/login", json_reply({"issuer": login.issuer}))
    with pytest.raises(LookupError):
        await guide.report(login.issuer, SECRET, server.url("/today"))


async def test_a_call_without_a_secret(guide, server, billing, login):
    await publish(server, "/billing/jwks", billing)
    async with guide.provider_for(login.url, billing) as provider:
        tokens = await asyncio.gather(*(provider.token() for _ in range(50)))
        assert (len(set(tokens)), login.granted) == (1, 1)
        provider.invalidate()
        assert await provider.token() != tokens[0]


async def test_what_becomes_of_a_refusal_a_redirect_and_an_outage(guide, server, login):
    async with ClientCredentials(login.url, "billing", "another") as provider:
        with pytest.raises(TokenEndpointError) as caught:
            await provider.token()
    assert caught.value.reason is Reason.TOKEN_ENDPOINT_REJECTED
    assert caught.value.details["error"] == "invalid_client"
    clock = FakeClock()
    async with ClientCredentials(login.url, "billing", SECRET, clock=clock) as provider:
        held = await provider.token()
        for trouble in (DROP, redirect("/elsewhere"), status(429, headers={"Retry-After": "30"})):
            server.route("/login/token", trouble)
            clock.advance(timedelta(seconds=90))
            assert await provider.token() == held
        clock.advance(timedelta(seconds=90))
        with pytest.raises(TokenEndpointError) as caught:
            await provider.token()
    assert caught.value.reason is Reason.TOKEN_ENDPOINT_UNAVAILABLE
    assert server.count("/elsewhere") == 0
    assert SECRET not in repr(provider) + str(caught.value)


async def test_after_a_401_once_more_with_another_token(server, login):
    refused = set()

    def today(request: Request) -> Reply:
        refused.add(request.headers["authorization"])
        return json_reply({}, status=401 if len(refused) == 1 else 200)

    server.route("/today", today)
    async with (
        ClientCredentials(login.url, "billing", SECRET) as provider,
        httpx2.AsyncClient(auth=provider.auth) as client,
    ):
        assert (await client.get(server.url("/today"))).status_code == 200
    assert login.granted == 2


def test_the_figures_are_the_defaults():
    parameters = inspect.signature(ClientCredentials).parameters
    assert parameters["margin"].default == timedelta(seconds=60)
    assert parameters["timeout"].default == timedelta(seconds=5)
    assert parameters["authentication"].default == "client_secret_basic"
    assert inspect.signature(PrivateKeyJWT).parameters["lifetime"].default == timedelta(minutes=1)
    assert timedelta(minutes=5) == timedelta(seconds=DEFAULT_LIFETIME)
    assert inspect.signature(RevocationCache).parameters["max_age"].default == timedelta(seconds=5)


# Revoking, introspecting


async def test_a_cache_in_front_of_a_store(guide, valkey: RedisServer):
    here = TokenService(issuer="login", keys=MemoryKeyProvider(), replay=guide.store_for(valkey.url))
    async with here:
        token, other = [
            await here.mint(guide.ACCESS, subject="20", claims={"client_id": client}) for client in ("web", "phone")
        ]
        assert (await here.verify(token, guide.ACCESS)).subject == "20"
        await here.revoke(token, guide.ACCESS)
        with pytest.raises(TokenRevokedError):
            await here.verify(token, guide.ACCESS)
        assert (await here.verify(other, guide.ACCESS)).subject == "20"


@pytest.fixture
def store() -> FaultyReplayStore:
    return FaultyReplayStore(MemoryReplayStore())


@pytest.fixture
async def ours(store: FaultyReplayStore) -> AsyncIterator[TokenService]:
    async with TokenService(issuer="login", keys=MemoryKeyProvider(), replay=store) as tokens:
        yield tokens


@pytest.fixture
async def endpoints(guide, server, ours) -> AsyncIterator[httpx2.AsyncClient]:
    async def introspection(request: Request) -> Reply:
        code, body = await guide.introspected(ours, request.form)
        return json_reply(body, status=code)

    async def revocation(request: Request) -> Reply:
        return status(await guide.revoked(ours, request.form, client_id=request.headers["client"]))

    server.route("/introspect", introspection)
    server.route("/revoke", revocation)
    async with httpx2.AsyncClient(base_url=server.url(), headers={"client": "web"}, trust_env=False) as client:
        yield client


async def test_the_endpoints(guide, ours, endpoints):
    token = await ours.mint(guide.ACCESS, subject="20", claims={"client_id": "web"}, scopes=["orders:read"])
    form = {"token": str(token)}
    said = (await endpoints.post("/introspect", data=form)).json()
    assert (said["active"], said["sub"], said["client_id"], said["scope"]) == (True, "20", "web", "orders:read")
    assert (await endpoints.post("/introspect", data={"token": "x"})).json() == {"active": False}
    assert (await endpoints.post("/introspect")).json() == {"active": False}

    codes = [
        (await endpoints.post("/revoke", data=data, headers=headers)).status_code
        for data, headers in ((form, {"client": "phone"}), ({"token": "x"}, {}), ({}, {}))
    ]
    assert codes == [200] * 3
    assert (await endpoints.post("/introspect", data=form)).json()["active"]
    assert (await endpoints.post("/revoke", data=form)).status_code == 200
    assert (await endpoints.post("/introspect", data=form)).json() == {"active": False}


async def test_while_nobody_can_know(guide, ours, store, endpoints):
    token = await ours.mint(guide.ACCESS, subject="20", claims={"client_id": "web"})
    store.fail_always(StoreFault.BEFORE)
    for path in ("/introspect", "/revoke"):
        assert (await endpoints.post(path, data={"token": str(token)})).status_code == 503


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
