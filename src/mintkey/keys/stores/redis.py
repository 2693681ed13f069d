"""A ring in Redis: one hash for everything about it."""

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import aclosing, contextmanager
from datetime import timedelta

from redis.asyncio import Redis, RedisCluster

from mintkey.errors import KeyProviderError
from mintkey.health import Check
from mintkey.keys.ports import StoredRing
from mintkey.lifecycle import Resource
from mintkey.redis.buckets import Bucket, Buckets
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.news import revisions
from mintkey.redis.rings import GIVE_BACK, RESERVE, SWAP, load_call, ring_of

__all__ = ["RedisKeyRingStore"]


class RedisKeyRingStore(Resource):
    """A `KeyRingStore` on a Redis or Valkey server, Sentinel or a cluster, that tells of changes at once.

    Args:
        redis_or_url: As for `RedisReplayStore`; a client that is passed in is never used itself, and never closed.
        prefix: The beginning of every key, 1 to 32 characters of `[A-Za-z0-9._:-]`.
        timeout: How long a call may take with all its retries.
        replicas: How many replicas must confirm each write (`WAIT`) before it counts. 0: none is asked.

    Raises:
        ConfigurationError: An argument is wrong (`configuration`).

    Example:
        >>> RedisKeyRingStore("redis://localhost", prefix="app")
        RedisKeyRingStore(prefix='app')
    """

    def __init__(
        self,
        redis_or_url: Redis | RedisCluster | str,
        *,
        prefix: str = "mk",
        timeout: timedelta = timedelta(seconds=2),
        replicas: int = 0,
    ) -> None:
        self._client = Client(redis_or_url, prefix=prefix, timeout=timeout, replicas=replicas)
        self._prefix, self._keys = prefix, Buckets(prefix)

    def __repr__(self) -> str:
        return f"RedisKeyRingStore(prefix={self._prefix!r})"

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is none. Raises `KeyProviderError` (`keys_unavailable`), as all of these do."""
        bucket, key = await self._place(ring)
        with _public_errors():
            return ring_of((await self._client.send(bucket, load_call(key))).replies)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened."""
        bucket, key = await self._place(ring)
        with _public_errors():
            call = await self._client.run(SWAP, bucket, key, expected, document, expected + 1)
        if call.replies == [0] and call.in_doubt:
            # Ours may have been written and replaced since. Keys that are in the ring must not be taken for unused.
            raise KeyProviderError("the answer of Redis was lost, and the ring has changed since")
        return call.replies == [1] or (call.replies == [2] and call.in_doubt)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, never beyond `limit` in all; how many were granted."""
        bucket, key = await self._place(ring)
        with _public_errors():
            (granted,) = (await self._client.run(RESERVE, bucket, key, kid, want, limit)).replies
        return granted if isinstance(granted, int) else 0

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        """Take back so many reserved mints, at most once; in doubt they are wasted."""
        bucket, key = await self._place(ring)
        with _public_errors():
            await self._client.run(GIVE_BACK, bucket, key, kid, count, at_most_once=True)

    async def watch(self, ring: str, /) -> AsyncIterator[int]:
        """Revisions as they appear, the present one first; until the connection is lost, which raises."""
        bucket, key = await self._place(ring)
        with _public_errors():
            async with aclosing(revisions(self._client, bucket, key)) as told:
                async for revision in told:
                    yield revision

    async def checks(self) -> Mapping[str, Check]:
        """What the servers say of themselves: `eviction` and `role`, as for `RedisReplayStore.checks`."""
        return await self._client.checks()

    async def _close(self) -> None:
        await self._client.aclose()

    async def _place(self, ring: str) -> tuple[Bucket, bytes]:
        """Where a ring is; a server that was not looked at yet is looked at first."""
        bucket, key = self._keys.key(ring, b"#")
        with _public_errors():
            await self._client.look_at(bucket)
        return bucket, key


@contextmanager
def _public_errors() -> Generator[None, None, None]:
    try:
        yield
    except RedisCallError as error:
        details = {"code": error.code, "may_have_happened": error.may_have_run}
        raise KeyProviderError(f"the key ring in Redis: {error}", details=details) from error
