"""What the guide to magic links shows runs, and its tables are true."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from mintkey import ReplayStoreError, TokenReplayedError, TokenService
from mintkey.integrations.fastapi import MagicLinkTexts, lifespan
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.docs.page import ROOT, Page
from tests.support.servers import RedisServer, free_port

PAGE = Page("how-to/magic-links")
URL = "https://myapp.example"


@pytest.fixture
def guide() -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(**PAGE.names())
    logging.getLogger("uvicorn.access").filters.clear()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
async def tokens(guide, clock) -> AsyncIterator[TokenService]:
    """The service of the application, on a clock that moves by hand."""
    store = MemoryReplayStore(clock=clock)
    tokens = TokenService(issuer=URL, keys=MemoryKeyProvider(clock=clock), replay=store, clock=clock)
    app = guide.app
    async with lifespan(tokens)(app):
        yield tokens


@pytest.fixture
async def client(guide, tokens) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guide.app), base_url=URL) as client:
        yield client


@pytest.fixture
def mails(guide, monkeypatch) -> list[tuple[str, str]]:
    """What was sent: to whom, and which link."""
    sent: list[tuple[str, str]] = []

    async def send_mail(to: str, link: str) -> None:
        sent.append((to, link))

    monkeypatch.setitem(guide.ask_for_link.__globals__, "send_mail", send_mail)
    return sent


def token_in(link: str) -> str:
    (token,) = parse_qs(urlsplit(link).query)["token"]
    return token


async def asked_for(client, mails, path="/links") -> str:
    assert (await client.post(path, data={"email": "alice@example.com"})).status_code == 202
    assert [to for to, _ in mails] == ["alice@example.com"]
    return str(mails.pop()[1])


async def test_a_link_signs_in_once(guide, client, mails):
    link = await asked_for(client, mails)
    assert link.startswith(f"{URL}/magic?token=")
    assert "Continue</button>" in (await client.get(link)).text
    used = await client.post("/magic", data={"token": token_in(link)})
    assert (used.status_code, used.headers["location"]) == (303, "/inbox")
    assert guide.SESSION_COOKIE.name in client.cookies
    assert (await client.post("/magic", data={"token": token_in(link)})).status_code == 410


async def test_no_link_is_in_the_access_log(guide, client, mails):
    link = await asked_for(client, mails)
    logger = logging.getLogger("uvicorn.access")
    written = ("10.0.0.7:4711", "GET", link, "1.1", 200)  # as uvicorn does, which `tests/integration` shows
    record = logger.makeRecord(logger.name, logging.INFO, "", 1, '%s - "%s %s HTTP/%s" %d', written, None)
    assert logger.filter(record)
    (shown,) = re.findall(r"`(GET /magic\S+)`", PAGE.text)
    assert f"{shown.removeprefix('GET ')} HTTP" in record.getMessage()
    assert token_in(link) not in record.getMessage()


# What scanners do


VISITS = {
    "a preview in a chat": [("GET", {"User-Agent": "Slackbot-LinkExpanding 1.0"})] * 3,
    "a gateway": [("HEAD", {}), ("GET", {})],
    "a browser that fetches ahead": [("GET", {"Sec-Purpose": "prefetch", "Sec-Fetch-Site": "cross-site"})],
    "another site's form": [("POST", {"Sec-Fetch-Site": "cross-site"})],
    "a person": [("POST", {"Sec-Fetch-Site": "same-origin"})],
}


async def test_scanners_find_what_the_table_says(client, mails):
    rows = PAGE.rows("What scanners do")[1:]
    assert [row[0] for row in rows] == [*VISITS]
    outcome = ""
    for who, comes, happens in rows:
        outcome = outcome if happens == "the same" else happens
        for method in re.findall(r"`([A-Z]{3,4})`", comes):
            assert method in {asked for asked, _ in VISITS[who]}
        link = await asked_for(client, mails)
        for method, headers in VISITS[who]:
            body = {"data": {"token": token_in(link)}} if method == "POST" else {}
            answer = await client.request(method, "/magic" if body else link, headers=headers, **body)
            assert answer.status_code == {"the": 200, "403,": 403, "spent,": 303}[outcome.split()[0]]
        spent = (await client.post("/magic", data={"token": token_in(link)})).status_code == 410
        assert spent == outcome.startswith("spent")


# What people see


AWAY = "any link, and the store away"


async def status(client, token, path="/magic") -> str:
    """Of the page behind a link, which is as private as all of them and helps where it can."""
    answer = await client.get(path, params={"token": token})
    for name, value in {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
        "content-security-policy": "default-src 'none'",
        "x-frame-options": "DENY",
    }.items():
        assert value in answer.headers[name]
    assert ("retry-after" in answer.headers) == (answer.status_code in {409, 503})
    assert ("Ask for a new link" in answer.text) == (answer.status_code != 200 and path == "/magic")
    return str(answer.status_code)


async def test_statuses_are_those_of_the_table(guide, client, tokens, clock, mails):
    async def new(path="/links") -> str:
        return token_in(await asked_for(client, mails, path))

    found = {
        "a good link": await status(client, await new()),
        "half a link, or none of ours": await status(client, "a.b.c"),
    }
    assert (await client.get("/magic")).status_code == 400
    used, revoked, taken, old = [await new() for _ in range(4)]
    await tokens.verify(used, guide.LOGIN)
    found["a link that was used"] = await status(client, used)
    await tokens.revoke(revoked, guide.LOGIN)
    found["a link that was revoked"] = await status(client, revoked)
    async with tokens.redeem(taken, guide.LOGIN):
        answer = await client.post("/magic", data={"token": taken})
    assert "retry-after" in answer.headers
    found["a link that somebody is using at this moment"] = str(answer.status_code)
    bound = await new("/bound-links")
    client.cookies.clear()
    found["a link asked for in another browser"] = await status(client, bound, "/bound")
    clock.advance(guide.LOGIN.lifetime + guide.LOGIN.leeway)
    found["a link that is too old"] = await status(client, old)
    assert {row[0]: row[1] for row in PAGE.rows("What people see")[1:] if row[0] != AWAY} == found


async def test_a_store_that_is_away_is_no_bad_link(client, tokens, monkeypatch):
    async def away(*_arguments: object, **_more: object) -> None:
        raise ReplayStoreError("away")

    monkeypatch.setattr(tokens, "peek", away)
    assert [AWAY, await status(client, "any")] in PAGE.rows("What people see")


async def test_pages_speak_another_language(guide, client, tokens):
    token = await tokens.mint(guide.LOGIN, subject="20")
    page = (await client.get("/anmelden", params={"token": token})).text
    assert '<html lang="de">' in page
    assert "Anmelden</button>" in page
    assert "Fast geschafft" in page
    assert guide.TEXTS.broken == MagicLinkTexts().broken  # what is left out stays English


# In the same browser


async def test_a_bound_link_works_in_its_browser(guide, client, mails):
    link = await asked_for(client, mails, "/bound-links")
    token = token_in(link)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guide.app), base_url=URL) as other:
        assert (await other.get(link)).status_code == 403
        assert (await other.post("/bound", data={"token": token})).status_code == 403
    assert (await client.post("/bound", data={"token": token})).status_code == 303


async def test_another_site_binds_no_browser(client, mails):
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = await client.post("/bound-links", data={"email": "mallory@example.com"}, headers=headers)
    assert (answer.status_code, mails, len(client.cookies)) == (403, [], 0)


async def test_of_bound_links_the_latest_counts(client, mails):
    first = await asked_for(client, mails, "/bound-links")
    second = await asked_for(client, mails, "/bound-links")
    assert [(await client.get(link)).status_code for link in (first, second)] == [403, 200]


# Mail from a worker


async def test_a_task_that_runs_twice_sends_one_link(guide, tokens, clock, mails):
    for _ in range(2):
        await guide.mail_link(tokens, "alice@example.com", "task-7")
        clock.advance(timedelta(seconds=3))
    first, second = (token_in(link) for _, link in mails)
    assert first != second
    assert (await tokens.verify(second, guide.LOGIN)).subject == "alice@example.com"
    with pytest.raises(TokenReplayedError):
        await tokens.verify(first, guide.LOGIN)


# A page of your own


async def test_a_reset_gives_the_link_back_if_it_fails(guide, client, tokens, monkeypatch):
    changed = []

    async def change_password(_account, password):
        if len(password) < 8:
            raise ValueError
        changed.append(password)

    monkeypatch.setitem(guide.reset.__globals__, "change_password", change_password)
    token, other = [await tokens.mint(guide.RESET, subject="20") for _ in range(2)]
    form = await client.get("/reset", params={"token": token})
    assert (form.status_code, form.headers["cache-control"]) == (200, "no-store")
    with pytest.raises(ValueError, match=r"^$"):
        await client.post("/reset", params={"token": token}, data={"password": "short"})
    done = await client.post("/reset", params={"token": token}, data={"password": "long enough"})
    assert (done.status_code, changed) == (204, ["long enough"])
    for spent in (token, other):
        assert (await client.get("/reset", params={"token": spent})).status_code == 401


# On your own machine


@contextmanager
def started(script: str, directory: Path, **environment: str) -> Iterator[str]:
    """The example, started by a block of the page; its URL."""
    commands = directory / "bin"
    commands.mkdir()
    for name, module in {"python": "", "mintkey": "-m mintkey"}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    port = free_port()
    url = f"http://localhost:{port}"
    running = subprocess.Popen(
        ["sh", "-euc", script],
        cwd=ROOT,
        env={"PATH": f"{commands}:{os.environ['PATH']}", "HOME": str(directory), "MINTKEY_ISSUER": url, **environment},
        start_new_session=True,
    )
    try:
        assert _answers(port, running)
        yield url
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _answers(port: int, running: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return True
        time.sleep(0.05)
    return False


def sign_in(url: str) -> str:
    """The page that somebody lands on who asks for a link and uses it."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=20) as client:
        shown = client.post("/sign-in", data={"email": "alice@example.com"})
        assert shown.status_code == 200, shown.text
        (token,) = re.findall(r"/magic\?token=([\w.-]+)", shown.text)
        used = client.post("/magic", data={"token": token})
        cookies = "; ".join(field.partition(";")[0] for field in used.headers.get_list("set-cookie"))
        return client.get("/", headers={"Cookie": cookies}).text


FIRST, SEVERAL = PAGE.blocks("sh")


def test_one_command_starts_the_example(tmp_path):
    install, command = FIRST.splitlines()
    assert install.startswith("pip install '.[")  # what is installed here already
    with started(command, tmp_path) as url:
        assert "You are signed in" in sign_in(url)


def test_two_processes_serve_it_on_one_redis(tmp_path, valkey: RedisServer):
    script = SEVERAL.replace("redis://localhost:6379", valkey.url)
    assert script != SEVERAL
    with started(script, tmp_path) as url:
        assert all("You are signed in" in sign_in(url) for _ in range(4))


def test_several_processes_without_a_store_are_refused(tmp_path):
    command = SEVERAL.splitlines()[1].replace("python", sys.executable)
    done = subprocess.run(
        ["sh", "-euc", command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "set MINTKEY_STORE" in done.stderr


def test_cookies_without_tls_are_tried_in_a_browser():
    tried = (ROOT / "tests" / "browser" / "test_cookies.py").read_text(encoding="utf-8")
    for address, kept in PAGE.rows("On your own machine")[1:]:
        host = urlsplit(address.split("`")[1]).hostname
        assert f'"{host}"' in tried
        assert kept == ("no" if host == "app.test" else "yes")


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
