"""The ports of the replay room: what a store promises, and the words it answers with."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = [
    "ClaimOutcome",
    "ClaimStatus",
    "FamilyStore",
    "JointLookStore",
    "Look",
    "ReplayStore",
    "RevocationStore",
    "StoredFamily",
]


class ClaimOutcome(StrEnum):
    """The answer to a claim.

    `accepted`: first use, or the same owner asking again. `spent`, `reserved`, `revoked`: by or for somebody else.
    `unprovable`: the token was issued before the store's memory begins, so nobody can say that it was not spent.

    Example:
        >>> ClaimOutcome("accepted") is ClaimOutcome.ACCEPTED
        True
    """

    ACCEPTED = "accepted"
    SPENT = "spent"
    RESERVED = "reserved"
    REVOKED = "revoked"
    UNPROVABLE = "unprovable"


class ClaimStatus(StrEnum):
    """What a look at a mark shows: `unused` where a claim would be accepted, else as `ClaimOutcome`.

    Example:
        >>> ClaimStatus("unused") is ClaimStatus.UNUSED
        True
    """

    UNUSED = "unused"
    RESERVED = "reserved"
    SPENT = "spent"
    REVOKED = "revoked"
    UNPROVABLE = "unprovable"


class ReplayStore(Protocol):
    """Remembers what was spent, reserved or revoked. One atomic decision a claim; in doubt nobody gets in.

    Keys are short opaque names made by `mintkey.replay.marks`. Instants are aware datetimes. A store that cannot answer
    raises `ReplayStoreError`: `replay_unavailable` if nothing can have happened, `replay_outcome_unknown` if a write
    may have happened.

    Example:
        ```python
        store: ReplayStore = MemoryReplayStore()
        times = {"issued_at": now, "expires_at": now + timedelta(minutes=10)}
        first = await store.claim("a-mark", owner="one", **times)
        second = await store.claim("a-mark", owner="another", **times)
        assert (first, second) == (ClaimOutcome.ACCEPTED, ClaimOutcome.SPENT)
        ```
    """

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once.

        Args:
            key: The mark's name.
            owner: 128 random bits drawn once per logical call and kept over its retries.
            issued_at: When the token was issued; before the store's memory begins means `unprovable`.
            expires_at: The last moment at which the token could still be accepted; the store adds its own margin.
            lease: Reserve for so long instead of spending; `commit` and `release` settle it.
        """
        ...

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; False if the key belongs to somebody else by now.

        A reservation that ran out and that nobody took since is still this owner's to commit.
        """
        ...

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; whether there was one."""
        ...

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, whatever it was before."""
        ...

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; closing twice does nothing."""
        ...


@runtime_checkable
class RevocationStore(Protocol):
    """A capability of its own: cut-offs per subject.

    Example:
        >>> from mintkey.replay import MemoryReplayStore
        >>> isinstance(MemoryReplayStore(), RevocationStore)
        True
    """

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse everything under this key that was issued before an instant; a later cut-off wins, never an earlier.

        Args:
            key: The name of the cut-off.
            before: Tokens issued before it are refused.
            expires_at: From when on no such token can be accepted anyway, so that the cut-off may be forgotten.
        """
        ...

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one."""
        ...


class Look(NamedTuple):
    """What one look at a token and its subject shows.

    Attributes:
        status: What a claim of the token would meet.
        cut_off_before: The cut-off of the subject, if there is one.

    Example:
        >>> status, cut_off_before = Look(ClaimStatus.UNUSED, None)
        >>> status
        <ClaimStatus.UNUSED: 'unused'>
    """

    status: ClaimStatus
    cut_off_before: datetime | None


@runtime_checkable
class JointLookStore(RevocationStore, Protocol):
    """A capability of its own: a token and its subject in one look, where two would be two round trips.

    Example:
        >>> from mintkey.replay import MemoryReplayStore
        >>> isinstance(MemoryReplayStore(), JointLookStore)
        True
    """

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        """What `ReplayStore.status` and `cut_off_before` say, asked together; changes nothing.

        Args:
            key: The mark's name.
            cut_off: The name of the cut-off.
            issued_at: When the token was issued.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredFamily:
    """What a store knows of a family of refresh tokens.

    Attributes:
        document: What was written last, opaque to the store; None if there is nothing.
        provable: Whether nothing can have been forgotten: the token that is asked for was issued after the store's
            memory began.

    Example:
        >>> StoredFamily(document=None, provable=True)
        StoredFamily(provable=True)
    """

    document: bytes | None = field(repr=False)
    provable: bool


@runtime_checkable
class FamilyStore(Protocol):
    """A capability of its own: the one atomic step of a refresh (RFC 9700 §4.14.2).

    A family of refresh tokens is a small document that is only ever replaced by compare-and-swap. What it says is
    decided by pure functions of the caller; the store decides nothing but who was first.

    Example:
        >>> from mintkey.replay import MemoryReplayStore
        >>> isinstance(MemoryReplayStore(), FamilyStore)
        True
    """

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is.

        Args:
            key: The family's name.
            issued_at: When the token was issued that is being refreshed.
        """
        ...

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; whether it now is the new one.

        Repeating a swap whose answer was lost answers True again.

        Args:
            key: The family's name.
            expected: The document that `family` returned; None: there is none.
            document: The new document, at most some hundred bytes; two callers never write the same.
            expires_at: The last moment at which a token of the family could still be accepted.
        """
        ...
