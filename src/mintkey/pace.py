"""Gives the event loop its turn in long runs of work that waits for nothing.

A signature takes some ten to a hundred microseconds, too little for a thread of its own. Five hundred of them that are
asked for at once would still keep everybody else waiting for a twentieth of a second. So whoever is about to work asks
whether the run has become long; if it has, all who ask from then on wait in a queue, and the loop serves its other
tasks between one stretch of work and the next.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from mintkey.clock import Clock, SystemClock

__all__ = ["Pace"]

_STRETCH = 0.002
"""Seconds of work in a row, about; a turn of the loop costs a thousandth of that."""

_UNASKED = 7
"""So many may begin without asking, of those who do little at a time: a look at the clock is not for nothing."""


class Pace:
    """The pace of whoever does the same kind of work again and again.

    Args:
        clock: Tells how long a run of work takes; by default the machine's.

    Attributes:
        free: How many may still begin without asking.

    Example:
        ```python
        pace.free -= 1
        if pace.free < 0 and pace.is_over():
            await pace.rest()
        work()
        ```
    """

    __slots__ = ("_began", "_has_begun", "_monotonic", "_queue", "free")

    def __init__(self, clock: Clock | None = None) -> None:
        self._monotonic = (SystemClock() if clock is None else clock).monotonic
        self._began = 0.0
        self._has_begun = False
        self.free: int = 0
        self._queue: _Queue | None = None

    def is_over(self) -> bool:
        """Whether the run has become long, so that whoever is about to work has to `rest` first."""
        now = self._monotonic()
        if not self._has_begun:
            self._begin(now)
        is_over = now - self._began > _STRETCH or (self._queue is not None and self._queue.is_busy)
        self.free = 0 if is_over else _UNASKED
        return is_over

    async def rest(self) -> None:
        """Return when it is this caller's turn to work, after other tasks of the event loop had theirs."""
        queue = self._queue
        if queue is None or queue.loop is not asyncio.get_running_loop():
            queue = self._queue = _Queue(self._monotonic)
        await queue.turn()
        now = self._monotonic()
        if not self._has_begun or now - self._began > _STRETCH:
            self._begin(now)
            self.free = 0 if queue.is_busy else _UNASKED

    def _begin(self, now: float) -> None:
        # A run ends with the turn of the loop in which it began: then others were served.
        self._has_begun, self._began = True, now
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._has_begun, self.free = False, 0


class _Queue:
    """Those who wait in one event loop. A few at a time go on, as many as a stretch has room for.

    Attributes:
        loop: The event loop.
        is_busy: Whether somebody waits, so that others have to wait behind him.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.is_busy: bool = False
        self._monotonic = monotonic
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._began = 0.0
        self._nobody_went = True
        self._share = 1.0

    async def turn(self) -> None:
        """Wait for a turn of the loop in which there is room."""
        if not self.is_busy:
            # Who is alone needs no more than that; whoever comes meanwhile waits behind.
            self.is_busy = True
            try:
                await asyncio.sleep(0)
            finally:
                self._began = self._monotonic()
                self._go_on()
            return
        while True:
            turn = self.loop.create_future()
            self._waiting.append(turn)
            if not self.is_busy:
                self.is_busy = True
                self.loop.call_soon(self._serve)
            await turn
            now = self._monotonic()
            if self._nobody_went:  # one goes on in every turn, however long others had the loop meanwhile
                self._nobody_went, self._began = False, now
                return
            if now - self._began <= _STRETCH:
                return

    def _serve(self) -> None:
        """Let a share of them go on, and come back behind them."""
        took = self._monotonic() - self._began
        self._share = max(1.0, self._share * min(2.0, max(0.5, _STRETCH / took if took > 0 else 2.0)))
        self._nobody_went = True
        for _ in range(min(int(self._share), len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
        self._go_on()

    def _go_on(self) -> None:
        self.is_busy = bool(self._waiting)
        if self.is_busy:
            self.loop.call_soon(self._serve)
