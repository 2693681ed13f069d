"""What the recipe for Django shows runs as it stands, served by uvicorn in a process of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2
import pytest
from anyio import to_thread

from mintkey import TokenService, presets
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.docs.refusals import ISSUER, Ask, bearer, refusals, row, with_a_key_of_nobody
from tests.support.servers import RedisServer, running

PAGE = Page("django")
ACCESS = presets.ACCESS.replace(audience=ISSUER)
LOGIN = presets.MAGIC_LINK.replace(audience=ISSUER)
CSRF = "c" * 32
"""Sent in a cookie and beside it, as a form of the site would."""

SERVE = """
import asyncio
import socket

import uvicorn
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.http import JsonResponse
from django.urls import path

import shop


async def where():
    return id(asyncio.get_running_loop())


async def in_the_loop(request):
    return JsonResponse({"loop": await where()})


def in_a_thread(request):
    token = request.headers["Authorization"].removeprefix("Bearer ")
    caller = async_to_sync(shop.tokens.verify)(token, shop.ACCESS)
    return JsonResponse({"loop": async_to_sync(where)(), "caller": caller.subject})


shop.urlpatterns += [path("in-the-loop", in_the_loop), path("in-a-thread", in_a_thread)]
call_command("migrate", verbosity=0)
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(shop.application, log_level="error", lifespan="on")).run(sockets=[listening])
"""


@dataclass
class Shop:
    """The application as it is served, and what it prints: the mails."""

    url: str
    redis: RedisServer
    seal_key: str
    printed: IO[str]

    def tokens(self) -> TokenService:
        """A service beside it, on the same store."""
        return TokenService.from_url(self.redis.url, issuer=ISSUER, sealer=Sealer([self.seal_key]))


@contextmanager
def serving(directory: Path, redis: RedisServer) -> Iterator[Shop]:
    (directory / "shop.py").write_text("".join(PAGE.blocks()), encoding="utf-8")
    seal_key = Sealer.generate_key()
    environment = {
        **os.environ,
        "DATABASE": str(directory / "db.sqlite3"),
        "DJANGO_SECRET_KEY": "only for this test",
        "MINTKEY_ISSUER": ISSUER,
        "MINTKEY_SEAL_KEYS": seal_key,
        "MINTKEY_STORE": redis.url,
    }
    command = [sys.executable, "-W", "error", "-c", SERVE]
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the server does not start"
        yield Shop(f"http://127.0.0.1:{port}", redis, seal_key, process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running("valkey") as redis, serving(tmp_path_factory.mktemp("shop"), redis) as shop:
        yield shop


@pytest.fixture
async def tokens(shop) -> AsyncIterator[TokenService]:
    async with shop.tokens() as tokens:
        yield tokens


@pytest.fixture
async def client(shop) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=shop.url, trust_env=False, timeout=20) as client:
        client.cookies["csrftoken"] = CSRF
        client.headers["X-CSRFToken"] = CSRF
        yield client


def asking(client: httpx2.AsyncClient) -> Ask:
    async def ask(headers: Sequence[tuple[str, str]]):
        answer = await client.get("/orders", headers=list(headers))
        return answer.status_code, answer.headers

    return ask


async def test_the_guard_lets_in_and_says_who(client, tokens):
    token = await tokens.mint(ACCESS, subject="20", scopes=["orders:read"])
    answer = await client.get("/orders", headers=[bearer(token)])
    assert (answer.status_code, answer.json()) == (200, {"orders of": "20"})


async def test_refusals_are_those_of_the_table(client, tokens):
    second = bearer(await tokens.mint(ACCESS, subject="20", scopes=["orders:read"]))
    assert await refusals(asking(client), tokens, ACCESS, both=[second]) == PAGE.rows("Refusals")[1:5]


async def test_a_link_signs_a_user_in_once_and_looking_spends_nothing(shop, client):
    assert (await client.post("/links", data={"email": "alice@example.com"})).status_code == 202
    link = httpx2.URL((await to_thread.run_sync(shop.printed.readline)).strip())
    assert (link.host, link.path) == ("myapp.example", "/magic")
    token = link.params["token"]
    for look in (client.get, client.head) * 3:
        answer = await look("/magic", params={"token": token})
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "no-store" in answer.headers["cache-control"]
    del client.headers["X-CSRFToken"]
    assert (await client.post("/magic", data={"token": token})).status_code == 403
    client.headers["X-CSRFToken"] = CSRF
    answer = await client.post("/magic", data={"token": token}, headers={"Origin": "null"})
    assert answer.status_code == 403  # what no-referrer would do
    answer = await client.post("/magic", data={"token": token}, headers={"Origin": shop.url})
    assert (answer.status_code, answer.headers["location"]) == (302, "/me")
    assert (await client.get("/me")).json() == {"user": "alice@example.com"}
    client.cookies.clear()
    client.cookies["csrftoken"] = CSRF
    for again in (
        await client.get("/magic", params={"token": token}),
        await client.post("/magic", data={"token": token}),
    ):
        assert again.status_code == 410
        assert "does not work any more" in again.text


async def test_of_twenty_requests_at_once_one_signs_in(client, tokens):
    token = await tokens.mint(LOGIN, subject="bob@example.com")
    answers = await asyncio.gather(*(client.post("/magic", data={"token": token}) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [302] + [410] * 19


async def test_a_sync_view_reaches_the_loop_of_the_process(client, tokens):
    token = await tokens.mint(ACCESS, subject="20")
    told = (await client.get("/in-a-thread", headers=[bearer(token)])).json()
    assert told == {"caller": "20", **(await client.get("/in-the-loop")).json()}


async def test_keys_are_public(client, tokens):
    answer = await client.get("/.well-known/jwks.json")
    assert answer.json() == (await tokens.jwks()).as_dict()
    again = await client.get("/.well-known/jwks.json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_an_outage_is_told_as_one_and_got_over(shop, client, tokens):
    good = await tokens.mint(ACCESS, subject="20", scopes=["orders:read"])
    link = await tokens.mint(LOGIN, subject="carol@example.com")
    assert (await asking(client)([bearer(good)]))[0] == 200  # its key is known
    await to_thread.run_sync(shop.redis.freeze)
    try:
        answer = await asking(client)([bearer(await with_a_key_of_nobody(ACCESS))])
        assert [row("a key that nobody can look up, because the store is away", answer)] == PAGE.rows("Refusals")[5:]
        assert (await asking(client)([bearer(good)]))[0] == 200
        answer = await client.get("/magic", params={"token": link})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    finally:
        await to_thread.run_sync(shop.redis.thaw)
    assert (await client.post("/magic", data={"token": link})).status_code == 302


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
