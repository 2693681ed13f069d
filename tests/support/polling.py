"""Waiting for what happens elsewhere: other processes, and tasks that nobody here can await."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

__all__ = ["PATIENCE", "until"]

PATIENCE = timedelta(seconds=20)
"""For stores in tests that are not about time, on a machine that has other things to do."""


async def until(condition: Callable[[], Awaitable[bool]], *, patience: float = 120) -> None:
    """Poll, for as long as a slow machine may need."""
    with anyio.fail_after(patience):
        while not await condition():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
