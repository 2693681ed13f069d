"""The example application, apart from what a browser shows: who gets messages, and what happens without a store."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from mintkey import ConfigurationError
from tests.docs.page import DOCS
from tests.support.servers import RedisServer

PUBLIC = "https://myapp.example"


@pytest.fixture
def example(monkeypatch) -> Iterator[SimpleNamespace]:
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    yield SimpleNamespace(**{**vars(import_module("sign_in.sessions")), **vars(import_module("sign_in.app"))})
    for name in [name for name in sys.modules if name.partition(".")[0] == "sign_in"]:
        del sys.modules[name]


@asynccontextmanager
async def client_of(app) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        app.router.lifespan_context(app) as state,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(_with(app, state)), base_url=PUBLIC) as client,
    ):
        yield client


def _with(app, state):
    """The application as a server calls it that hands its state on."""

    async def called(scope, receive, send):
        await app({**scope, "state": dict(state)}, receive, send)

    return called


class Post:
    """Somebody's mail server."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, message, /) -> None:
        self.sent.append(message)


async def test_where_mail_is_sent_no_page_shows_it(example):
    post = Post()
    app = example.create_app(example.Settings(issuer=PUBLIC), mailer=post)
    async with client_of(app) as client:
        page = await client.post("/sign-in", data={"email": " Alice@Example.com "})
    (message,) = post.sent
    assert message.to == "alice@example.com"
    assert message.link.startswith(f"{PUBLIC}/magic?token=")
    assert "token=" not in page.text
    assert "outbox" not in page.text.lower()


def test_nobody_elses_page_shows_messages(example):
    with pytest.raises(ConfigurationError, match="mailer"):
        example.create_app(example.Settings(issuer=PUBLIC))


async def test_a_link_begins_with_our_own_name_whatever_the_request_says(example):
    post = Post()
    app = example.create_app(example.Settings(issuer=PUBLIC), mailer=post)
    async with client_of(app) as client:
        await client.post("/sign-in", data={"email": "alice@example.com"}, headers={"Host": "evil.example"})
    assert post.sent[0].link.startswith(PUBLIC)


async def test_a_store_that_is_away_signs_nobody_out(example, own_valkey: RedisServer):
    post = Post()
    settings = example.Settings(issuer=PUBLIC, store=own_valkey.url, seal_keys="A" * 43)
    async with client_of(example.create_app(settings, mailer=post)) as client:
        await client.post("/sign-in", data={"email": "alice@example.com"})
        token = post.sent[0].link.partition("token=")[2]
        assert (await client.post("/magic", data={"token": token})).status_code == 303
        own_valkey.kill()
        assert "You are signed in" in (await client.get("/")).text  # by the access token, which asks nobody
        client.cookies.delete("__Host-access")
        away = await client.get("/")
        assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        assert "Try again" in away.text
        assert "set-cookie" not in away.headers
        assert example.REFRESH_COOKIE.name in client.cookies


async def test_no_page_is_kept_framed_or_told_of(example):
    app = example.create_app(example.Settings(issuer=PUBLIC), mailer=Post())
    async with client_of(app) as client:
        form = {"data": {"email": "alice@example.com"}}
        pages = [await client.get("/"), await client.post("/sign-in", **form), await client.get("/magic?token=a.b.c")]
    for page in pages:
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] in {"same-origin", "no-referrer"}
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= {
            directive.strip() for directive in page.headers["content-security-policy"].split(";")
        }
