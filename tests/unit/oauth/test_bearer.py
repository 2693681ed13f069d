"""Requests with a bearer token, and a second try after a 401."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx2
import pytest

from mintkey.errors import TokenEndpointError, UnsupportedOperationError
from mintkey.oauth.bearer import BearerAuth
from mintkey.oauth.token_cache import TokenCache
from mintkey.testing import FakeClock
from tests.support.token_source import Source

URL = "https://orders.example/today"


class Resource(httpx2.AsyncBaseTransport):
    """A server that accepts some tokens, a client of it, and the source of the client's tokens."""

    def __init__(self, accepts: Callable[[str], bool]) -> None:
        self.accepts = accepts
        self.seen: list[str] = []
        self.bodies: list[bytes] = []
        self.clock = FakeClock()
        self.source = Source()
        self.cache = TokenCache(self.source, clock=self.clock, margin=timedelta(seconds=60), closed=TokenEndpointError)
        self.auth = BearerAuth(self.cache, clock=self.clock)
        self.client = httpx2.AsyncClient(transport=self, auth=self.auth)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        self.bodies.append(b"".join([part async for part in request.stream]))
        scheme, _, token = request.headers["authorization"].partition(" ")
        assert scheme == "Bearer"
        self.seen.append(token)
        return httpx2.Response(200 if self.accepts(token) else 401)


def accepting(*tokens: str) -> Resource:
    return Resource(lambda token: token in tokens)


async def test_every_request_has_the_token() -> None:
    resource = accepting("token-1")
    async with resource.client as client:
        for _ in range(3):
            assert (await client.get(URL)).status_code == 200
    assert resource.seen == ["token-1"] * 3
    assert resource.source.count == 1


async def test_a_401_is_tried_once_more_with_another_token() -> None:
    resource = accepting("token-2")
    async with resource.client as client:
        response = await client.post(URL, json={"order": 7})
    assert response.status_code == 200
    assert resource.seen == ["token-1", "token-2"]
    assert resource.bodies == [b'{"order":7}'] * 2


async def test_of_many_who_are_refused_one_gets_another_token_for_all() -> None:
    resource = accepting("token-2")
    async with resource.client as client:
        responses = await asyncio.gather(*(client.get(URL) for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    assert resource.source.count == 2


async def test_a_second_401_is_the_callers() -> None:
    resource = accepting()
    async with resource.client as client:
        assert (await client.get(URL)).status_code == 401
    assert resource.seen == ["token-1", "token-2"]


async def test_a_resource_that_refuses_new_tokens_is_not_offered_more_of_them() -> None:
    """Every one of them costs a request to the provider."""
    resource = accepting()
    async with resource.client as client:
        for _ in range(20):
            assert (await client.get(URL)).status_code == 401
        assert resource.source.count == 2
        resource.clock.advance(timedelta(seconds=10))
        await client.get(URL)
        assert resource.source.count == 3


async def test_that_is_remembered_for_each_resource_by_itself() -> None:
    resource = Resource(lambda token: token == "token-3")
    async with resource.client as client:
        assert (await client.get("https://other.example/")).status_code == 401
        assert (await client.get(URL)).status_code == 200
    assert resource.seen == ["token-1", "token-2", "token-2", "token-3"]


async def test_and_for_a_bounded_number_of_them() -> None:
    resource = accepting()
    async with resource.client as client:
        for number in range(200):
            await client.get(f"https://host-{number}.example/")
    assert len(resource.auth._unwilling) <= 64


async def test_a_provider_that_insists_on_its_token_is_not_asked_again_and_again() -> None:
    resource = accepting()

    async def same() -> str:
        return "token"

    async def insist(_refused: str) -> str:
        resource.source.count += 1
        return "token"

    resource.cache.token = same  # type: ignore[method-assign]
    resource.cache.replacement = insist  # type: ignore[method-assign]
    async with resource.client as client:
        for _ in range(5):
            assert (await client.get(URL)).status_code == 401
    assert resource.seen == ["token"] * 5
    assert resource.source.count == 1


async def test_a_streamed_body_is_sent_once() -> None:
    resource = accepting("token-2")

    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    async with resource.client as client:
        assert (await client.post(URL, content=body())).status_code == 401
        assert resource.bodies == [b"once"]
        assert (await client.get(URL)).status_code == 200  # the other token is there already


async def test_without_a_token_nothing_is_sent() -> None:
    resource = accepting("token-1")
    resource.source.error = TokenEndpointError("away")
    async with resource.client as client:
        with pytest.raises(TokenEndpointError, match="away"):
            await client.get(URL)
    assert resource.seen == []


async def test_other_answers_are_no_reason_for_another_token() -> None:
    resource = accepting("token-1")
    resource.client = httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda _request: httpx2.Response(403)), auth=resource.auth
    )
    async with resource.client as client:
        assert (await client.get(URL)).status_code == 403
    assert resource.source.count == 1


def test_a_client_that_blocks_is_told_what_to_use() -> None:
    resource = accepting("token-1")
    with (
        httpx2.Client(
            transport=httpx2.MockTransport(lambda _request: httpx2.Response(200)), auth=resource.auth
        ) as client,
        pytest.raises(UnsupportedOperationError, match=r"httpx2\.AsyncClient"),
    ):
        client.get(URL)
