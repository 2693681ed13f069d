"""Who shares a batch with whom, who waits how long, and what becomes of surprises: on a server of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hiredis import Reader

from mintkey.redis.calls import Call
from mintkey.redis.coalescer import Coalescer
from mintkey.redis.errors import RedisCallError
from mintkey.redis.pool import Pool
from mintkey.redis.protocol import pack
from mintkey.redis.settings import ConnectionSettings


class Server:
    """Answers every command with its own words, in order; remembers the batches, each of which ends with a marker."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands, batch = Reader(), list[bytes]()
        self.connections += 1
        try:
            while received := await reader.read(1_000_000):
                await self.open.wait()
                commands.feed(received)
                while (command := commands.gets()) is not False:
                    batch.append(command[-1])
                    writer.write(b"$%d\r\n%b\r\n" % (len(command[-1]), command[-1]))
                    if command[0] == b"ECHO":
                        self.batches.append(batch)
                        batch = []
        except OSError:
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def coalescing(*, patience: float = 30.0) -> AsyncIterator[tuple[Coalescer, Server]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    settings = ConnectionSettings.of_url(f"redis://127.0.0.1:{server.port}")

    async def locate() -> ConnectionSettings:
        return settings

    coalescer = Coalescer(Pool(locate), timeout=patience)
    try:
        yield coalescer, server
    finally:
        server.open.set()
        await coalescer.aclose()
        listening.close()


async def say(coalescer: Coalescer, word: str) -> Call:
    call = Call(pack("SAY", word), 1)
    await coalescer.answer(call)
    assert call.replies == [word.encode()]
    return call


async def test_callers_of_one_turn_share_a_batch_and_keep_their_order() -> None:
    async with coalescing() as (coalescer, server):
        await asyncio.gather(*(say(coalescer, str(index)) for index in range(10)))
        assert [batch[:-1] for batch in server.batches] == [[str(index).encode() for index in range(10)]]


async def test_callers_gather_while_a_batch_is_in_flight() -> None:
    async with coalescing() as (coalescer, server):
        await say(coalescer, "warm")
        server.open.clear()
        first = asyncio.ensure_future(say(coalescer, "first"))
        await asyncio.sleep(0.01)
        others = [asyncio.ensure_future(say(coalescer, f"other {index}")) for index in range(5)]
        await asyncio.sleep(0.01)
        server.open.set()
        await asyncio.gather(first, *others)
        assert [len(batch) - 1 for batch in server.batches] == [1, 1, 5]


async def test_an_eager_event_loop_changes_nothing() -> None:
    loop = asyncio.get_running_loop()
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("this Python has no eager tasks")
    async with coalescing() as (coalescer, server):
        loop.set_task_factory(asyncio.eager_task_factory)
        try:
            await asyncio.gather(*(say(coalescer, str(index)) for index in range(10)))
        finally:
            loop.set_task_factory(None)
        assert len(server.batches) == 1


async def test_many_callers_of_one_turn_are_spread_over_two_connections_evenly() -> None:
    async with coalescing(patience=10) as (coalescer, server):
        await asyncio.gather(*(say(coalescer, str(index)) for index in range(100)))
        assert [len(batch) - 1 for batch in server.batches] == [50, 50]
        assert server.connections == 2


async def test_while_two_batches_are_in_flight_all_others_gather() -> None:
    async with coalescing(patience=10) as (coalescer, server):
        server.open.clear()
        waiting = [asyncio.ensure_future(say(coalescer, str(index))) for index in range(100)]
        await asyncio.sleep(0.01)
        waiting += [asyncio.ensure_future(say(coalescer, str(index))) for index in range(100)]
        await asyncio.sleep(0.01)
        server.open.set()
        await asyncio.gather(*waiting)
        assert server.connections == 2


async def test_a_batch_is_bounded() -> None:
    async with coalescing(patience=10) as (coalescer, server):
        await asyncio.gather(*(say(coalescer, str(index)) for index in range(1300)))
        assert sum(len(batch) - 1 for batch in server.batches) == 1300
        assert max(len(batch) - 1 for batch in server.batches) == 256


async def test_a_hanging_batch_does_not_hold_up_later_callers() -> None:
    """A second connection is opened for them as soon as the first one is slow."""
    async with coalescing(patience=10) as (coalescer, server):
        await say(coalescer, "warm")
        stuck = server.open
        stuck.clear()
        hanging = asyncio.ensure_future(say(coalescer, "hanging"))
        await asyncio.sleep(0.06)
        server.open = asyncio.Event()
        server.open.set()
        await asyncio.wait_for(say(coalescer, "later"), 5)
        assert not hanging.done()
        stuck.set()
        await hanging


async def test_a_value_read_for_many_is_read_once() -> None:
    async with coalescing() as (coalescer, server):
        calls = [Call(pack("SAY", str(index)), 1, b"shared") for index in range(5)]
        lone = Call(pack("SAY", "lone"), 1)
        await asyncio.gather(*(coalescer.answer(call) for call in [*calls, lone]))
        assert [call.read for call in calls] == [b"shared"] * 5
        assert lone.read is None
        assert server.batches[0].count(b"shared") == 1


async def test_a_call_that_goes_on_keeps_its_deadline() -> None:
    """It began before those that wait already, so it is over before them."""
    async with coalescing(patience=2.0) as (coalescer, server):
        earlier = await say(coalescer, "earlier")
        await asyncio.sleep(0.8)
        server.open.clear()
        began = asyncio.get_running_loop().time()
        later = asyncio.ensure_future(say(coalescer, "later"))
        await asyncio.sleep(0)
        going_on = Call(pack("SAY", "again"), 1).after(earlier)
        with pytest.raises(RedisCallError) as caught:
            await coalescer.answer(going_on)
        assert asyncio.get_running_loop().time() - began < 1.8
        assert not later.done()
        assert caught.value.code == "timeout"
        with pytest.raises(RedisCallError):
            await later


async def test_a_call_that_goes_on_when_nobody_else_waits_keeps_its_deadline_too() -> None:
    async with coalescing(patience=1.5) as (coalescer, server):
        earlier = await say(coalescer, "earlier")
        await asyncio.sleep(1.7)  # the watchdog has gone to sleep
        later = await say(coalescer, "later")
        earlier.deadline = later.deadline - 1.0
        server.open.clear()
        with pytest.raises(RedisCallError):
            await coalescer.answer(Call(pack("SAY", "again"), 1).after(earlier))
        assert asyncio.get_running_loop().time() < later.deadline - 0.5


async def test_whatever_goes_wrong_nobody_is_left_waiting() -> None:
    """An error that is no transport error, such as an option that the driver does not know."""

    async def locate() -> ConnectionSettings:
        raise LookupError("a surprise")

    coalescer = Coalescer(Pool(locate), timeout=5)
    with pytest.raises(RedisCallError) as caught:
        await coalescer.answer(Call(pack("PING"), 1))
    assert caught.value.code == "unexpected"
    assert not caught.value.may_have_run
    assert isinstance(caught.value.__cause__, LookupError)
    await coalescer.aclose()


async def test_an_idle_connection_that_the_server_closed_is_replaced_without_a_doubt() -> None:
    async with coalescing() as (coalescer, _):
        await say(coalescer, "one")
        (wire,) = coalescer._pool._idle
        assert wire.is_fresh
        assert wire._writer is not None
        wire._writer.transport.abort()
        await asyncio.sleep(0)
        call = await say(coalescer, "two")
        assert not call.in_doubt


async def test_its_trouble_is_over_with_the_first_answer() -> None:
    async with coalescing(patience=1.5) as (coalescer, server):
        assert coalescer.trouble is None
        server.open.clear()
        with pytest.raises(RedisCallError):
            await say(coalescer, "lost")
        await coalescer.aclose()
        assert isinstance(coalescer.trouble, TimeoutError)
        server.open.set()
        await say(coalescer, "found")
        assert coalescer.trouble is None


async def test_closing_waits_for_the_answers_under_way() -> None:
    async with coalescing() as (coalescer, server):
        server.open.clear()
        call = asyncio.ensure_future(say(coalescer, "late"))
        await asyncio.sleep(0.02)
        closing = asyncio.ensure_future(coalescer.aclose())
        await asyncio.sleep(0.02)
        assert not closing.done()
        server.open.set()
        await closing
        await call
