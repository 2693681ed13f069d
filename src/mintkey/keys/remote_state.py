"""What a resolver of remote keys knows at a moment: the keys it holds and until when, and how its fetches went. Pure.

All instants are seconds: monotonic ones, but for those that are told to people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Literal

from mintkey.errors import Reason
from mintkey.keys.base import VerificationKey
from mintkey.keys.remote_set import RemoteSet

__all__ = ["Attempts", "HeldKeys", "Lifetimes", "RemoteKeysState", "tell", "usable"]

_AHEAD = 0.8  # of its lifetime is over when a set is refreshed behind its users
_SOON = 1.0  # second; the first pause of who has no keys at all
_LONGEST_PAUSE = 900.0  # seconds; no server may keep us away for longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """The bounds on how long a set is used, in seconds.

    Attributes:
        default: For how long it is fresh where the answer says nothing.
        least: For how long it is fresh at least.
        most: For how long it is fresh at most.
        stale: For how long it is used beyond that, while no other is to be had.
    """

    default: float
    least: float
    most: float
    stale: float

    def bounded(self, said: float | None, /) -> float:
        """For how long a set is fresh.

        Args:
            said: What the answer says; None: nothing.
        """
        return min(max(self.default if said is None else said, self.least), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKeys:
    """A set as its endpoint confirmed it last.

    Attributes:
        keys: The usable keys.
        etag: The validator to ask with; None if there is none.
        lifetime: For how long it is fresh.
        asked_at: When we asked for it, in monotonic seconds.
        confirmed_at: When, by the wall clock.
        refresh_at: From when on somebody looks for a newer one, behind those who use this.
        fresh_until: Until when nobody needs to look.
        usable_until: From when on it is not used any more.
    """

    keys: RemoteSet
    etag: str | None
    lifetime: float
    asked_at: float
    confirmed_at: float
    refresh_at: float
    fresh_until: float
    usable_until: float

    @classmethod
    def of(
        cls,
        keys: RemoteSet,
        lifetime: float,
        lifetimes: Lifetimes,
        /,
        *,
        etag: str | None,
        asked_at: float,
        time: float,
        now: float,
    ) -> "HeldKeys":
        """A set that was confirmed now.

        Args:
            keys: The usable keys.
            lifetime: For how long it is fresh.
            lifetimes: Says for how long it is used beyond that.
            etag: The validator to ask with.
            asked_at: When it was asked for, by the monotonic clock.
            time: The wall clock.
            now: The monotonic clock.
        """
        return cls(
            keys=keys,
            etag=etag,
            lifetime=lifetime,
            asked_at=asked_at,
            confirmed_at=time,
            refresh_at=now + _AHEAD * lifetime,
            fresh_until=now + lifetime,
            usable_until=now + lifetime + lifetimes.stale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How the fetches went so far.

    Attributes:
        failures: How many failed since the last that succeeded.
        free_at: Before it nobody tries again.
        search_at: Before it nobody tries for an unknown kid again.
        reason: Why the last one failed; None if it did not.
        problem: The same in words.
    """

    failures: int = 0
    free_at: float = -inf
    search_at: float = -inf
    reason: Reason | None = None
    problem: str = field(default="", repr=False)

    def searched(self, until: float, /) -> "Attempts":
        """The same, and somebody looks for an unknown kid now: nobody else does before `until`."""
        return replace(self, search_at=until)

    def succeeded(self) -> "Attempts":
        """The same, after one that succeeded."""
        return Attempts(search_at=self.search_at)

    def failed(
        self, reason: Reason, problem: str, /, *, now: float, cooldown: float, asked: float | None, has_keys: bool
    ) -> "Attempts":
        """The same, after one that failed.

        Args:
            reason: Why.
            problem: The same in words.
            now: When it was known.
            cooldown: How long nobody tries again.
            asked: How long the server wants to be left alone; None: it did not say. That can only lengthen the pause.
            has_keys: Whether there are keys to go on with. Who has none can do nothing else than try again, and does so
                sooner at first: a second, then two, then four.
        """
        pause = cooldown if has_keys else min(cooldown, _SOON * 2.0 ** min(self.failures, 30))
        pause = max(pause, min(asked or 0.0, _LONGEST_PAUSE))
        return replace(self, failures=self.failures + 1, free_at=now + pause, reason=reason, problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteKeysState:
    """What a resolver of remote keys can tell about itself.

    Attributes:
        word: `fresh`; `stale`: past its lifetime, and still used while no newer one is to be had; `empty`: there is
            none; `cooling down`: not fresh, the last fetch failed, and it is too early for the next one.
        keys: The kids that verify now.
        skipped: Why other keys of the set do not, a sentence each.
        fetched_at: When the endpoint confirmed the set last; None: never.
        fresh_until: Until when nobody needs to ask it again; None: there is no set.
        failures: How many fetches failed since the last that succeeded.
        last_error: Why the last one failed; None if it did not.

    Example:
        >>> RemoteKeysState(word="cooling down", failures=2, last_error=Reason.JWKS_UNAVAILABLE).keys
        ()
    """

    word: Literal["empty", "fresh", "stale", "cooling down"]
    keys: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    fetched_at: datetime | None = None
    fresh_until: datetime | None = None
    failures: int = 0
    last_error: Reason | None = None


def usable(held: HeldKeys | None, now: float, /) -> Mapping[str, VerificationKey]:
    """The keys that verify at a moment, by kid."""
    return held.keys.verifiers if held is not None and now < held.usable_until else {}


def tell(held: HeldKeys | None, attempts: Attempts, now: float, /) -> RemoteKeysState:
    """The state at a moment.

    Args:
        held: The set that is held.
        attempts: How fetches went.
        now: The monotonic clock.
    """
    keys = tuple(usable(held, now))
    word: Literal["empty", "fresh", "stale", "cooling down"]
    if held is not None and now < held.fresh_until:
        word = "fresh"
    elif now < attempts.free_at:
        word = "cooling down"
    else:
        word = "stale" if keys else "empty"
    return RemoteKeysState(
        word=word,
        keys=keys,
        skipped=held.keys.skipped if held is not None and keys else (),
        fetched_at=None if held is None else datetime.fromtimestamp(held.confirmed_at, UTC),
        fresh_until=None if held is None else datetime.fromtimestamp(held.confirmed_at + held.lifetime, UTC),
        failures=attempts.failures,
        last_error=attempts.reason,
    )
