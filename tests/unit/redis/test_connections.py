"""The way to the right node: asked for once, whoever needs it."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel

from mintkey.redis.calls import Call
from mintkey.redis.connections import Connections
from mintkey.redis.protocol import pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.topology import LoneTopology, Node
from tests.support.servers import RedisServer


class Counting(LoneTopology):
    """Takes a moment to say where to go, and counts how often it was asked."""

    asked = 0

    async def route(self) -> Sequence[Node]:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        return await super().route()


async def test_callers_who_need_it_at_once_have_one_of_them_ask(valkey: RedisServer) -> None:
    topology = Counting(ConnectionSettings.of_url(valkey.url))
    connections = Connections(topology, 5.0, 0)
    answered: list[Call] = []

    async def ping() -> None:
        answered.append(await connections.answer(0, Call(pack("PING"), 1)))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ping)
    assert [list(call.replies) for call in answered] == [[b"PONG"]] * 10
    assert topology.asked == 1
    await connections.aclose()
