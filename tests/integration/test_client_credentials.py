"""Client credentials as people use them: a provider, a resource and a client on real connections."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest

from mintkey import Purpose, TokenEndpointError, TokenService, TokenVerifier, presets
from mintkey.integrations.httpx import MintAuth
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.static import StaticKeyResolver
from mintkey.oauth import ClientCredentials, PrivateKeyJWT, discover
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.support.http_server import DROP, HANG, HttpServer, Reply, Request, json_reply, redirect, status

BASIC = "Basic " + base64.b64encode(b"billing:s3cr3t").decode()


class Provider(HttpServer):
    """An authorization server with one client, `billing`, and numbered tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.granted = 0
        self.route("/token", self.grant)

    def grant(self, request: Request) -> Reply:
        if request.headers.get("authorization") != BASIC:
            return json_reply({"error": "invalid_client"}, status=401)
        return self.token()

    def token(self) -> Reply:
        self.granted += 1
        return json_reply({"access_token": f"token-{self.granted}", "token_type": "Bearer", "expires_in": 3600})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as provider:
        yield provider


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(provider: Provider, clock: FakeClock) -> AsyncIterator[ClientCredentials]:
    async with ClientCredentials(provider.url("/token"), "billing", "s3cr3t", clock=clock) as client:
        yield client


async def test_fifty_callers_cause_one_request(provider: Provider, client: ClientCredentials) -> None:
    assert await asyncio.gather(*(client.token() for _ in range(50))) == ["token-1"] * 50
    assert provider.count() == 1


@pytest.mark.parametrize(
    "trouble",
    [HANG, DROP, status(500), status(429, headers={"Retry-After": "3600"}), status(200, body=b"<html>"), redirect("/")],
    ids=["hangs", "drops", "500", "429", "a page", "redirects"],
)
async def test_nobody_notices_that_the_provider_is_down_while_the_token_is_good(
    provider: Provider, client: ClientCredentials, clock: FakeClock, trouble: Reply
) -> None:
    await client.token()
    provider.route("/token", trouble)
    for _ in range(59):
        clock.advance(timedelta(minutes=1))
        assert await asyncio.gather(*(client.token() for _ in range(50))) == ["token-1"] * 50
    clock.advance(timedelta(seconds=59))
    assert await asyncio.gather(*(client.token() for _ in range(50))) == ["token-1"] * 50
    assert provider.count() < 6


async def test_nor_that_it_is_gone(provider: Provider, client: ClientCredentials, clock: FakeClock) -> None:
    await client.token()
    await provider.__aexit__()
    clock.advance(timedelta(seconds=3590))
    assert await asyncio.gather(*(client.token() for _ in range(50))) == ["token-1"] * 50
    clock.advance(timedelta(seconds=10))
    with pytest.raises(TokenEndpointError) as raised:
        await client.token()
    assert raised.value.reason == "token_endpoint_unavailable"


async def test_a_wrong_secret_is_told_apart_from_an_outage(provider: Provider) -> None:
    async with ClientCredentials(provider.url("/token"), "billing", "wrong") as client:
        with pytest.raises(TokenEndpointError) as raised:
            await client.token()
    assert raised.value.reason == "token_endpoint_rejected"
    assert raised.value.details == {"status": 401, "error": "invalid_client"}


async def test_a_hanging_provider_is_given_up(provider: Provider) -> None:
    provider.route("/token", HANG)
    async with ClientCredentials(
        provider.url("/token"), "billing", "s3cr3t", timeout=timedelta(milliseconds=100)
    ) as client:
        with pytest.raises(TokenEndpointError, match=r"within 0\.1 seconds"):
            await client.token()


async def test_a_client_may_be_used_from_one_event_loop_after_another(provider: Provider) -> None:
    client = ClientCredentials(provider.url("/token"), "billing", "s3cr3t")

    async def in_another_loop() -> str:
        try:
            return await client.token()
        finally:
            await client.aclose()

    assert await asyncio.to_thread(asyncio.run, in_another_loop()) == "token-1"
    assert await client.token() == "token-2"
    await client.aclose()


async def test_the_token_goes_with_requests_and_a_refused_one_is_replaced(
    provider: Provider, client: ClientCredentials
) -> None:
    good = {"token-1"}

    def today(request: Request) -> Reply:
        return json_reply({}, status=200 if request.headers["authorization"].removeprefix("Bearer ") in good else 401)

    provider.route("/today", today)
    async with httpx2.AsyncClient(auth=client.auth) as http:
        assert (await http.get(provider.url("/today"))).status_code == 200
        good.add("token-2")
        good.remove("token-1")
        answers = await asyncio.gather(*(http.post(provider.url("/today"), json={}) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert provider.granted == 2


async def test_a_private_key_instead_of_a_secret(provider: Provider) -> None:
    """The provider verifies the assertion with what the client publishes, and accepts each one once."""
    url = provider.url("/token")
    assertion = Purpose("assertion", lifetime=timedelta(minutes=5), audience=url, typ="JWT", single_use=True)
    async with (
        TokenService(issuer="billing", keys=MemoryKeyProvider(algorithm="ES256")) as own,
        TokenVerifier(
            issuer="billing", keys=StaticKeyResolver((await own.jwks()).as_dict()), replay=MemoryReplayStore()
        ) as verifier,
        ClientCredentials(url, "billing", authentication=PrivateKeyJWT(own)) as client,
    ):

        async def grant(request: Request) -> Reply:
            used = await verifier.verify(request.form["client_assertion"], assertion)
            return provider.token() if used.subject == "billing" else status(401)

        provider.route("/token", grant)
        assert await client.token() == "token-1"
        client.invalidate()
        assert await client.token() == "token-2"


async def test_where_the_endpoint_is_can_be_asked(provider: Provider) -> None:
    issuer = provider.url("/tenant")
    provider.route(
        "/tenant/.well-known/openid-configuration",
        json_reply({"issuer": issuer, "token_endpoint": provider.url("/token"), "jwks_uri": provider.url("/jwks")}),
    )
    metadata = await discover(issuer)
    assert metadata.token_endpoint is not None
    async with ClientCredentials(metadata.token_endpoint, "billing", "s3cr3t") as client:
        assert await client.token() == "token-1"


async def test_calls_between_services_of_our_own() -> None:
    service = presets.SERVICE.replace(audience="orders")
    async with (
        TokenService(issuer="https://billing.example", keys=MemoryKeyProvider()) as billing,
        TokenVerifier(
            issuer="https://billing.example", keys=StaticKeyResolver((await billing.jwks()).as_dict())
        ) as verifier,
        HttpServer() as orders,
    ):

        async def today(request: Request) -> Reply:
            token = request.headers["authorization"].removeprefix("Bearer ")
            return json_reply({"caller": (await verifier.verify(token, service, scopes=["read"])).subject})

        orders.route("/today", today)
        auth = MintAuth(billing, service, subject="billing", scopes=["read"])
        async with httpx2.AsyncClient(auth=auth) as http:
            answers = await asyncio.gather(*(http.get(orders.url("/today")) for _ in range(10)))
        assert [answer.json() for answer in answers] == [{"caller": "billing"}] * 10
        assert len({request.headers["authorization"] for request in orders.requests}) == 1
