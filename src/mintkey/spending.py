"""From a checked token to the replay store and back: names in, words out, errors raised."""

from datetime import datetime, timedelta
from typing import Any

from mintkey.claims.registered import RegisteredClaims
from mintkey.clock import from_timestamp
from mintkey.errors import (
    MintkeyError,
    Reason,
    ReplayStoreError,
    TokenReplayedError,
    TokenRevokedError,
    UnsupportedOperationError,
)
from mintkey.purpose import Purpose, PurposeTable
from mintkey.replay.base import ClaimOutcome, ClaimStatus, JointLookStore, ReplayStore, RevocationStore
from mintkey.replay.marks import MarkNamer, subject_name

__all__ = ["Mark", "Spender"]


Mark = tuple[str, datetime, datetime]
"""The mark of one token: its name in the store, when the token was issued, and until when it could be accepted."""


class Spender:
    """A replay store as verification uses it: every refusal is the error of its kind."""

    def __init__(self, store: ReplayStore, *, issuer: str) -> None:
        self._store = store
        self._cut_offs = store if isinstance(store, RevocationStore) else None
        self._looks = store if isinstance(store, JointLookStore) else None
        self._issuer = issuer
        self._namers: PurposeTable[MarkNamer] = PurposeTable(lambda purpose: MarkNamer(issuer, purpose.name))

    def mark(self, claims: RegisteredClaims, purpose: Purpose[Any]) -> Mark:
        """The mark of a token of this issuer."""
        _, _, _, token_id, issued_at, _, expires_at, _ = claims
        namer = self._namers.find(id(purpose)) or self._namers.add(purpose)
        # Not exp: a token that is accepted within the leeway must still be remembered.
        until = expires_at + purpose.rules.leeway
        return namer.name(token_id), from_timestamp(issued_at), from_timestamp(until)

    def mark_name(self, token_id: str, purpose: Purpose[Any]) -> str:
        """The name of the mark of the token that has this id."""
        return self._namers[purpose].name(token_id)

    async def look(self, claims: RegisteredClaims, purpose: Purpose[Any]) -> None:
        """Refuse a token that was spent or revoked, changing nothing; a reservation does not matter.

        Token and subject share one round trip where the store can do that.

        Raises:
            TokenReplayedError: Spent (`replayed`), or nobody can know (`replay_unprovable`).
            TokenRevokedError: It, or everything of its subject, was revoked (`revoked`).
            ReplayStoreError: The store cannot answer (`replay_unavailable`).
        """
        name, issued_at, _ = self.mark(claims, purpose)
        subject = claims[1]
        if self._looks is not None and purpose.revocable and subject is not None:
            cut_off = subject_name(self._issuer, purpose.name, subject)
            status, before = await self._looks.look(name, cut_off, issued_at=issued_at)
            _check_cut_off(claims, before)
        else:
            if purpose.revocable:
                await self._check_subject(claims, purpose)
            status = await self._store.status(name, issued_at=issued_at)
        if status not in _HARMLESS:
            raise _refusal(status)

    async def claim(
        self, claims: RegisteredClaims, purpose: Purpose[Any], *, owner: str, lease: timedelta | None = None
    ) -> Mark:
        """Spend a token, or reserve it for the lease; its mark.

        Raises:
            TokenReplayedError: Spent before (`replayed`), or nobody can know (`replay_unprovable`).
            TokenRevokedError: It, or everything of its subject, was revoked (`revoked`).
            ReplayStoreError: Reserved by somebody else (`token_reserved`), or the store cannot answer
                (`replay_unavailable`, `replay_outcome_unknown`).
        """
        if purpose.revocable:  # first, and a round trip of its own: a token that is refused is not spent
            await self._check_subject(claims, purpose)
        mark = name, issued_at, expires_at = self.mark(claims, purpose)
        outcome = await self._store.claim(name, owner=owner, issued_at=issued_at, expires_at=expires_at, lease=lease)
        if outcome is not _ACCEPTED:
            raise _refusal(outcome)
        return mark

    async def commit(self, mark: Mark, *, owner: str) -> None:
        """Turn a reservation into a spent mark.

        Raises:
            TokenReplayedError: The lease ran out and somebody else took the token (`replayed`), or the store lost its
                memory meanwhile (`replay_unprovable`).
            TokenRevokedError: It was revoked meanwhile (`revoked`).
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        name, issued_at, expires_at = mark
        if not await self._store.commit(name, owner=owner, expires_at=expires_at):
            # A replay is an alarm: none is told of what was merely revoked, or of what the store knows nothing about.
            status = await self._store.status(name, issued_at=issued_at)
            if status in _NO_REPLAY:
                raise _refusal(status)
            raise TokenReplayedError("the lease ran out before the block ended, and somebody else took the token")

    async def release(self, mark: Mark, *, owner: str) -> None:
        """Give a reservation back."""
        await self._store.release(mark[0], owner=owner)

    async def revoke(self, name: str, *, expires_at: datetime) -> None:
        """Revoke a token by the name of its mark."""
        await self._store.revoke(name, expires_at=expires_at)

    async def cut_off(self, subject: str, purpose: Purpose[Any], *, before: datetime) -> None:
        """Refuse everything of a subject that was issued before an instant.

        Raises:
            UnsupportedOperationError: The store keeps no cut-offs (`unsupported`).
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        if self._cut_offs is None:
            raise UnsupportedOperationError(f"{type(self._store).__name__} keeps no cut-offs per subject")
        await self._cut_offs.cut_off(
            subject_name(self._issuer, purpose.name, subject),
            before=before,
            expires_at=before + purpose.lifetime + purpose.leeway,
        )

    async def _check_subject(self, claims: RegisteredClaims, purpose: Purpose[Any]) -> None:
        subject = claims[1]
        if subject is not None and self._cut_offs is not None:
            cut_off = subject_name(self._issuer, purpose.name, subject)
            _check_cut_off(claims, await self._cut_offs.cut_off_before(cut_off))


def _check_cut_off(claims: RegisteredClaims, before: datetime | None) -> None:
    issued_at = claims[4]
    if before is not None and issued_at < before.timestamp():
        raise TokenRevokedError("everything of the token's subject was revoked")


_ACCEPTED = ClaimOutcome.ACCEPTED
_HARMLESS = frozenset({ClaimStatus.UNUSED, ClaimStatus.RESERVED})
_NO_REPLAY = frozenset({ClaimStatus.REVOKED, ClaimStatus.UNPROVABLE})


def _refusal(word: ClaimOutcome | ClaimStatus) -> MintkeyError:
    match word.value:
        case "spent":
            return TokenReplayedError("the token was spent before")
        case "revoked":
            return TokenRevokedError("the token was revoked")
        case "reserved":
            return ReplayStoreError("somebody else is spending the token right now", reason=Reason.TOKEN_RESERVED)
        case _:
            return TokenReplayedError(
                "the token is older than the store's memory, so nobody can know whether it was spent",
                reason=Reason.REPLAY_UNPROVABLE,
            )
