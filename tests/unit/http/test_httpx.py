"""The transport on httpx2, and on clients that people bring."""

import asyncio
import gzip
import sys

import httpx
import httpx2
import pytest

from mintkey.errors import MissingExtraError
from mintkey.http.base import HttpRequest, ResponseTooLargeError, TransportError
from mintkey.http.httpx import HttpxTransport
from tests.support.http_server import HttpServer, Reply, json_reply, redirect, status

MOST = 1000


def to(url: str, **options) -> HttpRequest:
    return HttpRequest(url=url, max_bytes=MOST, **options)


async def test_it_sends_what_it_is_given(server, transport):
    server.route("/token", json_reply({"ok": True}, headers={"X-A": "1"}))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic abc"}
    response = await transport.send(to(server.url("/token"), method="POST", headers=headers, body=b"a=b%20c"))
    assert (response.status, response.body, response.headers["x-a"]) == (200, b'{"ok": true}', "1")
    (request,) = server.requests
    assert (request.method, request.form) == ("POST", {"a": "b c"})
    assert request.headers["authorization"] == "Basic abc"


async def test_every_status_is_an_answer_and_no_redirect_is_followed(server, transport):
    server.route("/teapot", status(418, body=b"short"))
    server.route("/moved", redirect("/teapot"))
    assert (await transport.send(to(server.url("/teapot")))).status == 418
    assert (await transport.send(to(server.url("/moved")))).status == 302
    assert server.count("/teapot") == 1


async def test_it_keeps_connections_but_no_cookies(server, transport):
    server.route("/", status(200, headers={"Set-Cookie": "a=b"}))
    for _ in range(3):
        await transport.send(to(server.url("/")))
    assert server.connections == 1
    assert all("cookie" not in request.headers for request in server.requests)


async def test_a_proxy_for_others_is_not_one_for_loopback(server, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = HttpxTransport()
    server.route("/", status(204))
    assert (await transport.send(to(server.url("/")))).status == 204
    await transport.aclose()


# Size, also of what is compressed though nobody asked for that


@pytest.mark.parametrize("size", [0, 1, MOST])
async def test_a_body_up_to_the_limit_is_read(server, transport, size):
    server.route("/", Reply(200, {}, b"x" * size))
    server.route("/gzip", Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * size, mtime=0)))
    for path in ("/", "/gzip"):
        assert (await transport.send(to(server.url(path)))).body == b"x" * size
    assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}


@pytest.mark.parametrize("size", [MOST + 1, 50_000_000])
async def test_a_larger_one_is_not(server, transport, size):
    server.route("/", Reply(200, {}, b"x" * size))
    server.route("/gzip", Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * size, mtime=0)))
    for path in ("/", "/gzip"):
        with pytest.raises(ResponseTooLargeError, match="1000 bytes"):
            await transport.send(to(server.url(path)))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"{}", mtime=0)[:-4]), ("gzip", b"no gzip"), ("br", b"{}"), ("gzip, gzip", b"{}")],
)
async def test_what_cannot_be_decompressed_is_no_answer(server, transport, encoding, body):
    server.route("/", Reply(200, {"Content-Encoding": encoding}, body))
    with pytest.raises(TransportError):
        await transport.send(to(server.url("/")))


async def test_nothing_is_not_cut_off(server, transport):
    server.route("/", Reply(200, {"Content-Encoding": "gzip"}, b""))
    assert (await transport.send(to(server.url("/")))).body == b""


# Failing


async def test_errors_are_ours_and_show_nothing(transport):
    async with HttpServer() as server:
        url = server.url("/secret")
    for broken in (url, "http://127.0.0.1:99999999/secret", "gopher://secret.example/"):
        with pytest.raises(TransportError, match="request failed") as caught:
            await transport.send(to(broken))
        assert "secret" not in str(caught.value)


# Clients


@pytest.mark.parametrize("package", [httpx, httpx2])
async def test_a_client_that_was_brought_is_used_as_it_is_and_stays_open(server, package):
    server.route("/", redirect("/elsewhere"))
    async with package.AsyncClient(headers={"X-Mine": "yes"}, follow_redirects=True) as client:
        transport = HttpxTransport(client)
        assert (await transport.send(to(server.url("/")))).status == 302
        await transport.aclose()
        assert not client.is_closed
        assert (await transport.send(to(server.url("/")))).status == 302
    assert {request.headers["x-mine"] for request in server.requests} == {"yes"}
    with pytest.raises(TransportError, match="RuntimeError"):
        await transport.send(to(server.url("/")))


@pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(("headers", "sent"), [({"Authorization": "Basic ours"}, "Basic ours"), ({}, None)])
async def test_the_credentials_of_a_client_that_was_brought_go_nowhere(server, package, headers, sent):
    server.route("/token", json_reply({}))
    async with package.AsyncClient(auth=("other", "password")) as client:
        await HttpxTransport(client).send(to(server.url("/token"), headers=headers))
    (request,) = server.requests
    assert request.headers.get("authorization") == sent


async def test_its_own_client_is_closed_and_made_again(server, transport):
    server.route("/", status(204))
    await transport.send(to(server.url("/")))
    for _ in range(2):
        await transport.aclose()
    assert (await transport.send(to(server.url("/")))).status == 204
    assert server.connections == 2


async def test_concurrent_first_users_share_one_client(server, transport):
    server.route("/", status(204))
    await asyncio.gather(*(transport.send(to(server.url("/"))) for _ in range(5)))
    await transport.send(to(server.url("/")))
    assert server.connections <= 5


def test_each_event_loop_has_its_own_client():
    transport = HttpxTransport()

    async def ask() -> int:
        async with HttpServer() as server:
            server.route("/", status(204))
            status_code: int = (await transport.send(to(server.url("/")))).status
            await transport.aclose()
            return status_code

    assert [asyncio.run(ask()) for _ in range(2)] == [204, 204]


def test_without_httpx2_a_client_has_to_be_brought(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r"mintkey\[http\]"):
        HttpxTransport()
    assert "brought" in repr(HttpxTransport(httpx.AsyncClient()))


def test_it_says_whose_client_it_uses():
    assert repr(HttpxTransport()) == "<HttpxTransport on a client of its own>"
