"""What has to be done once before the first call: by one caller at a time, and in nobody's time but his own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

import pytest

from mintkey.redis.buckets import Buckets
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError

PATIENCE = 1.0
(BUCKET, *_) = Buckets("mk").buckets


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Of a server that never says anything."""
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(f"redis://127.0.0.1:{port}", prefix="mk", timeout=timedelta(seconds=PATIENCE), replicas=0)
    yield client
    await client.aclose()
    server.close()
    for connection in connections:
        connection.transport.abort()
    await asyncio.sleep(0)


async def test_who_waits_for_others_who_wait_is_told_in_his_own_time(client: Client) -> None:
    began = monotonic()
    looks = await asyncio.gather(*(client.look_at(BUCKET) for _ in range(10)), return_exceptions=True)
    assert monotonic() - began < 4 * PATIENCE
    for error in looks:
        assert isinstance(error, RedisCallError)
        assert (error.code, error.may_have_run) == ("timeout", False)


async def test_it_is_done_by_one_at_a_time(client: Client) -> None:
    inside: list[int] = []

    async def do() -> None:
        async with client.first():
            inside.append(1)
            await asyncio.sleep(0)
            assert len(inside) == 1
            inside.pop()

    await asyncio.gather(*(do() for _ in range(5)))


async def test_what_goes_wrong_inside_is_told_as_it_is(client: Client) -> None:
    with pytest.raises(RedisCallError, match="READONLY"):
        async with client.first():
            raise RedisCallError("READONLY", code="READONLY", may_have_run=False)
