"""Sequences of events that come close to breaking a promise; chance alone would rarely find them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation.events import Action, Aim, Event, Fault

__all__ = ["drill"]

_NEWEST, _LATE, _SUCCESSOR = 0.0, 0.5, 0.5  # what `Event.what` chooses
_BEFORE, _AFTER = 0.5, 0.0  # where `Event.spread` puts an event that aims at the end of a time, and at its begin


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who takes part: `ahead` and `behind` are often the nodes whose clocks are furthest apart."""

    rng: Random
    partitions: bool
    ahead: float
    behind: float


def drill(rng: Random, offsets: Sequence[float], /, *, partitions: bool) -> tuple[Event, ...]:
    """One of them.

    Args:
        rng: Chooses.
        offsets: How far the nodes' clocks are off.
        partitions: Whether nodes may be cut off from the store.
    """
    ahead, behind = rng.random(), rng.random()
    if rng.random() < 0.7:
        ahead = (offsets.index(max(offsets)) + 0.5) / len(offsets)
        behind = (offsets.index(min(offsets)) + 0.5) / len(offsets)
    drills: tuple[Callable[[_Cast], tuple[Event, ...]], ...] = (
        _late_token,
        _late_token,
        _unpublished_key,
        _hasty_successor,
        _given_back,
        _late_plan,
        _late_plan,
        _lost_revocation,
        _lost_counts,
    )
    return rng.choice(drills)(_Cast(rng, partitions, ahead, behind))


def _event(  # noqa: PLR0917 - a table reads better
    aim: Aim,
    spread: float,
    action: Action,
    who: float,
    what: float = 0.0,
    verifier: float = 1.0,
    fault: Fault = Fault.NONE,
) -> Event:
    return Event(aim, spread, action, who, what, verifier, fault)


def _late_token(cast: _Cast) -> tuple[Event, ...]:
    """Signed as late as may be with a version that was replaced at once, and verified when that is dropped."""
    late, other, dropper, last = cast.ahead, cast.behind, cast.ahead, cast.behind
    cut_off = [_event(Aim.AT_ONCE, 0, Action.PARTITION, late)] if cast.partitions else []
    return (
        _event(Aim.LATER, 1, Action.MAINTAIN, late),
        *cut_off,
        _event(Aim.AT_ONCE, 0, Action.ROTATE, other),
        _event(Aim.TOLERATED if cast.partitions else Aim.STALE, _BEFORE, Action.MINT, late),
        *cut_off,
        _event(Aim.VERIFY_UNTIL, _AFTER, Action.MAINTAIN, dropper, _LATE),
        _event(Aim.AT_ONCE, 0, Action.VERIFY, last, _LATE),
        _event(Aim.AT_ONCE, 0, Action.VERIFY_EVERYWHERE, last, _LATE),
        _event(Aim.TOKEN_END, 0, Action.VERIFY, last, _LATE),
    )


def _late_plan(cast: _Cast) -> tuple[Event, ...]:
    """A process is stopped in the middle of a rotation. Another one looks just before that is written, and signs on."""
    stopped, late, last, where = cast.behind, cast.ahead, cast.behind, cast.rng.random()
    cut_off = [_event(Aim.AT_ONCE, 0, Action.PARTITION, late)] if cast.partitions else []
    return (
        _event(Aim.LATER, 1, Action.MAINTAIN, late),
        _event(Aim.AT_ONCE, 1, Action.ROTATE, stopped, where, late, Fault.STOPS),
        *cut_off,
        _event(Aim.TOLERATED if cast.partitions else Aim.STALE, _BEFORE, Action.MINT, late),
        *cut_off,
        _event(Aim.VERIFY_UNTIL, _AFTER, Action.MAINTAIN, late, _LATE),
        _event(Aim.AT_ONCE, 0, Action.VERIFY, last, _LATE),
        _event(Aim.TOKEN_END, 0, Action.VERIFY, last, _LATE),
    )


