"""A connection on which a server may take its time, and how it is told from one that nobody answers on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from mintkey.redis.blocking import patient_wire
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import unpack
from mintkey.redis.settings import ConnectionSettings


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[Callable[[], "asyncio.Future[ConnectionSettings]"]]:
    """A server that says one thing after the other, whatever it is asked, and the marker; an empty answer hangs up."""
    left, served = list(answers), list[asyncio.Event]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.Event()
        served.append(over)
        with suppress(OSError):
            while asked := await reader.read(10_000):
                if not left:
                    continue
                answer = left.pop(0)
                if not answer:
                    break
                marker = unpack(asked)[-1][-1]
                writer.write(answer + b"$%d\r\n%b\r\n" % (len(marker), marker))
        writer.transport.abort()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = ConnectionSettings.of_url(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    def locate() -> "asyncio.Future[ConnectionSettings]":
        located = asyncio.get_running_loop().create_future()
        located.set_result(settings)
        return located

    yield locate
    server.close()
    for over in served:
        await over.wait()
    await asyncio.sleep(0)  # connections are gone a turn later


async def failure(*answers: bytes, patience: float = 5) -> RedisCallError:
    async with answering(*answers) as locate:
        with pytest.raises(RedisCallError) as caught:
            async with patient_wire(locate, patience=patience) as wire:
                await wire.ask("XREAD", wait=0.01)
        return caught.value


async def test_one_answer_after_the_other() -> None:
    async with answering(b":1\r\n", b"*-1\r\n") as locate, patient_wire(locate, patience=5) as wire:
        assert await wire.ask("XREAD", wait=1) == 1
        assert await wire.ask("XREAD", wait=1) is None


async def test_a_refusal_is_told_by_its_first_word() -> None:
    assert (await failure(b"-NOGROUP no such key 'secret'\r\n")).code == "NOGROUP"


async def test_nobody_answers_for_ever() -> None:
    assert (await failure(patience=0.05)).code == "connection"


async def test_who_hangs_up_is_gone() -> None:
    assert (await failure(b"")).code == "connection"


async def test_an_answer_too_many_is_nobody_s() -> None:
    assert (await failure(b":1\r\n:2\r\n")).code == "protocol"


async def test_no_server_is_told() -> None:
    async with answering() as locate:
        pass
    with pytest.raises(RedisCallError) as caught:
        async with patient_wire(locate, patience=1):
            raise AssertionError
    assert caught.value.code == "connection"


async def test_what_the_block_raises_is_its_own() -> None:
    async with answering(b":1\r\n") as locate:
        with pytest.raises(OSError, match="of the caller"):
            async with patient_wire(locate, patience=5) as wire:
                assert await wire.ask("XREAD", wait=1) == 1
                raise OSError("of the caller")
