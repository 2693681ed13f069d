"""What a server sends on one connection, as replies, handed over the moment they are complete."""

import asyncio
from collections.abc import Callable
from typing import cast

from hiredis import HiredisError, Reader

from mintkey.redis.protocol import Reply

__all__ = ["Inbox"]

_PENDING = object()


class Inbox(asyncio.Protocol):
    """Reads replies, and hands them over within the turn of the event loop in which the last of them came.

    A stream would wake a task a turn later, which would then wake those who wait: two turns for nothing.
    """

    __slots__ = ("_accept", "_end", "_loop", "_reader", "_replies", "_waiter", "_wanted")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(notEnoughData=_PENDING)
        self._replies: list[Reply] = []
        self._wanted = 0
        self._accept: Callable[[list[Reply]], None]
        self._waiter: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    @property
    def is_quiet(self) -> bool:
        """Nothing came that nobody asked for: no reply that is left over, no farewell of the server."""
        return self._end is None and not self._replies and not self._reader.has_data()

    @property
    def has_more(self) -> bool:
        """The beginning of another reply is there."""
        return self._reader.has_data()

    def expect(self, count: int, accept: Callable[[list[Reply]], None], /) -> asyncio.Future[None]:
        """Have replies handed over when there are so many; only one party may expect something at a time.

        Args:
            count: How many.
            accept: Called with all that came, which may be more. What it raises is the result of the future.

        Returns:
            Done behind `accept`, or failed with what ended the connection (`OSError`, `EOFError`, `HiredisError`).
        """
        self._wanted, self._accept = count, accept
        waiter = self._waiter = self._loop.create_future()
        if self._end is not None:
            waiter.set_exception(self._end)
        else:
            self._hand_over()
        return waiter

    def data_received(self, data: bytes) -> None:
        """Turn bytes into replies."""
        reader, replies = self._reader, self._replies
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _PENDING:
                replies.append(cast("Reply", reply))
        except HiredisError as error:
            self.connection_lost(error)
        else:
            self._hand_over()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that no more will come."""
        self._end = exc or EOFError("the server closed the connection")
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._end)

    def eof_received(self) -> None:
        """The server says farewell: nothing is sent to it any more, even before the connection is gone."""
        self.connection_lost(None)

    def _hand_over(self) -> None:
        waiter, replies = self._waiter, self._replies
        if len(replies) < self._wanted or waiter is None or waiter.done():
            return
        self._replies = []
        try:
            self._accept(replies)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits, not to the event loop
            waiter.set_exception(error)
        else:
            waiter.set_result(None)
