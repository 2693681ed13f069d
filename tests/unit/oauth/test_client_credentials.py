"""Tokens for ourselves: what is asked for, what is refused, what is shown."""

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qsl

import httpx2
import pytest

from mintkey import ConfigurationError, TokenService
from mintkey.http.base import HttpRequest, HttpResponse
from mintkey.keys import MemoryKeyProvider
from mintkey.oauth import ClientCredentials, PrivateKeyJWT
from mintkey.testing import FakeClock

TOKEN_URL = "https://login.example/token"


class Provider:
    """A transport with a token endpoint behind it.

    Attributes:
        requests: What was asked for.
        is_closed: Whether somebody closed it.
    """

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.is_closed = False

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        self.requests.append(request)
        body = b'{"access_token": "token-%d", "token_type": "Bearer", "expires_in": 3600}' % len(self.requests)
        return HttpResponse(status=200, headers={}, body=body)

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def form(self) -> dict[str, str]:
        """The last one."""
        body = self.requests[-1].body
        assert body is not None
        return dict(parse_qsl(body.decode()))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def tokens() -> AsyncIterator[TokenService]:
    async with TokenService(issuer="billing", keys=MemoryKeyProvider()) as service:
        yield service


async def test_the_least_that_there_is(provider: Provider) -> None:
    async with ClientCredentials(TOKEN_URL, "billing", "secret", transport=provider) as client:
        assert await client.token() == "token-1"
    assert provider.form == {"grant_type": "client_credentials"}
    assert provider.requests[0].url == TOKEN_URL
    assert provider.requests[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("scope", ["orders:read orders:write", ["orders:read", "orders:write"]])
async def test_scopes_and_audience_are_asked_for(provider: Provider, scope: str | list[str]) -> None:
    client = ClientCredentials(
        TOKEN_URL, "billing", "secret", scope=scope, audience="https://orders.example", transport=provider
    )
    await client.token()
    assert provider.form == {
        "grant_type": "client_credentials",
        "scope": "orders:read orders:write",
        "audience": "https://orders.example",
    }


async def test_the_secret_may_go_into_the_body(provider: Provider) -> None:
    client = ClientCredentials(TOKEN_URL, "billing", "secret", authentication="client_secret_post", transport=provider)
    await client.token()
    assert provider.form == {
        "grant_type": "client_credentials",
        "client_id": "billing",
        "client_secret": "secret",
    }
    assert "authorization" not in provider.requests[0].headers


async def test_or_there_is_none(provider: Provider, tokens: TokenService) -> None:
    client = ClientCredentials(TOKEN_URL, "billing", authentication=PrivateKeyJWT(tokens), transport=provider)
    await client.token()
    assert sorted(provider.form) == ["client_assertion", "client_assertion_type", "client_id", "grant_type"]


async def test_the_token_is_kept_until_the_margin(provider: Provider) -> None:
    clock = FakeClock()
    client = ClientCredentials(
        TOKEN_URL, "billing", "secret", margin=timedelta(minutes=10), transport=provider, clock=clock
    )
    assert [await client.token() for _ in range(3)] == ["token-1"] * 3
    clock.advance(timedelta(minutes=50))
    assert await client.token() == "token-2"
    client.invalidate()
    assert await client.token() == "token-3"
    assert len(provider.requests) == 3


async def test_auth_is_one_and_the_same(provider: Provider) -> None:
    client = ClientCredentials(TOKEN_URL, "billing", "secret", transport=provider)
    assert client.auth is client.auth
    assert isinstance(client.auth, httpx2.Auth)


async def test_a_transport_that_is_given_is_not_closed(provider: Provider) -> None:
    async with ClientCredentials(TOKEN_URL, "billing", "secret", transport=provider) as client:
        await client.token()
    assert not provider.is_closed
    assert await client.token() == "token-2"  # closing forgot the first one


async def test_all_problems_are_named_at_once(tokens: TokenService) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ClientCredentials(
            "http://login.example/token",
            "",
            "",
            scope='a"b',
            audience="",
            margin=timedelta(seconds=-1),
            timeout=timedelta(0),
        )
    problems = raised.value.details["problems"]
    assert [problem.split()[1] for problem in problems] == [  # type: ignore[attr-defined]
        "token_url",
        "client_id",
        "scope",
        "audience",
        "margin",
        "timeout",
        "client_secret_basic",
    ]


@pytest.mark.parametrize(
    ("secret", "authentication", "problem"),
    [
        (None, "client_secret_basic", "client_secret_basic needs a client_secret"),
        (None, "client_secret_post", "client_secret_post needs a client_secret"),
        ("from a file\n", "client_secret_basic", "line breaks"),
        ("from the environment\udcff", "client_secret_post", "control characters"),
        ("secret", "none", "authentication must be client_secret_basic, client_secret_post or a PrivateKeyJWT"),
    ],
)
async def test_a_method_that_cannot_work_is_refused(secret: str | None, authentication: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        ClientCredentials(TOKEN_URL, "billing", secret, authentication=authentication)  # type: ignore[arg-type]


async def test_an_assertion_needs_no_secret_and_the_right_issuer(tokens: TokenService) -> None:
    with pytest.raises(ConfigurationError, match="client_secret is not for PrivateKeyJWT"):
        ClientCredentials(TOKEN_URL, "billing", "secret", authentication=PrivateKeyJWT(tokens))
    with pytest.raises(ConfigurationError, match="must have the client id as its issuer"):
        ClientCredentials(TOKEN_URL, "orders", authentication=PrivateKeyJWT(tokens))


async def test_nothing_shows_the_secret_or_the_token(provider: Provider) -> None:
    client = ClientCredentials(TOKEN_URL, "billing", "hush-hush", transport=provider)
    token = await client.token()
    assert repr(client) == "ClientCredentials('https://login.example/token', 'billing')"
    shown = f"{client!r}{client.auth!r}{provider.requests!r}{client._cache._lease!r}{client._endpoint!r}"
    assert token not in shown
    assert "hush" not in shown
