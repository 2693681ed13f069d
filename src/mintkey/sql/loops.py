"""What belongs to one event loop, for every loop of this process that asks."""

import asyncio
import os
from collections.abc import Callable

from mintkey.errors import ConfigurationError
from mintkey.sql.engine import OpenedEngine
from mintkey.sql.transactions import Transactions

__all__ = ["Loops"]


class Loops:
    """The transactions of each event loop, on engines that serve one loop at a time.

    Args:
        opened: The first engine; nothing is connected yet.
        reopen: Makes another one like it.
        begin: Makes the transactions of a loop.
    """

    def __init__(
        self,
        opened: OpenedEngine,
        /,
        *,
        reopen: Callable[[], OpenedEngine],
        begin: Callable[[OpenedEngine], Transactions],
    ) -> None:
        self._reopen = reopen
        self._begin = begin
        self._by_loop: dict[asyncio.AbstractEventLoop, Transactions] = {}
        self._spare = [opened]
        self._process = os.getpid()
        self._inherited: list[object] = []

    def here(self) -> Transactions:
        """Those of the running loop.

        Raises:
            ConfigurationError: It is a database in memory, and another loop is using it (`configuration`).
        """
        loop = asyncio.get_running_loop()
        return self._by_loop.get(loop) or self._arrive(loop)

    async def leave(self) -> None:
        """End those of the running loop, and close the engines that loops which have ended left behind."""
        self._put_in_order()
        transactions = self._by_loop.get(asyncio.get_running_loop())
        if transactions is not None:
            await transactions.finish()
        while self._spare:
            opened = self._spare.pop()
            if opened.is_ours:
                await opened.engine.dispose()

    def _arrive(self, loop: asyncio.AbstractEventLoop) -> Transactions:
        self._put_in_order()
        try:
            opened = self._spare.pop()
        except IndexError:  # not looked up first: a loop in another thread may be arriving as well
            if any(transactions.opened.is_in_memory for transactions in tuple(self._by_loop.values())):
                message = "a database in memory belongs to one event loop: for several, use a file"
                raise ConfigurationError(message) from None
            opened = self._reopen()
        transactions = self._by_loop[loop] = self._begin(opened)
        return transactions

    def _put_in_order(self) -> None:
        """Take over what loops that have ended left behind, and let alone what another process made."""
        if self._process != os.getpid():
            # We are a copy of the process that made all this, and share its connections: a word of ours on one of them,
            # be it a farewell, would be taken for its own. So they are kept as they are, and never touched.
            self._inherited += [self._by_loop, self._spare]
            self._by_loop, self._spare, self._process = {}, [], os.getpid()
        for loop in tuple(self._by_loop):
            if loop.is_closed():
                left = self._by_loop.pop(loop, None)
                # A remote database's connections have ended with their loop; a file's are as good as ever.
                if left is not None and not (left.opened.is_ours and left.opened.backend.is_remote):
                    self._spare.append(left.opened)
