"""A family of refresh tokens: what is remembered of it, and how a token of it stands. Pure: no clock, no I/O.

All refresh tokens that come from one sign-in are a family. Each but the first replaced the one before, and the newest
is the only one that may be exchanged. What is remembered is a document of some hundred bytes: no token, only the newest
one's id, and when the last ones were replaced.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import floor

from mintkey.claims import strict_json
from mintkey.jose import base64url

__all__ = ["Family", "Standing", "access_id", "decode", "encode"]

_VERSION = 1
_REMEMBERED = 16
"""Replaced tokens of which is known when that was: only a loop refreshes more often within the grace window."""


class Standing(Enum):
    """How a token stands in its family."""

    CURRENT = auto()
    """It is the newest one, to be replaced."""
    REPEATED = auto()
    """It was replaced a moment ago: the newest one is due once more."""
    REUSED = auto()
    """It was replaced before that, or is not the one that was given out: somebody has what is not his."""
    REVOKED = auto()
    """Its family was revoked."""
    ENDED = auto()
    """Its family has lived for as long as it may."""
    FORGOTTEN = auto()
    """It is newer than what is remembered: the store lost what it had confirmed."""
    EARLY = auto()
    """It was replaced later than now: the clocks differ by more than tokens may."""


@dataclass(frozen=True, slots=True)
class Family:
    """What is remembered of a family.

    Attributes:
        generation: How often it was refreshed.
        current: The `jti` of the newest refresh token.
        issued_at: When that was issued, and so the one before it replaced.
        ends_at: From when on nothing of the family is accepted or issued, however often it is refreshed.
        earlier: When the ones before it were issued, latest first, as far as that still matters.
        revoked_by: The id of the call that revoked it; empty: nobody did.
    """

    generation: int
    current: str
    issued_at: float
    ends_at: float
    earlier: tuple[float, ...] = ()
    revoked_by: str = ""

    def lifetime(self, longest: float, /) -> float:
        """For how many seconds a token of the newest pair lives: for as long as its kind may, while the family does.

        Args:
            longest: The lifetime of its purpose, in seconds.
        """
        return min(longest, self.ends_at - floor(self.issued_at))

    def standing(self, generation: int, token_id: str, /, *, now: float, grace: float, leeway: float) -> Standing:
        """How a token stands that is authentic and of this family.

        Within its grace window a token is as good as the newest one, also if its own successor was replaced meanwhile:
        it could be had in two steps anyway, since that successor's window ends later. After the window nothing excuses
        it. A window is half-open, and without grace there is none, also for a clock by which it was not replaced yet.

        Args:
            generation: Which one of the family it is, beginning with 0.
            token_id: Its `jti`.
            now: Seconds since the epoch.
            grace: For how many seconds a token may come again after it was replaced.
            leeway: By how many seconds clocks may differ.
        """
        if self.revoked_by:
            return Standing.REVOKED
        if now >= self.ends_at:
            return Standing.ENDED
        if generation > self.generation:
            return Standing.FORGOTTEN
        if generation == self.generation:
            # Two of one generation: the store forgot the first, and somebody was quicker with the one before.
            return Standing.CURRENT if token_id == self.current else Standing.REUSED
        replacements = (self.issued_at, *self.earlier)
        age = self.generation - generation - 1
        if grace <= 0 or age >= len(replacements) or now - replacements[age] >= grace:
            return Standing.REUSED
        # Here the newest one would be refused, as issued in the future.
        return Standing.EARLY if floor(self.issued_at) > now + leeway else Standing.REPEATED

    def refreshed(self, token_id: str, /, *, now: float, grace: float) -> "Family":
        """The family with a new token in place of the newest one.

        Args:
            token_id: The `jti` of the new one, never used before.
            now: Seconds since the epoch.
            grace: As for `standing`.
        """
        earlier = (self.issued_at, *self.earlier)[: _REMEMBERED - 1]
        while earlier and now - earlier[-1] >= grace:
            earlier = earlier[:-1]
        return replace(self, generation=self.generation + 1, current=token_id, issued_at=now, earlier=earlier)

    def revoked(self, by: str, /) -> "Family":
        """The family, of which no token is good any more.

        Args:
            by: An id of the call that does it, never used before: of several at once one is the first.
        """
        return replace(self, revoked_by=by)


def encode(family: Family, /) -> bytes:
    """The document of a family."""
    return strict_json.dumps(
        {
            "v": _VERSION,
            "n": family.generation,
            "id": family.current,
            "at": float(family.issued_at),
            "end": float(family.ends_at),
            "was": [float(moment) for moment in family.earlier],
            "by": family.revoked_by,
        }
    )


def decode(document: bytes, /) -> Family:
    """The family in a document.

    Raises:
        ValueError: It is none that this version of the library wrote.
    """
    match strict_json.loads(document):
        case {
            "v": 1,
            "n": int(generation),
            "id": str(current),
            "at": float(issued_at),
            "end": float(ends_at),
            "was": [*earlier],
            "by": str(revoked_by),
        }:
            return Family(generation, current, issued_at, ends_at, tuple(map(float, earlier)), revoked_by)
        case _:
            raise ValueError("no document of a family")


def access_id(refresh_id: str, /) -> str:
    """The `jti` of the access token that comes with a refresh token, derived so that nobody has to remember it.

    Example:
        >>> access_id("1") == access_id("1") != access_id("2")
        True
    """
    digest = hashlib.blake2b(refresh_id.encode(), digest_size=16, person=b"mintkey access")
    return base64url.encode(digest.digest())
