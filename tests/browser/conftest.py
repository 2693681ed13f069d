"""The example application and browsers to use it with. Both take a while to start, so tests share them."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from mintkey.jose.jwk import generate
from mintkey.keys import Sealer
from tests.browser.chromium import Browser, browsing
from tests.browser.site import Site, serving
from tests.support.http_server import HttpServer, Reply
from tests.support.http_server import serving as other_server
from tests.support.servers import running


@pytest.fixture(scope="session")
def signing_keys() -> dict[str, Any]:
    """The keys of `site`, known to the tests so that they can forge its past."""
    return {"keys": [dict(generate("EdDSA").private_jwk or {})]}


@pytest.fixture(scope="session")
def site(signing_keys) -> Iterator[Site]:
    """The example in one process, everything else as it stands."""
    with serving(MINTKEY_KEYS=json.dumps(signing_keys)) as site:
        yield site


@pytest.fixture(scope="session")
def strict_site() -> Iterator[Site]:
    """The example in two processes on one Valkey, where links work in the browser that asked for them."""
    # A server of its own: others are emptied between tests, and a ring that is in use comes back by itself.
    with (
        running("valkey") as server,
        serving(
            WEB_CONCURRENCY="2",
            MINTKEY_STORE=server.url,
            MINTKEY_SEAL_KEYS=Sealer.generate_key(),
            MINTKEY_SAME_BROWSER="yes",
        ) as site,
    ):
        yield site


@pytest.fixture(scope="session")
def _other_server() -> Iterator[HttpServer]:
    with other_server() as server:
        yield server


@pytest.fixture
def other_site(_other_server: HttpServer) -> Callable[[str], str]:
    """Puts a page onto another site; its URL. To browsers 127.0.0.1 and localhost are different sites."""

    def put(body: str) -> str:
        page = f"<!DOCTYPE html><title>Another site</title>{body}"
        _other_server.route("/", Reply(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode()))
        return _other_server.url("/")

    return put


@pytest.fixture(scope="session")
def _browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="session")
def _other_browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def browser(_browser: Browser) -> Iterator[Browser]:
    """Somebody's browser. Whatever it did, it heard from nobody but the application, and told nobody of a link."""
    yield _browser
    try:
        assert strangers(_browser) == []
        assert [headers for headers in _browser.sent_headers() if "token=" in headers.get("Referer", "")] == []
        assert _browser.complaints() == []
    finally:
        _browser.forget()


@pytest.fixture
def other_browser(_other_browser: Browser) -> Iterator[Browser]:
    """Somebody else's."""
    yield _other_browser
    _other_browser.forget()


def strangers(browser: Browser) -> list[str]:
    """Who was asked for something, besides this machine."""
    urls = [urlsplit(request["url"]) for request in browser.requests()]
    return [url.geturl() for url in urls if url.scheme not in {"data", "about"} and url.hostname not in OURS]


OURS = {"localhost", "127.0.0.1", "app.localhost", "app.test"}