def _unpublished_key(cast: _Cast) -> tuple[Event, ...]:
    """A verifier outside keeps the oldest set that it can get, and the next key signs as early as may be."""
    server, other, signer, verifier = cast.rng.random(), cast.behind, cast.ahead, cast.rng.random() * 8
    cut_off = [_event(Aim.AT_ONCE, 0, Action.PARTITION, server)] if cast.partitions else []
    return (
        _event(Aim.CACHE_END, 0.9, Action.MAINTAIN, server, verifier=verifier),
        *cut_off,
        _event(
            Aim.AT_ONCE, 0, cast.rng.choice((Action.ROTATE, Action.REVOKE)), other, cast.rng.choice((0.3, _SUCCESSOR))
        ),
        _event(
            Aim.TOLERATED if cast.partitions else Aim.STALE, _BEFORE, Action.VERIFY_OUTSIDE, server, _NEWEST, verifier
        ),
        _event(Aim.ROTATION, _AFTER, Action.MINT, signer),
        _event(Aim.AT_ONCE, 0, Action.VERIFY_OUTSIDE, server, _NEWEST, verifier),
        *cut_off,
    )


def _hasty_successor(cast: _Cast) -> tuple[Event, ...]:
    """The successor is revoked when it should take over, so that there is a new one, which nobody knows."""
    who, verifier = cast.rng.random(), cast.rng.random() * 8
    return (
        _event(Aim.ROTATION, _AFTER, Action.VERIFY_OUTSIDE, who, _NEWEST, verifier),
        _event(Aim.AT_ONCE, 0, Action.REVOKE, who, _SUCCESSOR),
        _event(Aim.AT_ONCE, 0, Action.MINT, who),
        _event(Aim.AT_ONCE, 0, Action.VERIFY_OUTSIDE, who, _NEWEST, verifier),
    )


def _given_back(cast: _Cast) -> tuple[Event, ...]:
    """What a process gives back is used by another one."""
    one, other = cast.ahead, cast.behind
    bursts = [
        _event(Aim.AT_ONCE, 0, Action.MINT_MANY, cast.rng.choice((one, other)), cast.rng.uniform(0.3, 1))
        for _ in range(3)
    ]
    return (
        *bursts,
        _event(Aim.AT_ONCE, 0, Action.RESTART, one),
        *(_event(Aim.AT_ONCE, 0, Action.MINT, one) for _ in range(3)),
        *(_event(Aim.AT_ONCE, 0, Action.MINT_MANY, other, 0.99) for _ in range(8)),
    )


def _lost_revocation(cast: _Cast) -> tuple[Event, ...]:
    """A backup from before a revocation is restored; without losses, only the revocation takes place."""
    one, other = cast.ahead, cast.behind
    return (
        _event(Aim.SOON, 0, Action.BACK_UP, one),
        _event(Aim.AT_ONCE, 0, Action.REVOKE, one, 0.3),
        _event(Aim.AT_ONCE, 0, Action.VERIFY, other, _NEWEST),
        _event(Aim.AT_ONCE, 0, Action.ROLL_BACK, one),
        _event(Aim.SOON, 1, Action.MAINTAIN, one),
        _event(Aim.SOON, 1, Action.VERIFY_EVERYWHERE, other, _NEWEST),
    )


def _lost_counts(cast: _Cast) -> tuple[Event, ...]:
    """A process uses much of a version, and the store goes back to where it had counted next to nothing of that."""
    one = cast.ahead
    return (
        _event(Aim.SOON, 0, Action.MINT, one),
        _event(Aim.AT_ONCE, 0, Action.BACK_UP, one),
        _event(Aim.AT_ONCE, 0, Action.MINT_MANY, one, cast.rng.uniform(0.3, 1)),
        _event(Aim.AT_ONCE, 0, Action.ROLL_BACK, one),
        *(_event(cast.rng.choice((Aim.AT_ONCE, Aim.LATER)), 1, Action.MINT_MANY, one, 0.99) for _ in range(4)),
    )
