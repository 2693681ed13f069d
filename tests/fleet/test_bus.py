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
        self._directory = directory / "handled"
        self._deaths = directory / "deaths"
        for one in (self._directory, self._deaths):
            one.mkdir()
        self._stack = stack
        self._alive: list[Popen[str]] = []
        self._to_kill = list(KILLED_AT)
        self._started = 0

    def look_after(self) -> None:
        """Kill who is to be killed, and start who is missing."""
        self._alive = [one for one in self._alive if one.poll() is None]
        if self._alive and self._to_kill and len(self.handled()) >= self._to_kill[0]:
            self._to_kill.pop(0)
            victim = self._alive.pop()
            victim.kill()
            victim.wait()
        while len(self._alive) < CONSUMERS:
            self._started += 1
            file = self._directory / str(self._started)
            self._alive.append(self._stack.enter_context(process(MODULE, ("consume", self._url, file, self._deaths))))

    def handled(self) -> "Counter[int]":
        """How often each event was handled."""
        lines = (line for file in self._directory.iterdir() for line in file.read_text().splitlines())
        return Counter(map(int, lines))

    def died_of(self) -> list[int]:
        """The events of which somebody died."""
        return sorted(int(file.name) for file in self._deaths.iterdir())

    async def is_through(self) -> bool:
        """Whether every event was handled and everybody killed, looking after the fleet meanwhile."""
        await anyio.to_thread.run_sync(self.look_after)
        return not self._to_kill and len(await anyio.to_thread.run_sync(self.handled)) == EVENTS


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
        handled, deadly = fleet.handled(), fleet.died_of()
    twice = sum(count - 1 for count in handled.values())
    _logger.info("%d events, %d deaths, %d handled twice", len(handled), len(KILLED_AT) + len(deadly), twice)
    assert sorted(handled) == list(range(EVENTS))
    assert deadly == list(range(DEADLY, EVENTS, DEADLY))
    # Whoever died of an event had not said that it was handled; others too, whom we killed or who had to wait.
    assert len(deadly) <= twice <= EVENTS // 20
    assert all(handled[number] > 1 for number in deadly)
    async with bus_of(valkey.url) as bus:
        assert await bus.set_aside(GROUP) == []
