"""What uvicorn writes down about links and WebSockets, in a process of its own."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from uvicorn.config import LOGGING_CONFIG
from websockets.asyncio.client import connect

APPLICATION = """
import logging
from datetime import timedelta

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

from mintkey import Purpose, TokenService
from mintkey.integrations.fastapi import ServiceDep, lifespan, magic_link_router
from mintkey.integrations.logging import RedactTokens

LOGIN = Purpose("magic-login", lifetime=timedelta(minutes=10), single_use=True)


async def sign_in(_, used):
    return PlainTextResponse(f"hello {used.subject}")


app = FastAPI(lifespan=lifespan(lambda: TokenService.from_url("memory://", issuer="https://app.example")))
app.include_router(magic_link_router(LOGIN, on_success=sign_in))


@app.post("/links")
async def links(tokens: ServiceDep) -> str:
    return await tokens.mint(LOGIN, subject="20")


@app.websocket("/news")
async def news(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()
"""

BY_HAND = """
for name in ("uvicorn.access", "uvicorn.error"):
    logging.getLogger(name).addFilter(RedactTokens())
"""

BY_FILE = LOGGING_CONFIG | {
    "filters": {"tokens": {"()": "mintkey.integrations.logging.RedactTokens"}},
    "handlers": {name: {**handler, "filters": ["tokens"]} for name, handler in LOGGING_CONFIG["handlers"].items()},
}


class Served:
    """A server, and what it says.

    Attributes:
        url: Where it is, without the scheme.
        said: All lines so far; whole when the server has ended.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url, self.said = "", ""
        assert process.stdout is not None
        for line in process.stdout:
            self.said += line
            if found := re.search(r"running on http://(\S+)", line):
                self.url = found[1]
            # Workers are there when one of them is: they share the socket.
            if self.url and "startup complete" in self.said:
                return
        raise AssertionError(self.said)

    def end(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self.said += self._process.communicate(timeout=30)[0]


@contextmanager
def serving(directory: Path, source: str, *options: str) -> Iterator[Served]:
    (directory / "shop.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--port", "0", "--no-use-colors", *options]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        served = Served(process)
        yield served
        served.end()
    finally:
        process.kill()
        process.communicate()


def use_it(served: Served) -> str:
    """Ask for a link, look at it, use it, and listen to the news with a token in the address; the token."""
    with httpx2.Client(base_url=f"http://{served.url}") as client:
        token: str = client.post("/links").json()
        for _ in range(2):
            assert client.get("/magic", params={"token": token, "from": "mail"}).status_code == 200
        assert client.post("/magic", data={"token": token}).text == "hello 20"
        assert client.get("/magic", params={"token": "half a link"}).status_code == 400
        assert client.get(f"/reset/{token}").status_code == 404

    async def listen() -> None:
        async with connect(f"ws://{served.url}/news?access_token={token}"):
            pass

    asyncio.run(listen())
    return token


def test_without_a_filter_links_can_be_read(tmp_path: Path) -> None:
    """What it is there for; the day that uvicorn leaves them out itself, this fails."""
    with serving(tmp_path, APPLICATION) as served:
        token = use_it(served)
    assert served.said.count(token) == 4


@pytest.mark.parametrize("how", ["by hand", "by file"])
def test_tokens_are_left_out_and_nothing_else(tmp_path: Path, how: str) -> None:
    options: list[str] = []
    if how == "by file":
        (tmp_path / "log.json").write_text(json.dumps(BY_FILE), encoding="utf-8")
        options = ["--log-config", "log.json"]
    with serving(tmp_path, APPLICATION + (BY_HAND if how == "by hand" else ""), *options) as served:
        token = use_it(served)
    assert token not in served.said
    assert "eyJ" not in served.said
    assert "half" not in served.said
    lines = re.findall(r'^INFO: +127\.0\.0\.1:\d+ - ("\w+ .*)$', served.said, re.MULTILINE)
    assert lines == [
        '"POST /links HTTP/1.1" 200 OK',
        '"GET /magic?token=[redacted]&from=mail HTTP/1.1" 200 OK',
        '"GET /magic?token=[redacted]&from=mail HTTP/1.1" 200 OK',
        '"POST /magic HTTP/1.1" 200 OK',
        '"GET /magic?token=[redacted] HTTP/1.1" 400 Bad Request',
        '"GET /reset/[redacted] HTTP/1.1" 404 Not Found',
        '"WebSocket /news?access_token=[redacted]" [accepted]',
    ]


def test_every_worker_leaves_them_out(tmp_path: Path) -> None:
    with serving(tmp_path, APPLICATION + BY_HAND, "--workers", "2") as served:
        for _ in range(4):
            httpx2.get(f"http://{served.url}/magic", params={"token": "opaque"})
    assert served.said.count("GET /magic?token=[redacted] HTTP/1.1") == 4
    assert "opaque" not in served.said
