"""Since when a Redis server remembers: what was issued before it began can no longer be proved unspent.

The second in which the memory begins is kept beside the marks, in every bucket. A server that restarts empty, is
flushed or is the wrong one has lost it together with the marks, and so gives itself away.
"""

from datetime import datetime

from mintkey.clock import Clock, from_timestamp
from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, pack
from mintkey.replay.marks import memory_begins_after_loss, memory_begins_at_opening
from mintkey.replay.redis_keys import Keys

__all__ = ["RedisFence"]


class RedisFence:
    """Writes the beginning of memory, notices when it is gone, and tells what can be proved.

    Args:
        client: Calls the servers.
        keys: The store's keys.
        clock: Where time comes from.
        enabled: Whether there is a fence at all; without it only the servers are checked.
    """

    def __init__(self, client: Client, keys: Keys, clock: Clock, *, enabled: bool) -> None:
        self._client = client
        self._keys = keys
        self._clock = clock
        self._enabled = enabled
        self.is_open: bool = False
        # Nearly every call reads the same: from when on, as it was read last and what it means.
        self._known: Reply = None
        self._begins: datetime = from_timestamp(0)

    async def open(self) -> None:
        """Begin the memory now where there is none yet, and look at the servers; once, before anything is asked.

        Raises:
            RedisCallError: There was no answer, or the server refuses writes.
        """
        async with self._client.first():
            if self.is_open:
                return
            await self._client.warn()
            if self._enabled:
                await self._begin(memory_begins_at_opening(self._clock.time()))
            self.is_open = True

    def close(self) -> None:
        """The next call opens again."""
        self.is_open = False

    def key_to_read(self, bucket: Bucket, /) -> bytes | None:
        """The key that `reaches` wants the value of, read behind the commands on a mark."""
        return bucket.epoch if self._enabled else None

    def reaches(self, issued_at: datetime, read: Reply, /) -> bool:
        """Whether the memory reaches back to this instant.

        Args:
            issued_at: When the token was issued.
            read: The value of `key_to_read`.

        Raises:
            RedisCallError: The value is none of ours.
        """
        if not self._enabled:
            return True
        if read is None:
            return False
        if read != self._known:
            self._begins, self._known = _instant(read), read
        return self._begins <= issued_at

    async def mend(self, read: Reply, /, *, deadline: float = 0.0) -> None:
        """Begin the memory anew if this value of `key_to_read` says that it is gone.

        Args:
            read: The value.
            deadline: Loop time until which that is tried; 0: for as long as a call may take.

        Raises:
            RedisCallError: It cannot be begun anew.
        """
        if read is None and self._enabled:
            await self._begin_anew(deadline)

    async def proves(self, issued_at: datetime, read: Reply, /) -> bool:
        """Both of them. Raises as they do."""
        await self.mend(read)
        return self.reaches(issued_at, read)

    async def _begin_anew(self, deadline: float) -> None:
        lock = self._client.link.lock
        if not lock.locked():  # else somebody is at it, and this caller's answer does not depend on it
            async with lock:
                await self._begin(memory_begins_after_loss(self._clock.time()), deadline)

    async def _begin(self, second: int, deadline: float = 0.0) -> None:
        begin = [(bucket.number, Call(pack("SET", bucket.epoch, second, "NX"), 1)) for bucket in self._keys.buckets]
        for _, call in begin:
            call.deadline = deadline
        for call in await self._client.answers(begin):
            call.raise_error_reply()


def _instant(read: Reply) -> datetime:
    try:
        return from_timestamp(int(read))  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError, OverflowError, OSError):
        message = "the key that says when the memory begins holds something else"
        raise RedisCallError(message, code="ERR", may_have_run=True) from None
