"""Consumers are killed at work, again and again, and started again: every event is handled, none is lost."""

import logging
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from subprocess import Popen

import anyio

from tests.support.bus_workers import DEADLY, GROUP, bus_of
from tests.support.buses import Numbered
from tests.support.polling import until
from tests.support.processes import process
from tests.support.servers import RedisServer

MODULE = "tests.support.bus_workers"
EVENTS = 10_000
CONSUMERS = 3
KILLED_AT = [1000, 3000, 5000, 7000, 9000]
"""After so many were handled one is killed by us, wherever it is; others die right after they handled an event."""

_logger = logging.getLogger(__name__)


class Fleet:
    """Processes that write down what they handled; a new one for each that died."""

    def __init__(self, url: str, directory: Path, stack: ExitStack) -> None:
        self._url = url
        self._directory = directory
        self._stack = stack
        self._alive: list[Popen[str]] = []
        self._to_kill = list(KILLED_AT)
        self.started = 0

    def look_after(self) -> None:
        """Kill who is to be killed, and start who is missing."""
        if self._to_kill and len(self.handled()) >= self._to_kill[0]:
            self._to_kill.pop(0)
            self._alive[0].kill()
            self._alive[0].wait()
        self._alive = [one for one in self._alive if one.poll() is None]
        while len(self._alive) < CONSUMERS:
            self.started += 1
            file = self._directory / str(self.started)
            self._alive.append(self._stack.enter_context(process(MODULE, ("consume", self._url, file))))

    def handled(self) -> "Counter[int]":
        """How often each event was handled."""
        lines = (line for file in self._directory.iterdir() for line in file.read_text().splitlines())
        return Counter(map(int, lines))

    async def is_through(self) -> bool:
        """Whether every event was handled, looking after the fleet meanwhile."""
        await anyio.to_thread.run_sync(self.look_after)
        return len(await anyio.to_thread.run_sync(self.handled)) == EVENTS


async def publish(url: str) -> None:
    """All events, many at once."""
    async with bus_of(url) as bus:
        for start in range(0, EVENTS, 250):
            async with anyio.create_task_group() as group:
                for number in range(start, start + 250):
                    group.start_soon(bus.publish, Numbered(purpose="test", number=number))


async def is_done(url: str) -> bool:
    async with bus_of(url) as bus:
        return [(one.pending, one.behind) for one in await bus.groups()] == [(0, 0)]


async def test_ten_thousand_events_are_handled_though_consumers_are_killed(valkey: RedisServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        fleet = Fleet(valkey.url, tmp_path, stack)
        fleet.look_after()
        async with anyio.create_task_group() as group:
            group.start_soon(publish, valkey.url)
            await until(fleet.is_through)
        await until(partial(is_done, valkey.url))
        handled = fleet.handled()
    deaths = fleet.started - CONSUMERS
    twice = sum(count - 1 for count in handled.values())
    _logger.info("%d events, %d consumers killed, %d handled twice", len(handled), deaths, twice)
    assert sorted(handled) == list(range(EVENTS))
    assert deaths >= len(KILLED_AT) + EVENTS // DEADLY
    # Whoever was killed had handled one without saying so; a few more, if this machine let somebody wait for too long.
    assert EVENTS // DEADLY <= twice <= EVENTS // 20
    async with bus_of(valkey.url) as bus:
        assert await bus.set_aside(GROUP) == []
