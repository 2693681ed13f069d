"""Work that several callers wait for: it runs once, in a task of its own, and outlives a caller who is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from mintkey.loops import PerLoop

__all__ = ["Detached", "SingleFlight"]

T = TypeVar("T")

# Tasks are asyncio's own: a task group of anyio would tie the work to the scope of the caller who happens to begin it,
# and cancel it with that caller.


class Detached:
    """A set of running tasks that belong to no caller, closed together.

    Args:
        closed: Makes the error for those who wait for one of them when they are closed.
    """

    def __init__(self, closed: Callable[[], Exception], /) -> None:
        self._closed = closed
        self._tasks: set[asyncio.Task[Any]] = set()  # the event loop itself keeps weak references only

    def start(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        """The task that now does this work, whoever waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    async def run(self, work: Coroutine[Any, Any, T], /) -> T:
        """What this work returns or raises; a caller who is cancelled leaves it running."""
        return await self.outcome(self.start(work))

    async def outcome(self, task: asyncio.Task[T], /) -> T:
        """What one of these tasks returns or raises; a caller who is cancelled leaves it running.

        If the task itself was cancelled, it raises what `closed` made.
        """
        await asyncio.wait((task,))
        if task.cancelled():
            # A CancelledError here would look as if somebody had cancelled the caller.
            raise self._closed()
        return task.result()

    async def aclose(self) -> None:
        """Cancel what still runs, and wait until what runs in this event loop ended.

        Another loop is told and not waited for: it may be blocked, or gone.
        """
        here, running = asyncio.get_running_loop(), list[asyncio.Task[Any]]()
        for task in tuple(self._tasks):
            if task.get_loop() is here:
                task.cancel()
                running.append(task)
            else:
                with suppress(RuntimeError):  # that loop was closed, and its tasks are gone with it
                    task.get_loop().call_soon_threadsafe(task.cancel)
        if running:
            await asyncio.wait(running)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: nobody needs to be told at exit that nobody waited


class SingleFlight(Generic[T]):
    """One kind of work of which only one runs at a time; whoever asks meanwhile joins it.

    That is one for each event loop: nobody can wait for the task of another.

    Args:
        tasks: Where the task lives.
        work: Begins the work.
    """

    def __init__(self, tasks: Detached, work: Callable[[], Coroutine[Any, Any, T]], /) -> None:
        self._tasks = tasks
        self._work = work
        self._flights: PerLoop[_Flight[T]] = PerLoop(_Flight)

    @property
    def is_running(self) -> bool:
        """Whether somebody began and it did not end."""
        task = self._flights.here().task
        return task is not None and not task.done()

    def start(self) -> asyncio.Task[T]:
        """The running task, or a new one; nobody has to wait for it."""
        flight = self._flights.here()
        if flight.task is None or flight.task.done():
            flight.task = self._tasks.start(self._work())
        return flight.task

    async def join(self) -> T:
        """What the running work, or a new one, returns or raises."""
        return await self._tasks.outcome(self.start())


class _Flight(Generic[T]):
    """The task of one event loop, if there was one so far."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: asyncio.Task[T] | None = None
