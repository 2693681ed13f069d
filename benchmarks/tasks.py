"""The same thing done over and over by several tasks at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import TypeVar

from benchmarks.rounds import Subject

__all__ = ["in_tasks"]

T = TypeVar("T")


def in_tasks(do: Callable[[T], Awaitable[object]], fresh: Iterator[T], tasks: int) -> Subject:
    """A subject that does something with one new item a call, in so many tasks that each have one call under way.

    Args:
        do: What is done.
        fresh: Where the items come from.
        tasks: How many tasks; fewer if there are fewer calls.
    """

    async def one_after_the_other(items: list[T]) -> None:
        for item in items:
            await do(item)

    async def subject(calls: int) -> None:
        workers = min(tasks, calls)
        shares = [list(islice(fresh, calls // workers + (worker < calls % workers))) for worker in range(workers)]
        await asyncio.gather(*map(one_after_the_other, shares))

    return subject
