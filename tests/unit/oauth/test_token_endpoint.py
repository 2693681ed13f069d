"""One request to a token endpoint, over a real connection to a hostile one."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from mintkey.errors import TokenEndpointError
from mintkey.http.base import HttpRequest, HttpResponse
from mintkey.http.httpx import HttpxTransport
from mintkey.oauth.token_endpoint import TokenEndpoint
from mintkey.testing import FakeClock
from tests.support.http_server import (
    DROP,
    HANG,
    HttpServer,
    Reply,
    drip,
    endless,
    json_reply,
    raw,
    redirect,
    status,
)

GRANT = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 60}
FORM = {"grant_type": "client_credentials", "scope": "orders:read orders:write"}


@dataclass
class Site:
    server: HttpServer
    transport: HttpxTransport

    def endpoint(self, *, seconds: float = 5.0) -> TokenEndpoint:
        return TokenEndpoint(
            self.server.url("/token"),
            transport=self.transport,
            timeout=timedelta(seconds=seconds),
            clock=FakeClock(),
        )

    async def refused(self, reply: Reply, *, seconds: float = 5.0) -> TokenEndpointError:
        self.server.route("/token", reply)
        with pytest.raises(TokenEndpointError) as raised:
            await self.endpoint(seconds=seconds).ask(FORM, {"authorization": "Basic c2VjcmV0"})
        return raised.value


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with HttpServer() as server, aclosing(HttpxTransport()) as transport:
        yield Site(server, transport)


async def test_a_form_is_posted_and_a_token_comes_back(site: Site) -> None:
    site.server.route("/token", json_reply(GRANT))
    grant = await site.endpoint().ask(FORM, {"authorization": "Basic c2VjcmV0"})
    assert (grant.token, grant.lifetime) == ("token-1", 60)
    (request,) = site.server.requests
    assert request.method == "POST"
    assert request.form == FORM
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert request.headers["authorization"] == "Basic c2VjcmV0"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_credentials_follow_no_redirect(site: Site, code: int) -> None:
    site.server.route("/elsewhere", json_reply(GRANT))
    error = await site.refused(redirect(site.server.url("/elsewhere"), code=code))
    assert error.reason == "token_endpoint_unavailable"
    assert "credentials are sent nowhere else" in str(error)
    assert site.server.count("/elsewhere") == 0


@pytest.mark.parametrize("code", [400, 401, 403, 404])
async def test_a_refusal_tells_the_registered_code_and_nothing_else(site: Site, code: int) -> None:
    body = {"error": "invalid_client", "error_description": "the secret s3cr3t is wrong"}
    error = await site.refused(json_reply(body, status=code))
    assert error.reason == "token_endpoint_rejected"
    assert error.details == {"status": code, "error": "invalid_client"}
    assert "invalid_client" in str(error)
    assert "s3cr3t" not in str(error)


async def test_a_refusal_without_such_a_code_tells_the_status(site: Site) -> None:
    error = await site.refused(status(403, body=b"<h1>no</h1>"))
    assert error.reason == "token_endpoint_rejected"
    assert error.details == {"status": 403}


@pytest.mark.parametrize("code", [201, 204, 408, 425, 429, 500, 502, 503, 504])
async def test_whatever_may_pass_is_unavailable(site: Site, code: int) -> None:
    error = await site.refused(status(code))
    assert error.reason == "token_endpoint_unavailable"
    assert error.details == {"status": code}
    assert error.retryable


async def test_when_to_come_back_is_in_the_details(site: Site) -> None:
    error = await site.refused(status(429, headers={"Retry-After": "30"}))
    assert error.details == {"status": 429, "retry_after": 30.0}


@pytest.mark.parametrize(
    "reply",
    [
        DROP,
        raw(b"no HTTP\r\n\r\n"),
        endless(),
        status(200, body=b"{" * 10_000_000),
        status(200, body=b"<html>"),
        json_reply({**GRANT, "token_type": "mac"}),
    ],
    ids=["drops", "no HTTP", "endless", "10 MB", "a page", "another type"],
)
async def test_an_answer_of_no_use_is_none(site: Site, reply: Reply) -> None:
    error = await site.refused(reply)
    assert error.reason == "token_endpoint_unavailable"
    assert site.server.sent < 5_000_000


@pytest.mark.parametrize("reply", [HANG, Reply(body=b"{}", hangs="body"), drip()], ids=["hangs", "body hangs", "drips"])
async def test_one_deadline_is_over_all_of_it(site: Site, reply: Reply) -> None:
    error = await site.refused(reply, seconds=0.1)
    assert error.reason == "token_endpoint_unavailable"
    assert "0.1 seconds" in str(error)


async def test_nobody_listens(site: Site) -> None:
    async with HttpServer() as gone:
        url = gone.url("/token")
    endpoint = TokenEndpoint(url, transport=site.transport, timeout=timedelta(seconds=5), clock=FakeClock())
    with pytest.raises(TokenEndpointError, match="cannot be reached"):
        await endpoint.ask(FORM, {})


async def test_a_transport_of_somebody_else_may_raise_what_it_likes() -> None:
    class Foreign:
        async def send(self, request: HttpRequest, /) -> HttpResponse:
            raise LookupError("with the secret in its message")

        async def aclose(self) -> None: ...

    endpoint = TokenEndpoint(
        "https://login.example/token", transport=Foreign(), timeout=timedelta(seconds=5), clock=FakeClock()
    )
    with pytest.raises(TokenEndpointError, match="LookupError") as raised:
        await endpoint.ask(FORM, {})
    assert "secret" not in str(raised.value)
