"""One timer for the deadlines of all calls, waiting or in flight."""

import asyncio
from collections import deque
from math import inf

from mintkey.redis.calls import Call

__all__ = ["Watch"]


class Watch:
    """Tells callers whose deadline is over that there is no answer. It sleeps until the first of them is.

    A call costs it one comparison. Whoever was answered meanwhile is only passed over when the timer comes.

    Args:
        waiting: Calls in the order of their deadlines; those that are over are taken out.

    Attributes:
        wakes_at: When it wakes up next, in the time of the event loop; an earlier deadline has to be announced.
    """

    __slots__ = ("_loop", "_queues", "_timer", "wakes_at")

    def __init__(self, waiting: deque[Call], /) -> None:
        self._loop = asyncio.get_running_loop()
        self._queues = {id(waiting): waiting}
        self._timer: asyncio.TimerHandle | None = None
        self.wakes_at: float = inf

    def wake_at(self, deadline: float, /) -> None:
        """Wake up at a deadline that is earlier than `wakes_at`."""
        self.stop()
        self.wakes_at, self._timer = deadline, self._loop.call_at(deadline, self._expire)

    def take_over(self, calls: list[Call], /) -> None:
        """Watch calls that do not wait any more, in the order of their deadlines, until `release`."""
        self._queues[id(calls)] = deque(calls)

    def release(self, calls: list[Call], /) -> None:
        """All of these are settled."""
        del self._queues[id(calls)]

    def stop(self) -> None:
        """Sleep until a deadline is announced."""
        if self._timer is not None:
            self._timer.cancel()
        self.wakes_at, self._timer = inf, None

    def _expire(self) -> None:
        now = self._loop.time()
        self.stop()
        for queue in self._queues.values():
            while queue and (queue[0].done.done() or queue[0].deadline <= now):
                queue.popleft().expire()
        first = min((queue[0].deadline for queue in self._queues.values() if queue), default=inf)
        if first < inf:
            self.wake_at(first)
