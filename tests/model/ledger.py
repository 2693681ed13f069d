"""What processes do in the model, and the book that is kept of what they were told."""

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mintkey.errors import ReplayStoreError
from mintkey.replay import ClaimOutcome, RedisReplayStore
from mintkey.replay.redis_marks import RESERVED, SPENT, holder_of, is_held_by
from mintkey.testing import FakeClock

__all__ = ["CLOCK", "TOKEN", "Ledger", "Program", "redeem", "redeem_in_vain", "revoke", "spend", "spend_twice"]

TOKEN = "the-token"
CLOCK = FakeClock()
_ISSUED_AT = CLOCK.now()
_EXPIRES_AT = _ISSUED_AT + timedelta(minutes=10)
_LEASE = timedelta(seconds=30)


@dataclass
class Ledger:
    """Who was granted what, and what was executed so far. Its methods are the invariants.

    Attributes:
        written: Every value of the mark that anybody could be told of: see `write`.
        grants: Owners for whom the token was spent, as they were told.
        reservations: Owners for whom it was reserved, as they were told.
        is_revoked: A revocation returned.
        was_forgetful: The server lost something.
    """

    written: set[bytes] = field(default_factory=set)
    grants: set[str] = field(default_factory=set)
    reservations: set[str] = field(default_factory=set)
    is_revoked: bool = False
    was_forgetful: bool = False

    def state(self) -> Hashable:
        """All of it."""
        owners = frozenset(self.grants), frozenset(self.reservations)
        return frozenset(self.written), owners, self.is_revoked, self.was_forgetful

    def write(self, value: bytes, *, remembers: bool) -> None:
        """The mark was written.

        A server that lost its memory lets nobody in: a claim that does not know it yet writes a mark which is worth
        nothing, and who comes after it is not to be told of a use.
        """
        if remembers or value == b"x" or any(is_held_by(value, holder_of(owner)) for owner in self.reservations):
            self.written.add(value)

    def grant(self, owner: str) -> None:
        """The token was spent for an owner."""
        self.grants.add(owner)
        assert len(self.grants) == 1, f"granted to {sorted(self.grants)}"

    def refuse(self, owner: str, outcome: ClaimOutcome, *, revoked_before: bool) -> None:
        """An owner was told that the token is not for him: there has to be a reason."""
        assert owner not in self.grants or outcome is ClaimOutcome.REVOKED or self.was_forgetful, (
            f"refused as {outcome.value} to whom it was granted"
        )
        match outcome:
            case ClaimOutcome.SPENT | ClaimOutcome.RESERVED:
                # One who reserves it in order to spend it is on his way to a use: either is somebody else's doing.
                others = {value for value in self.written if not is_held_by(value, holder_of(owner)) and value != b"x"}
                kinds = {SPENT} if outcome is ClaimOutcome.SPENT else {RESERVED}
                assert {value[:1] for value in others} >= kinds, f"a first use was called {outcome.value}"
            case ClaimOutcome.REVOKED:
                assert b"x" in self.written, "called revoked, and nobody revoked it"
            case _:
                assert self.was_forgetful, "called unprovable, and nothing was forgotten"
        assert not revoked_before or outcome in {ClaimOutcome.REVOKED, ClaimOutcome.UNPROVABLE}, (
            f"called {outcome.value} after it was revoked"
        )


Program = Callable[[RedisReplayStore, str, Ledger], Coroutine[Any, Any, None]]


async def spend(store: RedisReplayStore, owner: str, ledger: Ledger) -> None:
    """What `verify` does."""
    revoked_before = ledger.is_revoked
    try:
        outcome = await store.claim(TOKEN, owner=owner, issued_at=_ISSUED_AT, expires_at=_EXPIRES_AT)
    except ReplayStoreError:
        return
    if outcome is ClaimOutcome.ACCEPTED:
        assert not revoked_before, "granted after it was revoked"
        ledger.grant(owner)
    else:
        ledger.refuse(owner, outcome, revoked_before=revoked_before)


async def spend_twice(store: RedisReplayStore, owner: str, ledger: Ledger) -> None:
    """The same owner asks again, whatever he was told."""
    await spend(store, owner, ledger)
    await spend(store, owner, ledger)


async def redeem(store: RedisReplayStore, owner: str, ledger: Ledger) -> None:
    """What `redeem` does around a block that succeeds."""
    if await _reserve(store, owner, ledger):
        try:
            done = await store.commit(TOKEN, owner=owner, expires_at=_EXPIRES_AT)
        except ReplayStoreError:
            return
        if done:
            ledger.grant(owner)


async def redeem_in_vain(store: RedisReplayStore, owner: str, ledger: Ledger) -> None:
    """What `redeem` does around a block that raises."""
    if await _reserve(store, owner, ledger):
        try:
            given_back = await store.release(TOKEN, owner=owner)
        except ReplayStoreError:
            return
        assert not (given_back and owner in ledger.grants), "given back after it was spent"


async def _reserve(store: RedisReplayStore, owner: str, ledger: Ledger) -> bool:
    revoked_before = ledger.is_revoked
    try:
        outcome = await store.claim(TOKEN, owner=owner, issued_at=_ISSUED_AT, expires_at=_EXPIRES_AT, lease=_LEASE)
    except ReplayStoreError:
        return False
    if outcome is ClaimOutcome.ACCEPTED:
        assert not revoked_before, "reserved after it was revoked"
        ledger.reservations.add(owner)
        return True
    ledger.refuse(owner, outcome, revoked_before=revoked_before)
    return False


async def revoke(store: RedisReplayStore, owner: str, ledger: Ledger) -> None:
    """What `revoke` does."""
    try:
        await store.revoke(TOKEN, expires_at=_EXPIRES_AT)
    except ReplayStoreError:
        return
    ledger.is_revoked = True
