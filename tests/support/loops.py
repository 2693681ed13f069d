"""Event loops beside the test's own: in threads, and ones that stopped in the middle of their work."""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio.lowlevel

__all__ = ["Stage", "in_threads", "stopped_loop"]

T = TypeVar("T")

_PATIENCE = 60.0
"""Seconds after which it hangs."""


def in_threads(*works: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
    """What each work returns, all at once, each in a thread with an event loop of its own."""
    begin, results, errors = threading.Barrier(len(works), timeout=_PATIENCE), dict[int, T](), list[BaseException]()

    async def limited(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with asyncio.timeout(_PATIENCE):
            return await work()

    def run(number: int, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        begin.wait()
        try:
            results[number] = asyncio.run(limited(work))
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # seconds: they meet at every corner
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * _PATIENCE)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads), "an event loop hangs"
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(works))]


class Stage:
    """A place where the first event loop that comes by stops until it may go on; all others pass."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_reached = False
        self.may_go_on = False

    async def pass_by(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if loop is self._loop and not self.may_go_on:
            self.is_reached = True
            while not self.may_go_on:
                await anyio.lowlevel.checkpoint()


@contextmanager
def stopped_loop(
    work: Coroutine[Any, Any, T], stage: Stage
) -> "Iterator[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]]":
    """A loop that stopped when its work had reached the stage, as one does that a test blocks; and the work's task."""
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        async with asyncio.timeout(_PATIENCE):
            while not stage.is_reached and not task.done():
                await anyio.lowlevel.checkpoint()
        assert stage.is_reached
        return task

    try:
        yield loop, loop.run_until_complete(begin())
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
