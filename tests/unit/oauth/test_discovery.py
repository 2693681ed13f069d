"""Asking an issuer, over real connections, where its endpoints are."""

from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError, RemoteKeysError
from mintkey.http.httpx import HttpxTransport
from mintkey.oauth import discover
from tests.support.http_server import DROP, HANG, HttpServer, Reply, endless, json_reply, redirect, status

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


def metadata(server: HttpServer, issuer: str = "") -> Reply:
    return json_reply({"issuer": server.url(issuer), "jwks_uri": server.url("/jwks")})


async def refused(server: HttpServer, *, seconds: float = 5.0) -> RemoteKeysError:
    with pytest.raises(RemoteKeysError) as raised:
        await discover(server.url(), timeout=timedelta(seconds=seconds))
    return raised.value


async def test_openid_comes_first(server: HttpServer) -> None:
    server.route(OPENID, metadata(server))
    found = await discover(server.url())
    assert (found.issuer, found.jwks_uri) == (server.url(), server.url("/jwks"))
    assert [request.path for request in server.requests] == [OPENID]
    assert server.requests[0].headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "first", [status(404), status(500), DROP, status(200, body=b"<html>")], ids=["404", "500", "drops", "a page"]
)
async def test_then_oauth(server: HttpServer, first: Reply) -> None:
    server.route(f"/tenant{OPENID}", first)
    server.route(f"{OAUTH}/tenant", metadata(server, "/tenant"))
    assert (await discover(server.url("/tenant"))).jwks_uri == server.url("/jwks")


async def test_a_document_of_another_issuer_ends_the_search(server: HttpServer) -> None:
    server.route(OPENID, metadata(server, "/other"))
    server.route(OAUTH, metadata(server))
    error = await refused(server)
    assert error.reason == "jwks_invalid"
    assert server.count() == 1


async def test_nothing_is_there(server: HttpServer) -> None:
    error = await refused(server)
    assert error.reason == "jwks_unavailable"
    assert "404" in str(error)


@pytest.mark.parametrize("reply", [status(200, body=b"[]"), endless()], ids=["no object", "endless"])
async def test_garbage_is_there(server: HttpServer, reply: Reply) -> None:
    server.route(OPENID, reply)
    assert (await refused(server)).reason == "jwks_invalid"


async def test_a_redirect_within_the_origin_is_followed(server: HttpServer) -> None:
    server.route(OPENID, redirect("/moved"))
    server.route("/moved", metadata(server))
    assert (await discover(server.url())).issuer == server.url()


async def test_one_to_another_origin_is_not(server: HttpServer) -> None:
    server.route(OPENID, redirect(server.url("/moved", host="localhost")))
    server.route("/moved", metadata(server))
    assert (await refused(server)).reason == "jwks_unavailable"
    assert server.count("/moved") == 0


async def test_one_deadline_is_over_all_of_it(server: HttpServer) -> None:
    server.route(OPENID, HANG)
    server.route(OAUTH, HANG)
    error = await refused(server, seconds=0.1)
    assert error.reason == "jwks_unavailable"
    assert "0.1 s" in str(error)


async def test_a_transport_that_is_given_is_not_closed(server: HttpServer) -> None:
    server.route(OPENID, metadata(server))
    transport = HttpxTransport()
    for _ in range(2):
        await discover(server.url(), transport=transport)
    assert server.connections == 1
    await transport.aclose()


@pytest.mark.parametrize(
    ("issuer", "problem"),
    [
        ("http://login.example", "https URL"),
        ("login.example", "absolute URL"),
        ("https://login.example?x=1", "query"),
        ("https://login.example#x", "fragment"),
    ],
)
async def test_an_issuer_is_an_https_url(issuer: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        await discover(issuer)


async def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        await discover("http://login.example", timeout=timedelta(0), max_bytes=0)
    assert len(raised.value.details["problems"]) == 3  # type: ignore[arg-type]
