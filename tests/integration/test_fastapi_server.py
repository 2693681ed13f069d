"""A served application: what looks at a link does not spend it, and an outage is told as one and got over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio import to_thread

from tests.support.polling import until
from tests.support.servers import RedisServer, running
from tests.support.web_server import serving

USERS = 8


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that remembers what it was told before it was killed."""
    directory: Path = tmp_path_factory.mktemp("redis")
    with running("valkey", "--dir", str(directory), "--appendonly", "yes", "--appendfsync", "always") as server:
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


async def test_an_outage_under_load_is_told_as_one_and_got_over(client: httpx2.AsyncClient, redis: RedisServer) -> None:
    headers = {"Authorization": f"Bearer {(await client.post('/sessions', data={'subject': 'alice'})).json()}"}
    seen: Counter[int] = Counter()
    unclear: list[httpx2.Response] = []
    stop = anyio.Event()

    async def use() -> None:
        while not stop.is_set():
            answer = await client.get("/me", headers=headers)
            seen[answer.status_code] += 1
            if answer.status_code != 200 and not (answer.status_code == 503 and answer.headers["retry-after"] == "1"):
                unclear.append(answer)

    async def told(status: int, often: int) -> None:
        before = seen[status]

        async def enough() -> bool:
            await asyncio.sleep(0)
            return seen[status] >= before + often

        await until(enough, patience=30)

    async with asyncio.TaskGroup() as load:
        for _ in range(USERS):
            load.create_task(use())
        try:
            await told(200, 50)
            assert set(seen) == {200}
            await to_thread.run_sync(redis.kill)
            await told(503, USERS)
            await to_thread.run_sync(redis.start)
            await told(200, 50)
        finally:
            stop.set()
    assert not unclear
    assert (await client.get("/me", headers=headers)).status_code == 200
