"""What belongs to an event loop: each loop has its own.

One process may run several event loops in several threads; a test client, for instance, runs the application in one of
its own. They share what is known, and nothing that waits. A lock, a task or a future belongs to the loop that made it:
handing it over wakes nobody in another loop, and that one may be blocked, or gone, in the middle of its work. So no
loop ever waits for another. Each has its own locks and its own tasks, and what all of them know changes in steps that
await nothing: whoever prepared such a step looks first whether another loop was faster.
"""

from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["PerLoop", "Waiting"]

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing for each event loop, made when the loop first asks, and forgotten with it.

    Args:
        make: Makes it, in its loop.

    Example:
        >>> import asyncio
        >>> lists = PerLoop(list)
        >>> async def collect(word):
        ...     lists.here().append(word)
        ...     return lists.here()
        >>> asyncio.run(collect("one")), asyncio.run(collect("two"))
        (['one'], ['two'])
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], T], /) -> None:
        self._make = make
        self._made: dict[AbstractEventLoop, T] = {}

    def here(self) -> T:
        """That of the running event loop."""
        loop = get_running_loop()
        found = self._made.get(loop)
        if found is None:
            # A copy: a loop in another thread may be arriving as well.
            for other in [other for other in tuple(self._made) if other.is_closed()]:
                self._made.pop(other, None)
            found = self._made[loop] = self._make()
        return found

    def find(self) -> T | None:
        """That of the running event loop, if it asked before."""
        return self._made.get(get_running_loop())

    def take(self) -> T | None:
        """That of the running event loop, if it asked before; the loop begins anew then."""
        return self._made.pop(get_running_loop(), None)


class Waiting:
    """Those who wait for the same event, each in his own event loop.

    Whoever joins first looks whether it happened already, and whoever wakes them first makes it so; if that may be in
    several threads, both do it under one lock.
    """

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: set[Future[None]] = set()

    def join(self) -> "Future[None]":
        """What to wait for in the running event loop."""
        future: Future[None] = get_running_loop().create_future()
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def wake_all(self) -> None:
        """It happened; from whatever thread."""
        for future in tuple(self._futures):
            self._futures.discard(future)
            with suppress(RuntimeError):  # that loop was closed
                future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
