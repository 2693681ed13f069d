"""The proxy does to a connection what its script says, exactly once, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic

import pytest

from mintkey.testing import Fate, Fault, FaultyProxy
from tests.support.servers import free_port


class Shouter:
    """A server that answers a chunk with the same chunk in capitals."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1000):
                self.heard.append(chunk)
                if chunk == b"bye":
                    break
                writer.write(chunk.upper())
        except ConnectionError:
            pass
        finally:
            writer.close()


class Client:
    """One connection to a port; a reset reads like an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, text: bytes) -> None:
        self._writer.write(text)

    async def ask(self, text: bytes) -> bytes:
        self.say(text)
        return await self.hear()

    async def hear(self) -> bytes:
        try:
            return await self._reader.read(1000)
        except ConnectionError:
            return b""

    async def hear_all(self) -> bytes:
        heard = b""
        while chunk := await self.hear():
            heard += chunk
        return heard

    async def hears_nothing(self) -> bool:
        """The connection stays open, and silent: for as long as anything else here takes by far."""
        try:
            await asyncio.wait_for(self._reader.read(1), 0.05)
        except TimeoutError:
            return True
        return False

    def leave(self) -> None:
        self._writer.transport.abort()


Connect = Callable[[int], Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connect(port: int) -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
        return clients[-1]

    yield connect
    for client in clients:
        client.leave()


@pytest.fixture
async def server() -> AsyncIterator[Shouter]:
    shouter = Shouter()
    listening = await asyncio.start_server(shouter.serve, "127.0.0.1", 0)
    shouter.port = listening.sockets[0].getsockname()[1]
    yield shouter
    listening.close()


@pytest.fixture
async def proxy(server: Shouter) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy("127.0.0.1", server.port) as proxy:
        yield proxy


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what it waits for knows nothing of tests
            await asyncio.sleep(0)


async def test_without_a_script_everything_passes_and_is_counted(connect: Connect, proxy: FaultyProxy) -> None:
    first, second = await connect(proxy.port), await connect(proxy.port)
    assert [await first.ask(b"a"), await first.ask(b"b"), await second.ask(b"c")] == [b"A", b"B", b"C"]
    assert (proxy.connections, proxy.requests) == (2, 3)


async def test_a_lost_reply_ends_the_connection_after_the_request_was_executed(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    proxy.script(Fault(Fate.LOSE))
    assert await (await connect(proxy.port)).ask(b"a") == b""
    assert server.heard == [b"a"]


async def test_a_refused_request_ends_the_connection_and_was_never_executed(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    proxy.script(Fault(Fate.REFUSE))
    assert await (await connect(proxy.port)).ask(b"a") == b""
    assert server.heard == []
    assert proxy.requests == 1


async def test_a_swallowed_reply_leaves_the_connection_open_and_silent(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    proxy.script(Fault(Fate.SWALLOW))
    client = await connect(proxy.port)
    client.say(b"a")
    assert await client.hears_nothing()
    assert server.heard == [b"a"]


async def test_a_late_reply_arrives(connect: Connect, proxy: FaultyProxy) -> None:
    proxy.script(Fault(Fate.DELAY, delay=0.02))
    client, began = await connect(proxy.port), monotonic()
    assert await client.ask(b"a") == b"A"
    assert monotonic() - began >= 0.02


async def test_of_a_truncated_reply_the_first_half_arrives(connect: Connect, proxy: FaultyProxy) -> None:
    proxy.script(Fault(Fate.TRUNCATE))
    client = await connect(proxy.port)
    client.say(b"abcdef")
    assert await client.hear_all() == b"ABC"


async def test_a_doubled_reply_arrives_twice(connect: Connect, proxy: FaultyProxy) -> None:
    proxy.script(Fault(Fate.DOUBLE))
    assert await (await connect(proxy.port)).ask(b"ab") == b"ABAB"


async def test_faults_come_in_order_after_what_they_skip_and_then_everything_passes(
    connect: Connect, proxy: FaultyProxy
) -> None:
    proxy.script(Fault(Fate.DOUBLE, skip=1), Fault(Fate.PASS), Fault(Fate.DOUBLE))
    client = await connect(proxy.port)
    assert [await client.ask(text) for text in (b"a", b"b", b"c", b"d", b"e")] == [b"A", b"BB", b"C", b"DD", b"E"]


async def test_a_refusal_can_be_skipped_to(connect: Connect, proxy: FaultyProxy, server: Shouter) -> None:
    proxy.script(Fault(Fate.REFUSE, skip=1))
    client = await connect(proxy.port)
    assert [await client.ask(b"a"), await client.ask(b"b")] == [b"A", b""]
    assert server.heard == [b"a"]


async def test_each_new_connection_takes_the_next_script(connect: Connect, proxy: FaultyProxy) -> None:
    open_before = await connect(proxy.port)
    assert await open_before.ask(b"a") == b"A"
    proxy.script(Fault(Fate.DOUBLE))
    proxy.script(Fault(Fate.LOSE))
    assert await open_before.ask(b"a") == b"A"
    assert [await (await connect(proxy.port)).ask(b"a") for _ in range(3)] == [b"AA", b"", b"A"]


async def test_a_black_hole_swallows_both_directions_until_it_is_taken_back(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    proxy.script(Fault(Fate.DELAY, delay=0))
    client = await connect(proxy.port)
    proxy.black_hole = True
    client.say(b"a")
    assert await client.hears_nothing()
    assert server.heard == []
    proxy.black_hole = False
    assert await client.ask(b"b") == b"B"


async def test_a_black_hole_swallows_a_reply_that_is_under_way(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    client = await connect(proxy.port)
    client.say(b"a")
    await until(lambda: proxy.requests == 1)
    proxy.black_hole = True
    assert await client.hears_nothing()
    assert server.heard == [b"a"]


async def test_refused_connections_end_before_anything_is_forwarded(
    connect: Connect, proxy: FaultyProxy, server: Shouter
) -> None:
    proxy.refuse = True
    assert await (await connect(proxy.port)).hear() == b""
    proxy.refuse = False
    assert await (await connect(proxy.port)).ask(b"a") == b"A"
    assert server.heard == [b"a"]


async def test_cutting_resets_what_is_open_and_nothing_else(connect: Connect, proxy: FaultyProxy) -> None:
    client = await connect(proxy.port)
    assert await client.ask(b"a") == b"A"
    proxy.cut()
    assert await client.hear() == b""
    assert await (await connect(proxy.port)).ask(b"a") == b"A"


async def test_a_server_that_leaves_takes_the_client_along(connect: Connect, proxy: FaultyProxy) -> None:
    assert await (await connect(proxy.port)).ask(b"bye") == b""


async def test_a_client_that_leaves_is_forgotten(connect: Connect, proxy: FaultyProxy) -> None:
    client = await connect(proxy.port)
    assert await client.ask(b"a") == b"A"
    client.leave()
    await until(lambda: not proxy._writers and not proxy._tasks)


async def test_a_server_that_is_away_is_a_connection_that_ends(connect: Connect) -> None:
    async with FaultyProxy("127.0.0.1", free_port()) as proxy:
        assert await (await connect(proxy.port)).ask(b"a") == b""


async def test_leaving_ends_every_connection_and_every_task(connect: Connect, server: Shouter) -> None:
    before = asyncio.all_tasks()
    async with FaultyProxy("127.0.0.1", server.port) as proxy:
        proxy.script()
        proxy.script(Fault(Fate.SWALLOW))
        proxy.script(Fault(Fate.DELAY, delay=3600))
        clients = [await connect(proxy.port) for _ in range(3)]
        assert await clients[0].ask(b"a") == b"A"
        for client in clients[1:]:
            client.say(b"a")
        await until(lambda: len(server.heard) == 3)
    assert [await client.hear() for client in clients] == [b"", b"", b""]
    await until(lambda: asyncio.all_tasks() == before)
    with pytest.raises(OSError):
        await connect(proxy.port)
