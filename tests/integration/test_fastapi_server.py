"""A served application: what looks at a link does not spend it, and an outage is told as one and got over."""

import asyncio
import importlib.util
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from anyio import to_thread

from tests.support.polling import until
from tests.support.servers import RedisServer, running
from tests.support.web_server import serving

USERS = 8


@pytest.fixture(scope="module", params=["valkey", "redis"])
def redis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that remembers what it was told before it was killed."""
    directory: Path = tmp_path_factory.mktemp("redis")
    with running(request.param, "--dir", str(directory), "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.fixture(scope="module")
def url(redis: RedisServer) -> Iterator[str]:
    with serving(redis.url) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
        yield client


async def test_twenty_scanners_spend_nothing(client: httpx2.AsyncClient) -> None:
    link = (await client.post("/links", data={"subject": "alice"})).json()
    for _ in range(20):
        looked = await client.get("/magic", params={"token": link})
        assert looked.status_code == 200
        assert link in looked.text
        head = await client.head("/magic", params={"token": link})
        assert (head.status_code, head.content) == (200, b"")
    used = await client.post("/magic", data={"token": link})
    assert (used.status_code, used.text) == (200, "alice")
    for again in (
        await client.post("/magic", data={"token": link}),
        await client.get("/magic", params={"token": link}),
    ):
        assert again.status_code == 410


async def test_the_keys_are_there_for_everybody(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/.well-known/jwks.json")
    assert len(answer.json()["keys"]) == 2  # one signs, the next one is public already
    again = await client.get("/.well-known/jwks.json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


class Load:
    """Users who never stop: some show a session with every request, some press the button of a link again and again."""

    def __init__(self, client: httpx2.AsyncClient, session: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {session}"}
        self.statuses: Counter[int] = Counter()
        self.unclear: list[httpx2.Response] = []
        self.wins: Counter[str] = Counter()
        self.is_over = False

    async def look(self) -> None:
        while not self.is_over:
            self._count(await self._client.get("/me", headers=self._headers), 200)

    async def press(self) -> None:
        while not self.is_over:
            asked = await self._client.post("/links", data={"subject": "alice"})
            self._count(asked, 200)
            if asked.status_code == 200:
                await self._press(asked.json())

    async def _press(self, link: str) -> None:
        """Until it is known to be used, once more after it worked."""
        pressed = 0
        while pressed != 410 and not self.is_over:
            answer = await self._client.post("/magic", data={"token": link})
            self._count(answer, 200, 410)
            pressed = answer.status_code
            self.wins[link] += pressed == 200

    async def told(self, status: int, often: int) -> None:
        """Wait for so many more answers with a status."""
        before = self.statuses[status]

        async def enough() -> bool:
            return self.statuses[status] >= before + often

        await until(enough, patience=30)

    def _count(self, answer: httpx2.Response, *usual: int) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code not in usual and not (answer.status_code == 503 and answer.headers["retry-after"] == "1"):
            self.unclear.append(answer)


async def test_an_outage_under_load_is_told_as_one_and_got_over(client: httpx2.AsyncClient, redis: RedisServer) -> None:
    load = Load(client, (await client.post("/sessions", data={"subject": "alice"})).json())
    async with asyncio.TaskGroup() as users:
        for _ in range(USERS):
            users.create_task(load.look())
            users.create_task(load.press())
        try:
            await load.told(200, 50)
            assert 503 not in load.statuses
            await to_thread.run_sync(redis.kill)
            await load.told(503, 2 * USERS)
            await to_thread.run_sync(redis.start)
            await load.told(200, 50)
        finally:
            load.is_over = True
    assert not load.unclear
    assert max(load.wins.values()) == 1  # whatever got lost on the way, nobody got in twice
    assert (await client.get("/me", headers=load._headers)).status_code == 200


async def test_a_link_that_met_an_outage_is_still_good_for_one_use(
    client: httpx2.AsyncClient, redis: RedisServer
) -> None:
    link = (await client.post("/links", data={"subject": "alice"})).json()
    await to_thread.run_sync(redis.kill)
    try:
        looked = await client.get("/magic", params={"token": link})
        pressed = await client.post("/magic", data={"token": link})
        minted = await client.post("/links", data={"subject": "alice"})
    finally:
        await to_thread.run_sync(redis.start)
    for answer in (looked, pressed):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"].startswith("text/html")
        assert "Try again in a few seconds." in answer.text
        assert link not in answer.text
    assert minted.status_code == 200  # a process signs for a while with what it was granted
    statuses: list[int] = []

    async def answered() -> bool:
        statuses.append((await client.post("/magic", data={"token": link})).status_code)
        return statuses[-1] != 503

    await until(answered, patience=30)
    assert statuses[-1] == 200
    assert (await client.post("/magic", data={"token": link})).status_code == 410


async def test_a_websocket_is_refused_with_a_challenge(client: httpx2.AsyncClient, url: str) -> None:
    if not any(importlib.util.find_spec(name) for name in ("websockets", "wsproto")):
        reason = "uvicorn serves no WebSockets without websockets or wsproto"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    token = (await client.post("/sessions", data={"subject": "alice"})).json()
    assert await opened(url) == (401, "Bearer")
    assert await opened(url, authorization="Bearer nonsense") == (401, 'Bearer error="invalid_token"')
    assert await opened(url, authorization=f"Bearer {token}") == (101, None)


async def opened(url: str, **fields: str) -> tuple[int, str | None]:
    """Status and challenge of a handshake (RFC 6455 §4.1)."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    handshake = {
        "Host": host.netloc,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **fields,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in handshake.items())
    writer.write(f"GET /news HTTP/1.1\r\n{lines}\r\n".encode())
    status, *answer = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    writer.close()
    told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in answer)}
    return HTTPStatus(int(status.split()[1])).value, told.get("www-authenticate")
