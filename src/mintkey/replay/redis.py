"""Single use across processes, in Redis.

A claim is one round trip of three commands, shared by everybody who claims in the same turn of the loop:

```
SET mark owner NX PX life        written if nobody was here before
GET mark                         whose it is: granted if, and only if, this is our own owner
GET epoch                        since when the server remembers
```

`SET … NX` alone cannot tell a replay from a first use whose answer was lost on the way; the owner can. So every call
here may be sent again, on another connection, until its deadline.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from types import TracebackType

from redis.asyncio import Redis, RedisCluster

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.errors import Reason, ReplayStoreError
from mintkey.health import Check
from mintkey.lifecycle import Resource
from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Argument, Reply, pack
from mintkey.redis.scripts import Script
from mintkey.replay.base import ClaimOutcome, ClaimStatus, StoredFamily
from mintkey.replay.marks import life, microseconds
from mintkey.replay.redis_fence import RedisFence
from mintkey.replay.redis_keys import Keys
from mintkey.replay.redis_scripts import COMMIT, CUT_OFF, REVOKE, SWAP, TAKE_BACK

__all__ = ["RedisReplayStore"]

_SPENT, _RESERVED, _REVOKED = b"s", b"r", b"x"
_OUTCOMES = {_SPENT: ClaimOutcome.SPENT, _RESERVED: ClaimOutcome.RESERVED, _REVOKED: ClaimOutcome.REVOKED}
_STATUSES = {_SPENT: ClaimStatus.SPENT, _RESERVED: ClaimStatus.RESERVED, _REVOKED: ClaimStatus.REVOKED}
_CLAIM = b"".join(
    [
        b"*6\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$2\r\nNX\r\n$2\r\nPX\r\n$%d\r\n%b\r\n",
        b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n",
    ]
)


class _PublicErrors(AbstractContextManager[None]):
    """Internal errors become public ones at this edge; in doubt the outcome is unknown.

    Args:
        nothing_written: The block only looks, so no outcome is in doubt.
    """

    def __init__(self, *, nothing_written: bool = False) -> None:
        self._nothing_written = nothing_written

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if isinstance(exc, RedisCallError):
            in_doubt = exc.may_have_run and not self._nothing_written
            reason = Reason.REPLAY_OUTCOME_UNKNOWN if in_doubt else Reason.REPLAY_UNAVAILABLE
            raise ReplayStoreError(f"the replay store: {exc}", reason=reason, details={"code": exc.code}) from exc


_PUBLIC_ERRORS, _PUBLIC_ERRORS_OF_LOOKING = _PublicErrors(), _PublicErrors(nothing_written=True)


class RedisReplayStore(Resource):
    """A `ReplayStore`, `RevocationStore` and `FamilyStore` on a Redis or Valkey server, Sentinel or a cluster.

    Exactly one of any number of concurrent claims is granted, through lost replies, retries, fail-overs and outages; in
    doubt none is. Concurrent calls share round trips. The server has to keep what it is told: `maxmemory-policy
    noeviction`, which is checked at the first connection, and persistence or `replicas` if a restart should not make
    the tokens of the minutes before it unprovable.

    A client that you pass in tells how to connect. It is never used otherwise, and never closed. The store may be used
    from several event loops; each has its own few connections and closes them.

    Args:
        redis_or_url: A `redis.asyncio.Redis`, also one of `Sentinel.master_for`, a `redis.asyncio.RedisCluster`, or a
            URL: `redis://…`, `rediss://…`, `unix://…`, `redis+cluster://host:port,host:port`,
            `redis+sentinel://host:port,host:port/service`.
        prefix: The beginning of every key, 1 to 32 characters of `[A-Za-z0-9._:-]`.
        timeout: How long a call may take with all its retries; then it fails, closed.
        fence: Refuse tokens issued before the server's memory begins. Without it, a server that lost its memory lets
            every token that is still valid be used once more.
        replicas: How many replicas must confirm each write (`WAIT`) before it counts. 0: none is asked.
        clock: Where time comes from; by default the machine's.

    Raises:
        ConfigurationError: An argument is wrong (`configuration`).

    Example:
        Two servers of one application, one token:

            async with RedisReplayStore("redis://localhost") as store:
                outcome = await store.claim(name, owner=new_id(), issued_at=issued_at, expires_at=expires_at)
    """

    def __init__(
        self,
        redis_or_url: Redis | RedisCluster | str,
        *,
        prefix: str = "mk",
        timeout: timedelta = timedelta(seconds=2),
        fence: bool = True,
        replicas: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._client = Client(redis_or_url, prefix=prefix, timeout=timeout, replicas=replicas)
        self._link = self._client.link
        self._keys = Keys(prefix)
        self._fence = RedisFence(self._client, self._keys, self._clock, enabled=fence)

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once; see `ReplayStore.claim`.

        Raises:
            ReplayStoreError: The server cannot be asked (`replay_unavailable`), or it may have heard us but its answer
                did not arrive (`replay_outcome_unknown`). Nobody got in.
        """
        bucket, mark = self._keys.mark(key)
        holder = owner.encode()
        if lease is None:
            value, life_ms = _SPENT + holder, self._milliseconds(expires_at)
        else:
            value, life_ms = _RESERVED + holder, _as_milliseconds(lease.total_seconds())
        claim = Call(_pack_claim(mark, value, life_ms), 2, self._fence.key_to_read(bucket), self._client.pulse(bucket))
        with _PUBLIC_ERRORS:
            created, held = (claim := await self._send(bucket, claim)).replies
            if held not in (value, None, _SPENT + holder, _RESERVED + holder):
                return _OUTCOMES[_state_of(held)]
            # Ours, or nothing at all: a mark that vanished at once is no proof either.
            if held is None or not await self._fence.proves(issued_at, claim.read):
                await self._forget(bucket, mark, value, created=created)
                return ClaimOutcome.UNPROVABLE
            self._client.require_replicas(claim)
            if held != value and lease is None:
                return await self._spend_own(bucket, mark, holder, life_ms)
        return ClaimOutcome.ACCEPTED

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; see `ReplayStore.commit`. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with _PUBLIC_ERRORS:
            outcome = await self._spend_own(bucket, mark, owner.encode(), self._milliseconds(expires_at))
        return outcome is ClaimOutcome.ACCEPTED

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; see `ReplayStore.release`. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with _PUBLIC_ERRORS:
            call = await self._run(TAKE_BACK, bucket, mark, _RESERVED + owner.encode())
        # Nothing there, and an earlier attempt went unanswered: that one took it.
        return call.replies == [1] or (call.replies == [-1] and call.in_doubt)

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, for no shorter than it was remembered already. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with _PUBLIC_ERRORS:
            await self._run(REVOKE, bucket, mark, self._milliseconds(expires_at))

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with _PUBLIC_ERRORS_OF_LOOKING:
            call = await self._send(bucket, Call(pack("GET", mark), 1, self._fence.key_to_read(bucket)))
            (held,) = call.replies
            if held is not None:
                return _STATUSES[_state_of(held)]
            provable = await self._fence.proves(issued_at, call.read)
        return ClaimStatus.UNUSED if provable else ClaimStatus.UNPROVABLE

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse what was issued before an instant; see `RevocationStore.cut_off`. Raises as `claim` does."""
        bucket, name = self._keys.cut_off(key)
        moment = f"{max(0, microseconds(before)):018d}"
        with _PUBLIC_ERRORS:
            await self._run(CUT_OFF, bucket, name, moment, self._milliseconds(expires_at))

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one. Raises as `claim` does."""
        bucket, name = self._keys.cut_off(key)
        with _PUBLIC_ERRORS_OF_LOOKING:
            call = await self._send(bucket, Call(pack("GET", name), 1))
            (held,) = call.replies
            return None if held is None else from_timestamp(0) + timedelta(microseconds=_integer(held))

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is; see `FamilyStore.family`. Raises as `claim` does."""
        bucket, name = self._keys.family(key)
        with _PUBLIC_ERRORS_OF_LOOKING:
            call = await self._send(bucket, Call(pack("GET", name), 1, self._fence.key_to_read(bucket)))
            (held,) = call.replies
            provable = await self._fence.proves(issued_at, call.read)
        return StoredFamily(held if isinstance(held, bytes) else None, provable)

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; see `FamilyStore.swap_family`.

        Raises as `claim` does.
        """
        bucket, name = self._keys.family(key)
        wanted = b"" if expected is None else b"+" + expected
        with _PUBLIC_ERRORS:
            call = await self._run(SWAP, bucket, name, wanted, document, self._milliseconds(expires_at))
        return call.replies == [1]

    async def checks(self) -> Mapping[str, Check]:
        """What the servers say of themselves: `eviction` and `role`. Never raises an error.

        `eviction`: the `maxmemory-policy`, fine if it is `noeviction`, and the part of the memory that is in use (0 if
        there is no limit). `role`: fine if it is `master`, and how many replicas follow. Both may be `unknown`.
        """
        return await self._client.checks()

    async def aclose(self) -> None:
        """Take one opening back; the last one closes. Connections of this event loop that are idle go at once."""
        await super().aclose()
        await self._link.drop_idle()

    async def _open(self) -> None:
        with _PUBLIC_ERRORS_OF_LOOKING:
            await self._fence.open()

    async def _close(self) -> None:
        self._fence.close()
        await self._link.aclose()

    # How the calls above talk to the server

    async def _send(self, bucket: Bucket, call: Call) -> Call:
        """The answered call, none of whose replies is an error."""
        if not self._fence.is_open:
            await self._fence.open()
        # Not by way of the client: every claim comes by here, and each step costs.
        call = await self._link.answer(bucket.number, call)
        call.raise_error_reply()
        return call

    async def _run(self, script: Script, bucket: Bucket, key: bytes, *arguments: Argument) -> Call:
        """The answered call of a script, confirmed by the replicas."""
        if not self._fence.is_open:
            await self._fence.open()
        return await self._client.run(script, bucket, key, *arguments)

    async def _spend_own(self, bucket: Bucket, mark: bytes, holder: bytes, life_ms: int) -> ClaimOutcome:
        """Spend what this owner reserved, or what nobody holds any more; else who has it."""
        (reply,) = (await self._run(COMMIT, bucket, mark, holder, life_ms)).replies
        return ClaimOutcome.ACCEPTED if reply == 1 else _OUTCOMES[_state_of(reply)]

    async def _forget(self, bucket: Bucket, mark: bytes, value: bytes, *, created: Reply) -> None:
        """Take back the mark of a claim that was not granted: the next one must not be told of a use."""
        if created is not None:
            with suppress(RedisCallError):  # refused either way
                await self._run(TAKE_BACK, bucket, mark, value)

    def _milliseconds(self, expires_at: datetime) -> int:
        return _as_milliseconds(life(expires_at, self._clock.time()))


def _pack_claim(mark: bytes, value: bytes, life_ms: int) -> bytes:
    """`SET mark value NX PX life` and `GET mark`, packed by hand: of all that a claim does, packing costs most.

    Example:
        >>> by_hand = _pack_claim(b"mark", b"sowner", 1000)
        >>> by_hand == pack("SET", b"mark", b"sowner", "NX", "PX", 1000) + pack("GET", b"mark")
        True
    """
    digits = b"%d" % life_ms
    return _CLAIM % (len(mark), mark, len(value), value, len(digits), digits, len(mark), mark)


def _as_milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _state_of(held: Reply) -> bytes:
    """What a mark's value says."""
    state = held[:1] if isinstance(held, bytes) else b""
    if state not in _OUTCOMES:
        raise RedisCallError("a mark holds something that is not ours", code="ERR", may_have_run=True)
    return state


def _integer(held: Reply) -> int:
    try:
        return int(held)  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError):
        raise RedisCallError("a cut-off holds something that is not ours", code="ERR", may_have_run=False) from None
