"""The turns of the event loop: a clock by which they are soon due, and how many calls pass between them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

from mintkey.testing import FakeClock

__all__ = ["Hurrying", "longest_run"]


class Hurrying(FakeClock):
    """A clock by which a little time has gone by whenever somebody looks."""

    def monotonic(self) -> float:
        """Three milliseconds later than at the last look."""
        self.advance(timedelta(milliseconds=3))
        return super().monotonic()


async def longest_run(work: Callable[[], Awaitable[object]], *, calls: int) -> int:
    """How many of so many calls came in a row, at most, before another task had its turn."""
    done = 0
    turns: list[int] = []

    async def another_task() -> None:
        while True:
            turns.append(done)
            await asyncio.sleep(0)

    other = asyncio.create_task(another_task())
    for _ in range(calls):
        await work()
        done += 1
    other.cancel()
    return max(after - before for before, after in pairwise([0, *turns, calls]))
