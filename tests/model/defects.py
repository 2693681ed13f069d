"""Servers and stores with one thing wrong each: what the search has to find."""

from datetime import datetime, timedelta

from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply
from mintkey.replay import ClaimOutcome, ClaimStatus, RedisReplayStore
from mintkey.replay.redis_errors import public_error
from mintkey.replay.redis_marks import RESERVED, SPENT, holder_of, outcome_of, pack_claim, status_of
from tests.model.redis import Command, Server

__all__ = [
    "AsksOnce",
    "BelievesEveryMark",
    "CommitsOverAnything",
    "NeedsNoReplica",
    "OverwritesOnClaim",
    "ReleasesAnything",
    "RevokesOnlyWhatIsThere",
    "TrustsAnEmptyServer",
    "TrustsSetNX",
    "WritesForWhatIsOld",
]


class OverwritesOnClaim(Server):
    """A claim does not mind who was there before."""

    def execute(self, command: Command) -> Reply:
        if command[0] == b"SET":
            self.data.pop(command[1], None)
        return super().execute(command)


class CommitsOverAnything(Server):
    """A commit does not look whose reservation it is."""

    def commit(self, key: bytes, holder: bytes, tag: bytes, life: bytes) -> Reply:
        self.data.pop(key, None)
        return super().commit(key, holder, tag, life)


class ReleasesAnything(Server):
    """A release does not look at what it removes."""

    def take_back(self, key: bytes, _begin: bytes) -> Reply:
        return 1 if self.data.pop(key, None) else -1


class RevokesOnlyWhatIsThere(Server):
    """A revocation leaves no mark where none was."""

    def revoke(self, key: bytes, life: bytes) -> None:
        if key in self.data:
            super().revoke(key, life)


class _Claims(RedisReplayStore):
    """A claim, with what follows from its answer left to a defect."""

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        bucket, mark = self._keys.mark(key)
        value = (SPENT if lease is None else RESERVED) + holder_of(owner) + self._fence.tag(bucket)
        claim = Call(pack_claim(mark, value, 1000), 2, bucket.epoch, self._client.pulse(bucket))
        try:
            claim = await self._link.answer(bucket.number, claim)
            created, held = claim.replies
            return self.decide(value, created, held, claim.read)
        except RedisCallError as error:
            raise public_error(error) from error

    def decide(self, value: bytes, created: Reply, held: Reply, epoch: Reply) -> ClaimOutcome:
        raise NotImplementedError


class TrustsSetNX(_Claims):
    """`SET NX` alone decides: whose mark it is nobody asks."""

    def decide(self, value: bytes, created: Reply, held: Reply, epoch: Reply) -> ClaimOutcome:
        return ClaimOutcome.ACCEPTED if created else ClaimOutcome.SPENT


class AsksOnce(_Claims):
    """A reservation that ends between the two commands is taken for lost memory."""

    def decide(self, value: bytes, created: Reply, held: Reply, epoch: Reply) -> ClaimOutcome:
        if held is None:
            return ClaimOutcome.UNPROVABLE
        return ClaimOutcome.ACCEPTED if held == value else outcome_of(held)


class TrustsAnEmptyServer(_Claims):
    """Nobody asks since when the server remembers."""

    def decide(self, value: bytes, created: Reply, held: Reply, epoch: Reply) -> ClaimOutcome:
        return ClaimOutcome.ACCEPTED if held in {value, None} else outcome_of(held)


class NeedsNoReplica(_Claims):
    """A write counts although no replica has heard of it."""

    def decide(self, value: bytes, created: Reply, held: Reply, epoch: Reply) -> ClaimOutcome:
        if epoch is None or held is None:
            return ClaimOutcome.UNPROVABLE
        return ClaimOutcome.ACCEPTED if held == value else outcome_of(held)


class BelievesEveryMark(RedisReplayStore):
    """A mark is a use, whatever memory it was written into."""

    async def _status(self, bucket: Bucket, held: Reply, call: Call, issued_at: datetime) -> ClaimStatus:
        return await super()._status(bucket, held, call, issued_at) if held is None else status_of(held)


class WritesForWhatIsOld(RedisReplayStore):
    """A claim writes although it is known that the server does not remember the time of the token."""

    async def _look_at(self, bucket: Bucket, mark: bytes, issued_at: datetime) -> tuple[ClaimStatus, float]:
        return ClaimStatus.UNUSED, 0.0
