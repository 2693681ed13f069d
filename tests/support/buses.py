"""Buses under test: a key, events of our own, and ears that wait for what they are told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio

from mintkey.bus import BusNotice, Delivered, EventBus, Trouble
from mintkey.events import Event
from mintkey.keys import Sealer
from tests.support.polling import until

SEALER = Sealer([bytes(range(32))])
STRANGER = Sealer([bytes(range(1, 33))])
SOON = timedelta(milliseconds=100)
"""For handlers whose event is to come again in a moment."""

EVENTUALLY = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered(Event):
    """An event of a service of ours."""

    number: int


class Ear:
    """Remembers what it is told, and raises for those numbers that it is told to raise for."""

    def __init__(self, *, failing: Callable[[Delivered], bool] = lambda _: False) -> None:
        self.heard: list[Delivered] = []
        self._failing = failing
        self._changed = asyncio.Event()

    async def __call__(self, delivered: Delivered) -> None:
        self.heard.append(delivered)
        self._changed.set()
        if self._failing(delivered):
            raise RuntimeError("the handler cannot")

    @property
    def numbers(self) -> list[int]:
        return [one.event.number for one in self.heard if isinstance(one.event, Numbered)]

    async def until(self, count: int) -> None:
        with anyio.fail_after(EVENTUALLY):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()


class Notices:
    """Remembers what a bus tells about itself."""

    def __init__(self) -> None:
        self.told: list[BusNotice] = []
        self._changed = asyncio.Event()

    def __call__(self, notice: BusNotice) -> None:
        self.told.append(notice)
        self._changed.set()

    def of(self, trouble: Trouble) -> list[tuple[str, int]]:
        return [(notice.group, notice.count) for notice in self.told if notice.trouble is trouble]

    async def until(self, trouble: Trouble) -> None:
        with anyio.fail_after(EVENTUALLY):
            while not self.of(trouble):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Work that goes on until it is cancelled, for as long as the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def publish(bus: EventBus, count: int, *, start: int = 0) -> None:
    """So many numbered events, in order."""
    for number in range(start, start + count):
        await bus.publish(Numbered(purpose="test", number=number))


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""

    async def is_so() -> bool:
        return condition()

    await until(is_so)
