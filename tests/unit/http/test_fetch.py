"""One document by one GET: within one deadline, from one origin, and never larger than was asked for."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest

from mintkey.http.base import HttpRequest, HttpResponse
from mintkey.http.fetch import BadDocumentError, Fetched, FetchError, NoDocumentError, fetch
from mintkey.http.httpx import HttpxTransport
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

PATIENT, IMPATIENT = timedelta(seconds=20), timedelta(seconds=0.05)
MOST = 65_536


@pytest.fixture
async def transport() -> AsyncIterator[HttpxTransport]:
    # Reading the certificates of all authorities would take longer than each of these tests.
    async with httpx2.AsyncClient(verify=False, trust_env=False, timeout=None) as client:
        yield HttpxTransport(client)


async def get(transport: Any, url: str, **options: Any) -> Fetched:
    return await fetch(transport, url, **{"timeout": PATIENT, "max_bytes": MOST, **options})


# What is had


async def test_a_document_and_its_fields(server, transport):
    server.route("/doc", json_reply({"keys": []}, headers={"ETag": '"1"', "X-More": "yes"}))
    fetched = await get(transport, server.url("/doc"))
    assert fetched.document == {"keys": []}
    assert (fetched.headers["etag"], fetched.headers["x-more"]) == ('"1"', "yes")


async def test_what_is_asked_for(server, transport):
    server.route("/doc", json_reply({}))
    await get(transport, server.url("/doc?a=b"), accept="application/jwk-set+json")
    (request,) = server.requests
    assert (request.method, request.query, request.body) == ("GET", {"a": "b"}, b"")
    assert request.headers["accept"] == "application/jwk-set+json"
    assert "if-none-match" not in request.headers
    assert "cookie" not in request.headers


async def test_what_did_not_change_is_not_sent_again(server, transport):
    server.route("/doc", json_reply({}, headers={"ETag": '"1"', "Cache-Control": "max-age=7"}))
    fetched = await get(transport, server.url("/doc"), etag='"1"')
    assert fetched.document is None
    assert fetched.headers["cache-control"] == "max-age=7"
    assert (await get(transport, server.url("/doc"), etag='"0"')).document == {}


async def test_not_modified_is_no_answer_for_who_has_nothing(server, transport):
    server.route("/doc", status(304))
    with pytest.raises(NoDocumentError, match="status 304"):
        await get(transport, server.url("/doc"))


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_within_the_origin_are_followed(server, transport, code):
    server.route("/doc", redirect("/moved", code=code))
    server.route("/moved", redirect(server.url("/again#fragment"), code=code))
    server.route("/again", redirect("last", code=code))
    server.route("/last", json_reply({"found": True}))
    assert (await get(transport, server.url("/doc"))).document == {"found": True}
    assert [request.path for request in server.requests] == ["/doc", "/moved", "/again", "/last"]


async def test_a_circle_of_redirects_ends(server, transport):
    server.route("/doc", redirect("/doc"))
    with pytest.raises(NoDocumentError, match="more than 3 redirects"):
        await get(transport, server.url("/doc"))
    assert server.count() == 4


async def test_nobody_is_followed_to_another_origin(server, transport):
    async with HttpServer() as other:
        other.route("/doc", json_reply({"keys": "theirs"}))
        server.route("/doc", json_reply({"keys": "theirs"}))
        for location in (
            other.url("/doc"),  # another port
            server.url("/doc", host="localhost"),  # another name
            f"https://127.0.0.1:{server.port}/doc",  # another scheme
            "http://user@127.0.0.1/doc",
            "file:///etc/passwd",
            "//[",
            "",
        ):
            server.route("/from", redirect(location))
            with pytest.raises(NoDocumentError, match=r"another origin|redirects"):
                await get(transport, server.url("/from"))
        assert other.count() == 0
        assert server.count("/doc") == 0


# Too late


@pytest.mark.parametrize("reply", [HANG, Reply(hangs="body", body=b"{}"), drip()], ids=["hangs", "body", "drips"])
async def test_one_deadline_covers_everything(server, transport, reply):
    server.route("/doc", reply)
    with pytest.raises(NoDocumentError, match=r"within 0\.05 s"):
        await get(transport, server.url("/doc"), timeout=IMPATIENT)


async def test_redirects_are_within_it(server, transport):
    server.route("/doc", redirect("/hangs"))
    server.route("/hangs", HANG)
    with pytest.raises(NoDocumentError, match=r"within 0\.5 s"):
        await get(transport, server.url("/doc"), timeout=timedelta(seconds=0.5))
    assert server.count("/hangs") == 1


async def test_who_gave_up_often_can_still_ask(server):
    """A connection that was given up is given back: there are but twenty."""
    transport = HttpxTransport()
    server.route("/hangs", HANG)
    server.route("/doc", json_reply({}))

    for turn in range(1, 4):
        async with anyio.create_task_group() as callers:
            for _ in range(15):
                callers.start_soon(get, transport, server.url("/hangs"))
            await server.arrived(15 * turn, "/hangs")
            callers.cancel_scope.cancel()
    assert (await get(transport, server.url("/doc"))).document == {}
    await transport.aclose()


# Too much


@pytest.mark.parametrize(
    "reply", [json_reply("x" * MOST), endless(), Reply(200, {}, b" " * 10_000_000)], ids=["just", "endless", "10 MB"]
)
async def test_what_is_too_large_is_not_read_to_its_end(server, transport, reply):
    server.route("/doc", reply)
    with pytest.raises(BadDocumentError, match="more than 65536 bytes"):
        await get(transport, server.url("/doc"))
    assert server.sent < 10_000_000


async def test_the_largest_that_fits_is_read(server, transport):
    server.route("/doc", Reply(200, {}, b"{}".ljust(MOST)))
    assert (await get(transport, server.url("/doc"))).document == {}


# No document


@pytest.mark.parametrize("code", [201, 204, 400, 401, 403, 404, 429, 500, 503])
async def test_only_ok_is_ok(server, transport, code):
    server.route("/doc", status(code, headers={"Retry-After": "7"}))
    with pytest.raises(NoDocumentError, match=f"status {code}") as caught:
        await get(transport, server.url("/doc"))
    assert caught.value.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "reply",
    [DROP, raw(b"SSH-2.0-OpenSSH_9.2\r\n"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), raw(b"")],
    ids=["reset", "no HTTP", "cut off", "nothing"],
)
async def test_what_is_no_answer(server, transport, reply):
    server.route("/doc", reply)
    with pytest.raises(NoDocumentError, match="request failed"):
        await get(transport, server.url("/doc"))


async def test_nobody_is_there(transport):
    async with HttpServer() as server:
        url = server.url("/doc")
    with pytest.raises(NoDocumentError, match="ConnectError"):
        await get(transport, url)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Log in</html>",
        b"[]",
        b"null",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"[",
        b'{"a":' * 50 + b"1" + b"}" * 50,
    ],
)
async def test_what_is_no_json_object_is_bad_and_not_quoted(server, transport, body):
    server.route("/doc", Reply(200, {}, body))
    with pytest.raises(BadDocumentError, match="no JSON object") as caught:
        await get(transport, server.url("/doc"))
    assert "html" not in str(caught.value)


async def test_a_transport_may_fail_in_any_way():
    class Broken:
        async def send(self, request: HttpRequest, /) -> HttpResponse:
            raise LookupError("password=secret")

        async def aclose(self) -> None: ...

    with pytest.raises(NoDocumentError, match="LookupError") as caught:
        await get(Broken(), "https://issuer.example/doc")
    assert "secret" not in str(caught.value)


def test_both_errors_are_of_one_family():
    assert issubclass(NoDocumentError, FetchError)
    assert issubclass(BadDocumentError, FetchError)
