"""Single use across processes, in Redis.

A claim is one round trip of three commands, shared by everybody who claims in the same turn of the loop:

```
SET mark owner NX PX life        written if nobody was here before
GET mark                         whose it is: granted if, and only if, this is our own owner
GET epoch                        since when the server remembers
```

`SET … NX` alone cannot tell a replay from a first use whose answer was lost on the way; the owner can. So every call
here may be sent again, on another connection, until its deadline.

A token from before the time that the server is known to remember is looked for first, and nothing is written for it.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from redis.asyncio import Redis, RedisCluster

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.health import Check
from mintkey.lifecycle import Resource
from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Argument, Reply, pack
from mintkey.redis.scripts import Script
from mintkey.replay.base import ClaimOutcome, ClaimStatus, Look, StoredFamily
from mintkey.replay.marks import life, microseconds
from mintkey.replay.redis_errors import PUBLIC_ERRORS, PUBLIC_ERRORS_OF_LOOKING, public_error
from mintkey.replay.redis_fence import RedisFence
from mintkey.replay.redis_keys import Keys
from mintkey.replay.redis_marks import RESERVED, SPENT, holder_of, is_held_by, outcome_of, pack_claim, status_of
from mintkey.replay.redis_scripts import COMMIT, CUT_OFF, REVOKE, SWAP, TAKE_BACK

__all__ = ["RedisReplayStore"]


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
        ```python
        replay = RedisReplayStore("redis://localhost")
        async with TokenService(issuer="https://myapp.example", keys=keys, replay=replay) as tokens:
            used = await tokens.verify(token, LOGIN)  # once, however many servers share this Redis
        ```
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
        holder, fence, deadline = holder_of(owner), self._fence, 0.0
        if lease is None:
            kind, life_ms = SPENT, self._milliseconds(expires_at)
        else:
            kind, life_ms = RESERVED, max(1, int(lease.total_seconds() * 1000))
        try:
            if not fence.is_open:
                await fence.open()
            if not fence.reached(bucket, issued_at):
                with PUBLIC_ERRORS_OF_LOOKING:  # nothing was written
                    status, deadline = await self._look_at(bucket, mark, issued_at)
                if status is not ClaimStatus.UNUSED:
                    return ClaimOutcome(status)
            value = kind + holder + fence.tag(bucket)
            claim = Call(pack_claim(mark, value, life_ms), 2, fence.key_to_read(bucket), self._client.pulse(bucket))
            claim.deadline = deadline
            # Not by way of the client: every claim comes by here, and each step costs.
            claim = await self._link.answer(bucket.number, claim)
            claim.raise_error_reply()
            created, held = claim.replies
            while created is None and held is None and fence.reaches(bucket, issued_at, claim.read):
                # Somebody's reservation ended between the two commands. Nothing was forgotten, and nobody has it now.
                claim = await self._link.answer(bucket.number, claim.again())
                claim.raise_error_reply()
                created, held = claim.replies
            if held != value and held is not None and not is_held_by(held, holder):
                return ClaimOutcome(await self._status(bucket, held, claim, issued_at))
            # Ours, or nothing at all: a mark that vanished at once is no proof either.
            if held is None or not fence.reaches(bucket, issued_at, claim.read):
                return await self._withdrawn(bucket, mark, kind + holder, claim)
            self._client.require_replicas(claim)
            if held != value and lease is None:
                return await self._spend_own(bucket, mark, holder, life_ms, deadline=claim.deadline)
        except RedisCallError as error:
            raise public_error(error) from error
        return ClaimOutcome.ACCEPTED

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; see `ReplayStore.commit`. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with PUBLIC_ERRORS:
            outcome = await self._spend_own(bucket, mark, holder_of(owner), self._milliseconds(expires_at))
        return outcome is ClaimOutcome.ACCEPTED

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; see `ReplayStore.release`. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with PUBLIC_ERRORS:
            call = await self._run(TAKE_BACK, bucket, mark, RESERVED + holder_of(owner))
        # Nothing there, and an earlier attempt went unanswered: that one took it.
        return call.replies == [1] or (call.replies == [-1] and call.in_doubt)

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, for no shorter than it was remembered already. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with PUBLIC_ERRORS:
            await self._run(REVOKE, bucket, mark, self._milliseconds(expires_at))

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming. Raises as `claim` does."""
        bucket, mark = self._keys.mark(key)
        with PUBLIC_ERRORS_OF_LOOKING:
            status, _ = await self._look_at(bucket, mark, issued_at)
        return status

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse what was issued before an instant; see `RevocationStore.cut_off`. Raises as `claim` does."""
        bucket, name = self._keys.cut_off(key)
        moment = f"{max(0, microseconds(before)):018d}"
        with PUBLIC_ERRORS:
            await self._run(CUT_OFF, bucket, name, moment, self._milliseconds(expires_at))

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one. Raises as `claim` does."""
        bucket, name = self._keys.cut_off(key)
        with PUBLIC_ERRORS_OF_LOOKING:
            return _moment(await self._send(bucket, Call(pack("GET", name), 1)))

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        """A token and its subject at once; see `JointLookStore.look`. Raises as `claim` does.

        Two calls, because they may have two nodes of a cluster; those to one node share their round trip.
        """
        (bucket, mark), (other, name) = self._keys.mark(key), self._keys.cut_off(cut_off)
        with PUBLIC_ERRORS_OF_LOOKING:
            if not self._fence.is_open:
                await self._fence.open()
            of_token = Call(pack("GET", mark), 1, self._fence.key_to_read(bucket))
            of_subject = Call(pack("GET", name), 1)
            asked = (bucket.number, of_token), (other.number, of_subject)
            of_token, of_subject = await self._client.answers(asked)
            of_token.raise_error_reply()
            of_subject.raise_error_reply()
            (held,) = of_token.replies
            return Look(await self._status(bucket, held, of_token, issued_at), _moment(of_subject))

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is; see `FamilyStore.family`. Raises as `claim` does."""
        bucket, name = self._keys.family(key)
        with PUBLIC_ERRORS_OF_LOOKING:
            call = await self._send(bucket, Call(pack("GET", name), 1, self._fence.key_to_read(bucket)))
            (held,) = call.replies
            provable = await self._fence.is_provable(bucket, issued_at, call.read, deadline=call.deadline)
        return StoredFamily(held if isinstance(held, bytes) else None, provable)

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; see `FamilyStore.swap_family`.

        Raises as `claim` does.
        """
        bucket, name = self._keys.family(key)
        wanted = b"" if expected is None else b"+" + expected
        with PUBLIC_ERRORS:
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
        with PUBLIC_ERRORS_OF_LOOKING:
            await self._fence.open()

    async def _close(self) -> None:
        self._fence.close()
        await self._link.aclose()

    # How the calls above talk to the server

    async def _look_at(self, bucket: Bucket, mark: bytes, issued_at: datetime) -> tuple[ClaimStatus, float]:
        """What a look at a mark shows, and the deadline of a call that goes on from there."""
        call = await self._send(bucket, Call(pack("GET", mark), 1, self._fence.key_to_read(bucket)))
        (held,) = call.replies
        return await self._status(bucket, held, call, issued_at), call.deadline

    async def _status(self, bucket: Bucket, held: Reply, call: Call, issued_at: datetime) -> ClaimStatus:
        """What somebody else's mark means, or none, to who read the beginning of memory behind it."""
        if held is not None:
            status = status_of(held)
            if self._fence.proves(bucket, issued_at, held, call.read):
                return status
        is_provable = await self._fence.is_provable(bucket, issued_at, call.read, deadline=call.deadline)
        return ClaimStatus.UNUSED if is_provable else ClaimStatus.UNPROVABLE

    async def _send(self, bucket: Bucket, call: Call) -> Call:
        """The answered call, none of whose replies is an error."""
        if not self._fence.is_open:
            await self._fence.open()
        return await self._client.send(bucket, call)

    async def _run(
        self, script: Script, bucket: Bucket, key: bytes, *arguments: Argument, deadline: float = 0.0
    ) -> Call:
        """The answered call of a script, confirmed by the replicas."""
        if not self._fence.is_open:
            await self._fence.open()
        return await self._client.run(script, bucket, key, *arguments, deadline=deadline)

    async def _spend_own(
        self, bucket: Bucket, mark: bytes, holder: bytes, life_ms: int, *, deadline: float = 0.0
    ) -> ClaimOutcome:
        """Spend what this owner reserved, or what nobody holds any more; else who has it."""
        if not self._fence.is_open:
            await self._fence.open()
        call = await self._run(COMMIT, bucket, mark, holder, self._fence.tag(bucket), life_ms, deadline=deadline)
        (reply,) = call.replies
        return ClaimOutcome.ACCEPTED if reply == 1 else outcome_of(reply)

    async def _withdrawn(self, bucket: Bucket, mark: bytes, begin: bytes, claim: Call) -> ClaimOutcome:
        """The outcome of a claim that proves nothing, whose mark, if there is one, is taken back by how it begins."""
        if claim.replies[0] is not None or claim.in_doubt:
            with suppress(RedisCallError):  # refused either way, and its tag says that nobody was granted anything
                await self._run(TAKE_BACK, bucket, mark, begin, deadline=claim.deadline)
        await self._fence.mend(claim.read, deadline=claim.deadline)
        return ClaimOutcome.UNPROVABLE

    def _milliseconds(self, expires_at: datetime) -> int:
        return int(life(expires_at, self._clock.time()) * 1000)


def _moment(call: Call) -> datetime | None:
    """The instant in the answer to a `GET` of a cut-off."""
    (held,) = call.replies
    if held is None:
        return None
    try:
        micros = int(held)  # type: ignore[arg-type]  # anything else raises
        return from_timestamp(0) + timedelta(microseconds=micros)
    except (TypeError, ValueError, OverflowError):
        raise RedisCallError("a cut-off holds something that is not ours", code="ERR", may_have_run=False) from None
