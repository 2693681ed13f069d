"""Waiting for what happens elsewhere: other processes, and tasks that nobody here can await."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["until"]


async def until(condition: Callable[[], Awaitable[bool]], *, patience: float = 120) -> None:
    """Poll, for as long as a slow machine may need."""
    with anyio.fail_after(patience):
        while not await condition():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
