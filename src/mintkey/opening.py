"""Which resources one service has opened, so that it gives back exactly those."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol

import anyio

from mintkey.loops import PerLoop

__all__ = ["Openings"]


class _Closable(Protocol):
    async def aclose(self) -> None: ...


class Openings:
    """The resources that one owner entered, each once."""

    def __init__(self) -> None:
        self._entered: set[int] = set()
        self._stack = AsyncExitStack()
        self._lock = PerLoop(anyio.Lock)

    def __contains__(self, resource: object) -> bool:
        return id(resource) in self._entered

    async def enter(self, resource: _Closable) -> None:
        """Enter a resource unless it is entered already; one that cannot be entered is closed all the same.

        Two event loops may enter it both, at their first use; then it is left twice.
        """
        async with self._lock.here():
            if id(resource) in self._entered:
                return
            if isinstance(resource, AbstractAsyncContextManager):
                manager: AbstractAsyncContextManager[Any] = resource
                await self._stack.enter_async_context(manager)
            else:
                self._stack.push_async_callback(resource.aclose)
            self._entered.add(id(resource))

    async def leave_all(self) -> None:
        """Leave everything that was entered, last first, whatever one of them raises."""
        async with self._lock.here():
            self._entered.clear()
            await self._stack.aclose()
