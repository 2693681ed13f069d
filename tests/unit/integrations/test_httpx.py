"""Requests with tokens that our own service mints."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2
import pytest

from mintkey import ConfigurationError, InvalidTokenError, Purpose, TokenService, VerifiedToken, presets
from mintkey.integrations.httpx import MintAuth
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock

SERVICE = presets.SERVICE.replace(audience="orders")
ONCE = Purpose("once", lifetime=timedelta(minutes=5), audience="orders", single_use=True)
URL = "https://orders.internal.example/today"


@dataclass
class Orders:
    """The service that is called: it verifies what it gets."""

    tokens: TokenService
    clock: FakeClock
    purpose: Purpose[dict[str, object]] = SERVICE
    seen: list[VerifiedToken[dict[str, object]]] = field(default_factory=list)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        try:
            self.seen.append(await self.tokens.verify(token, self.purpose))
        except InvalidTokenError:
            return httpx2.Response(401)
        return httpx2.Response(200)

    def client(self, auth: MintAuth) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer), auth=auth)

    @property
    def ids(self) -> list[str]:
        return [token.id for token in self.seen]


@pytest.fixture
async def orders() -> AsyncIterator[Orders]:
    clock = FakeClock()
    async with TokenService(
        issuer="https://billing.example",
        keys=MemoryKeyProvider(clock=clock),
        replay=MemoryReplayStore(clock=clock),
        clock=clock,
    ) as tokens:
        yield Orders(tokens, clock)


async def test_a_token_says_who_calls_whom_for_what(orders: Orders) -> None:
    async with (
        MintAuth(
            orders.tokens, SERVICE, subject="billing", audience="orders", scopes=["orders:read"], claims={"run": 7}
        ) as auth,
        orders.client(auth) as client,
    ):
        assert (await client.get(URL)).status_code == 200
    (token,) = orders.seen
    assert (token.subject, token.audience) == ("billing", ("orders",))
    assert token.scopes == {"orders:read"}
    assert token.claims == {"run": 7}


async def test_one_is_minted_for_all_requests_until_the_margin(orders: Orders) -> None:
    async with orders.client(MintAuth(orders.tokens, SERVICE, subject="billing")) as client:
        await asyncio.gather(*(client.get(URL) for _ in range(50)))
        assert len(set(orders.ids)) == 1
        orders.clock.advance(timedelta(minutes=4, seconds=1))
        await client.get(URL)
    assert len(orders.ids) == 51
    assert orders.ids[-1] != orders.ids[0]


async def test_one_whose_key_was_revoked_is_replaced(orders: Orders) -> None:
    async with orders.client(MintAuth(orders.tokens, SERVICE, subject="billing")) as client:
        await client.get(URL)
        await orders.tokens._provider.revoke(orders.seen[0].key_id)
        assert (await client.get(URL)).status_code == 200
    assert len(set(orders.ids)) == 2


async def test_a_token_for_single_use_is_minted_for_every_request(orders: Orders) -> None:
    orders.purpose = ONCE
    async with orders.client(MintAuth(orders.tokens, ONCE, subject="billing")) as client:
        for _ in range(3):
            assert (await client.get(URL)).status_code == 200
    assert len(set(orders.ids)) == 3


async def test_one_that_is_refused_is_tried_once_more(orders: Orders) -> None:
    orders.purpose = ONCE.replace(audience="shipping")
    async with orders.client(MintAuth(orders.tokens, ONCE, subject="billing")) as client:
        assert (await client.get(URL)).status_code == 401


async def test_what_contradicts_the_purpose_is_found_by_the_first_request(orders: Orders) -> None:
    async with orders.client(MintAuth(orders.tokens, SERVICE)) as client:
        with pytest.raises(ConfigurationError, match="sub"):
            await client.get(URL)


async def test_a_margin_is_not_negative(orders: Orders) -> None:
    with pytest.raises(ConfigurationError, match="margin"):
        MintAuth(orders.tokens, SERVICE, margin=timedelta(seconds=-1))
