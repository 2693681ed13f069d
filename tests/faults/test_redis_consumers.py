"""Consumers and listeners of the bus, with every mishap to every exchange: each event is handled, none is lost."""

from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import pytest

from mintkey.bus import EventBus
from tests.faults.wire import Mishap, Way
from tests.support.buses import SEALER, Ear, Numbered, eventually, publish, running
from tests.support.polling import until
from tests.support.servers import RedisServer

PATIENCE = timedelta(seconds=0.4)
HANDLING = timedelta(seconds=0.4)
STEPS = 3
"""Before each event another exchange goes wrong: a read, a look at what others left, an acknowledgement."""


@pytest.fixture
async def way(valkey: RedisServer) -> AsyncIterator[Way]:
    async with Way(valkey.port) as way:
        yield way


def bus_on(port: int, *, patience: timedelta = PATIENCE) -> EventBus:
    return EventBus(f"redis://127.0.0.1:{port}", sealer=SEALER, events=[Numbered], timeout=patience)


async def has_struck(way: Way) -> None:
    async def it_has() -> bool:
        return way.has_struck

    await until(it_has)


@pytest.mark.parametrize("mishap", Mishap)
async def test_every_event_is_handled(valkey: RedisServer, way: Way, mishap: Mishap) -> None:
    """And done in the end; one that comes again came to a consumer whose acknowledgement was in doubt."""
    ear = Ear()
    async with bus_on(valkey.port, patience=timedelta(seconds=20)) as sure, bus_on(way.port) as bus:
        async with running(bus.consume(ear, group="billing", handler_timeout=HANDLING)):
            await publish(sure, 1)
            await ear.until(1)
            for step in range(STEPS):
                way.arm(mishap, after=step)
                await publish(sure, 2, start=1 + 2 * step)
                await has_struck(way)
                if mishap is Mishap.BLACK_HOLE:
                    way.heal()
            numbers = set(range(1 + 2 * STEPS))
            await eventually(lambda: set(ear.numbers) == numbers)

            async def is_done() -> bool:
                return [(group.pending, group.behind) for group in await sure.groups()] == [(0, 0)]

            await until(is_done)
        assert max(ear.numbers.count(number) for number in numbers) <= 1 + STEPS


@pytest.mark.parametrize("mishap", Mishap)
async def test_a_listener_hears_every_event_or_is_told_that_it_missed_some(
    valkey: RedisServer, way: Way, monkeypatch: pytest.MonkeyPatch, mishap: Mishap
) -> None:
    monkeypatch.setattr("mintkey.bus.listener._WAIT", 0.1)
    ear, began = Ear(), anyio.Event()

    async def missed() -> None:
        assert not began.is_set(), "nothing was cut off, so nothing was missed"
        began.set()

    async with (
        bus_on(valkey.port, patience=timedelta(seconds=20)) as sure,
        bus_on(way.port) as bus,
        running(bus.listen(ear, missed=missed)),
    ):
        await began.wait()
        for step in range(STEPS):
            way.arm(mishap, after=step)
            await publish(sure, 2, start=2 * step)
            await has_struck(way)
            if mishap is Mishap.BLACK_HOLE:
                way.heal()
        await ear.until(2 * STEPS)
    assert ear.numbers == list(range(2 * STEPS)), "each once, and in order"
