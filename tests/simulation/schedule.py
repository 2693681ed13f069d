"""What a simulated fleet is set to, and what happens to it: drawn from a seed, plain values, safe to cut down."""

from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import NamedTuple

from mintkey.keys.policy import RotationPolicy
from tests.simulation.drills import drill
from tests.simulation.events import Action, Aim, Event, Fault

__all__ = ["Schedule", "Settings", "Slack", "draw"]


_WEIGHTS = {
    Action.MINT: 24,
    Action.MINT_MANY: 5,
    Action.MINT_PINNED: 2,
    Action.VERIFY: 22,
    Action.VERIFY_EVERYWHERE: 3,
    Action.VERIFY_OUTSIDE: 22,
    Action.MAINTAIN: 12,
    Action.ROTATE: 3,
    Action.REVOKE: 1.5,
    Action.FLOOD: 2,
    Action.CRASH: 2,
    Action.RESTART: 3,
}
_WITH_PARTITIONS = {Action.PARTITION: 8}
_WITH_LOSSES = {Action.BACK_UP: 3, Action.LOSE: 1, Action.ROLL_BACK: 2}


_AIMS = {
    Aim.AT_ONCE: 28,
    Aim.SOON: 16,
    Aim.LATER: 8,
    Aim.ROTATION: 10,
    Aim.TOKEN_END: 14,
    Aim.STALE: 12,
    Aim.TOLERATED: 2,
    Aim.CACHE_END: 6,
    Aim.VERIFY_UNTIL: 8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A fleet's settings; durations in seconds.

    Attributes:
        partitions: Whether processes may be cut off, and the store fail.
        losses: Whether the store may forget.
        merges: Whether processes compare what they know with a ring that they read; without losses that finds nothing,
            which is worth its time in some schedules only.
        push: Whether whoever can be told learns at once that the ring changed.
    """

    policy: RotationPolicy
    refresh_interval: float
    outage_tolerance: float
    max_clock_skew: float
    lifetime: float
    leeway: float
    node_offsets: tuple[float, ...]
    verifier_offsets: tuple[float, ...]
    partitions: bool
    losses: bool
    merges: bool
    push: bool

    @property
    def staleness(self) -> float:
        """For how long a process may not know what happened."""
        return self.outage_tolerance if self.partitions else self.refresh_interval


class Schedule(NamedTuple):
    """Settings and events; `seed` tells where they came from."""

    seed: int
    settings: Settings
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """By how much the inequalities are kept, as a share of their right side's terms; below zero they are violated.

    Attributes:
        skews: How often (2) allows for the skew of clocks.
        staleness: Whether (2) allows for signers who do not know yet that their key was replaced.
        cut_off: Whether it allows for that while they are cut off from the store, too.
        short_period: Whether `every` may be so short that (1) cannot hold.
    """

    skews: int = 2
    staleness: bool = True
    cut_off: bool = True
    short_period: bool = False


def draw(seed: int, /, *, events: int = 25, slack: Slack = Slack(), losses: bool | None = None) -> Schedule:
    """The schedule of a seed.

    Args:
        seed: Any number.
        events: How many there are.
        slack: What of the inequalities is kept.
        losses: Whether the store forgets; None: now and then.
    """
    rng = Random(seed)  # noqa: S311 - meant to be repeated
    settings = _draw_settings(rng, slack)
    if losses is not None:
        settings = replace(settings, losses=losses, merges=losses)
    weights = dict(_WEIGHTS)
    if settings.partitions:
        weights |= _WITH_PARTITIONS
    if settings.losses:
        weights |= _WITH_LOSSES
    actions = rng.choices(tuple(weights), tuple(weights.values()), k=events)
    aims = rng.choices(tuple(_AIMS), tuple(_AIMS.values()), k=events)
    faults = rng.choices(tuple(Fault), (20, 2, 1, 2) if settings.partitions else (10, 0, 0, 1), k=events)
    draw_one = rng.random
    drawn = [
        Event(aim, draw_one(), action, draw_one(), draw_one(), draw_one() * 8, fault)
        for aim, action, fault in zip(aims, actions, faults, strict=True)
    ]
    for _ in range(rng.choice((0, 1, 2))):
        practised = drill(rng, settings.node_offsets, partitions=settings.partitions)
        at = rng.randrange(events)
        drawn[at:at] = (
            practised if settings.losses else [event for event in practised if event.action not in _WITH_LOSSES]
        )
    return Schedule(seed, settings, tuple(drawn))


def _draw_settings(rng: Random, slack: Slack) -> Settings:
    # Half of the fleets are small and live on the edge: clocks as far apart as may be, not a second to spare.
    on_edge = rng.random() < 0.5
    refresh = _round(rng.uniform(1, 10))
    skew = _round(rng.uniform(1, 8) if on_edge else rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 8))))
    tolerance = _round(refresh * rng.choice((1, rng.uniform(1, 8))))
    partitions = rng.random() < 0.5
    ahead = 0.0 if rng.random() < 0.2 else _round((refresh + skew) * rng.choice((1.01, rng.uniform(1.01, 4))) + 0.01)
    leeway = _round(rng.choice((0.0, rng.uniform(0, 10))))
    lifetime = _round(rng.uniform(1, 60))
    staleness = (tolerance if partitions and slack.cut_off else refresh) if slack.staleness else 0.0
    spare = 0.0 if on_edge else rng.uniform(0, 60)
    ttl = lifetime + leeway + staleness + slack.skews * skew + spare
    return Settings(
        policy=RotationPolicy(
            every=_draw_period(rng, ahead, refresh + skew, slack),
            max_mints=None if rng.random() < 0.3 else int(2 ** rng.uniform(0, 8)),
            previous_ttl=timedelta(seconds=_round(ttl)),
            publish_ahead=timedelta(seconds=ahead),
        ),
        refresh_interval=refresh,
        outage_tolerance=tolerance,
        max_clock_skew=skew,
        lifetime=lifetime,
        leeway=leeway,
        node_offsets=_draw_offsets(rng, skew, rng.randint(2, 4) if on_edge else int(2 ** rng.uniform(0, 5.04))),
        verifier_offsets=_draw_offsets(rng, skew, rng.randint(1, 3)),
        partitions=partitions,
        losses=(losses := rng.random() < 0.15),
        merges=losses or rng.random() < 0.1,
        push=rng.random() < 0.2,
    )


def _draw_period(rng: Random, ahead: float, delay: float, slack: Slack) -> timedelta | None:
    if slack.short_period:
        return timedelta(seconds=_round(delay * rng.uniform(0.1, 0.9)))
    if rng.random() < 0.15:
        return None
    shortest = delay + 0.01 if ahead else 1.0
    return timedelta(seconds=_round(rng.choice((shortest, rng.uniform(shortest, shortest + 3 * max(ahead, 10.0))))))


def _draw_offsets(rng: Random, skew: float, count: int) -> tuple[float, ...]:
    # Clocks differ by the bound at most, so each is off by half of it; the ends are where the trouble is.
    return tuple(rng.choice((-skew / 2, skew / 2, rng.uniform(-skew / 2, skew / 2))) for _ in range(count))


def _round(seconds: float) -> float:
    return round(seconds, 3)
