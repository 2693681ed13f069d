"""A coroutine, step by step: cancelled where it waits for the n-th time."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["cancelled_at"]

T = TypeVar("T")


class _Steps(Awaitable[T]):
    def __init__(self, work: Coroutine[Any, Any, T], cancel_at: int) -> None:
        self._work = work
        self._cancel_at = cancel_at
        self.has_come = False

    def __await__(self) -> Generator[Any, Any, T]:
        step, error = 0, None
        while True:
            try:
                waits_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
            if step == self._cancel_at:
                self.has_come = True
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
            step, error = step + 1, None
            try:
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - whatever is thrown in belongs to the coroutine
                error = raised


async def cancelled_at(step: int, work: Coroutine[Any, Any, T]) -> tuple[bool, T]:
    """Its result, and whether it waited so often at all; it raises `CancelledError` if that ended it.

    Args:
        step: At which of its waits it is cancelled; 0 is the first.
        work: The coroutine.
    """
    steps = _Steps(work, step)

    async def walk() -> T:
        return await steps

    result = await asyncio.ensure_future(walk())
    return steps.has_come, result
