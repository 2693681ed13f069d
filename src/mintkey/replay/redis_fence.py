"""Since when a Redis server remembers: what was issued before it began can no longer be proved unspent.

The second in which the memory begins is kept beside the marks, in every bucket. A server that restarts empty, is
flushed or is the wrong one has lost it together with the marks, and so gives itself away. What was read last of each
bucket is known here, so that nothing is written for a token that cannot be proved unspent anyway.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from mintkey.clock import Clock, from_timestamp
from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, pack
from mintkey.replay.marks import memory_begins_after_loss, memory_begins_at_opening
from mintkey.replay.redis_keys import Keys
from mintkey.replay.redis_marks import is_of, tag_of

__all__ = ["RedisFence"]

_NO_TAG = tag_of(0)
"""In marks that were written without a fence, whatever the memory."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """The memory of a bucket, as it was read last: the value, from when on it reaches, and its tag in marks."""

    read: Reply
    begins: datetime
    tag: bytes


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
        # By bucket; nearly every call reads the same. Nodes of a cluster forget by themselves.
        self._known: dict[int, _Memory] = {}

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
                await self._begin(memory_begins_at_opening(self._clock.time()), 0.0)
            self.is_open = True

    def close(self) -> None:
        """The next call opens again."""
        self.is_open = False

    def key_to_read(self, bucket: Bucket, /) -> bytes | None:
        """The key that `reaches` wants the value of, read behind the commands on a mark."""
        return bucket.epoch if self._enabled else None

    def tag(self, bucket: Bucket, /) -> bytes:
        """The tag of the memory that this bucket is believed to have."""
        known = self._known.get(bucket.number)
        return _NO_TAG if known is None else known.tag

    def reached(self, bucket: Bucket, issued_at: datetime, /) -> bool:
        """Whether the memory reached back to this instant when it was read last; if not, claims look before they write.

        Args:
            bucket: Where the token's mark is.
            issued_at: When the token was issued.
        """
        known = self._known.get(bucket.number)
        return not self._enabled or (known is not None and known.begins <= issued_at)

    def reaches(self, bucket: Bucket, issued_at: datetime, read: Reply, /) -> bool:
        """Whether the memory reaches back to this instant.

        Args:
            bucket: Where the token's mark is.
            issued_at: When the token was issued.
            read: The value of `key_to_read`.

        Raises:
            RedisCallError: The value is none of ours.
        """
        if not self._enabled:
            return True
        memory = self._learn(bucket, read)
        return memory is not None and memory.begins <= issued_at

    def proves(self, bucket: Bucket, issued_at: datetime, held: Reply, read: Reply, /) -> bool:
        """Whether somebody else's mark proves what it says of a token.

        Args:
            bucket: Where the mark is.
            issued_at: When the token was issued.
            held: The mark.
            read: The value of `key_to_read`.

        Raises:
            RedisCallError: The value is none of ours.
        """
        return self.reaches(bucket, issued_at, read) or is_of(held, self.tag(bucket))

    async def mend(self, read: Reply, /, *, deadline: float) -> None:
        """Begin the memory anew if this value of `key_to_read` says that it is gone.

        Args:
            read: The value.
            deadline: Loop time until which that is tried; 0: for as long as a call may take.

        Raises:
            RedisCallError: It cannot be begun anew.
        """
        if read is None and self._enabled:
            await self._begin_anew(deadline)

    async def is_provable(self, bucket: Bucket, issued_at: datetime, read: Reply, /, *, deadline: float) -> bool:
        """`reaches`, and `mend` if that is needed. Raises as they do."""
        reaches = self.reaches(bucket, issued_at, read)
        await self.mend(read, deadline=deadline)
        return reaches

    async def _begin_anew(self, deadline: float) -> None:
        lock = self._client.link.lock
        if not lock.locked():  # else somebody is at it, and this caller's answer does not depend on it
            async with lock:
                await self._begin(memory_begins_after_loss(self._clock.time()), deadline)

    async def _begin(self, second: int, deadline: float, /) -> None:
        calls = [
            (bucket.number, Call(pack("SET", bucket.epoch, second, "NX") + pack("GET", bucket.epoch), 2))
            for bucket in self._keys.buckets
        ]
        for _, call in calls:
            call.deadline = deadline
        for bucket, call in zip(self._keys.buckets, await self._client.answers(calls), strict=True):
            call.raise_error_reply()
            with suppress(RedisCallError):  # whoever reads it again will say so
                self._learn(bucket, call.replies[1])

    def _learn(self, bucket: Bucket, read: Reply) -> _Memory | None:
        known = self._known.get(bucket.number)
        if known is not None and known.read == read:
            return known
        self._known.pop(bucket.number, None)
        if read is None:
            return None
        self._known[bucket.number] = memory = _memory(read)
        return memory


def _memory(read: Reply) -> _Memory:
    try:
        begins = int(read)  # type: ignore[arg-type]  # anything else raises
        return _Memory(read, from_timestamp(begins), tag_of(begins))
    except (TypeError, ValueError, OverflowError, OSError):
        message = "the key that says when the memory begins holds something else"
        raise RedisCallError(message, code="ERR", may_have_run=True) from None
