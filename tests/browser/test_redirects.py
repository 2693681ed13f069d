"""Where a link leads after its button: browsers hold the page's policy against that, too."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from mintkey import TokenService, presets
from mintkey.integrations.starlette import lifespan, magic_link_route, service_of

LOGIN = presets.MAGIC_LINK.replace(audience="app")


def application(port: int, leads_to: list[str]) -> Starlette:
    """Hands out links to whoever asks; they lead to the same server under another name."""

    async def link(request):
        return PlainTextResponse(await service_of(request).mint(LOGIN, subject="20"))

    async def inbox(_request):
        return PlainTextResponse("inbox")

    async def away(_request, _used):
        return RedirectResponse(f"http://app.test:{port}/inbox", status_code=303)

    return Starlette(
        lifespan=lifespan(lambda: TokenService.from_url("memory://", issuer="https://app.example")),
        routes=[
            Route("/link", link),
            Route("/inbox", inbox),
            magic_link_route(LOGIN, on_success=away, leads_to=leads_to),
        ],
    )


@contextmanager
def served(*hosts: str) -> Iterator[str]:
    """The application in a thread, with these hosts named as where its links lead."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        app = application(port, [f"http://{host}:{port}" for host in hosts])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def press(other_browser):
    def press(url: str) -> None:
        other_browser.open(f"{url}/link")
        token = other_browser.find("body").text
        other_browser.open(f"{url}/magic?token={token}")
        other_browser.find("button").click()

    return press


def test_a_link_leads_to_an_origin_that_is_named(other_browser, press):
    with served("app.test") as url:
        press(url)
        other_browser.wait_for(lambda: "inbox" in other_browser.find("body").text)
        assert "app.test" in other_browser.driver.current_url


def test_a_browser_follows_to_no_origin_that_is_not_named(other_browser, press):
    with served() as url:
        press(url)
        other_browser.wait_for(lambda: any("form-action" in message for message in other_browser.complaints()))
        assert "app.test" not in other_browser.driver.current_url
        assert "app.test" not in other_browser.answered()
