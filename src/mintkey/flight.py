"""Work that several callers wait for: it runs once, in a task of its own, and outlives a caller who is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

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
        """Cancel what still runs and wait until it ended."""
        loop = asyncio.get_running_loop()
        running = [task for task in self._tasks if task.get_loop() is loop]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: nobody needs to be told at exit that nobody waited


class SingleFlight(Generic[T]):
    """One kind of work of which only one runs at a time; whoever asks meanwhile joins it.

    Args:
        tasks: Where the task lives.
        work: Begins the work.
    """

    def __init__(self, tasks: Detached, work: Callable[[], Coroutine[Any, Any, T]], /) -> None:
        self._tasks = tasks
        self._work = work
        self._task: asyncio.Task[T] | None = None

    @property
    def is_running(self) -> bool:
        """Whether somebody began and it did not end."""
        task = self._task
        # A task of another event loop is gone with that loop, whether it ended or not.
        return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()

    def start(self) -> asyncio.Task[T]:
        """The running task, or a new one; nobody has to wait for it."""
        if self._task is None or not self.is_running:
            self._task = self._tasks.start(self._work())
        return self._task

    async def join(self) -> T:
        """What the running work, or a new one, returns or raises."""
        return await self._tasks.outcome(self.start())
