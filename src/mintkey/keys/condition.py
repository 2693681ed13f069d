"""The condition of a ring in one process, in words and figures: pure, from what the process knows."""

from datetime import timedelta

from mintkey.health import Check
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import public_for, rotation_due_at
from mintkey.keys.snapshot import Snapshot

__all__ = ["age_check", "clock_check", "rotation_check", "successor_check"]


def age_check(snapshot: Snapshot | None, monotonic: float, /, *, fresh: timedelta, tolerated: timedelta) -> Check:
    """How old this process's view of the ring is: `fresh`, `stale` while that is tolerated, then `expired`.

    Args:
        snapshot: What the process knows; `none` if nothing.
        monotonic: Monotonic seconds now.
        fresh: Up to this age all is well.
        tolerated: Up to this age it is still used.

    Returns:
        With the age in seconds.
    """
    if snapshot is None:
        return Check(ok=False, word="none", figure=0)
    age = max(0.0, monotonic - snapshot.checked_at)
    if age <= fresh.total_seconds():
        return Check(ok=True, word="fresh", figure=round(age, 3))
    return Check(ok=False, word="stale" if age < tolerated.total_seconds() else "expired", figure=round(age, 3))


def rotation_check(snapshot: Snapshot | None, now: float, policy: RotationPolicy, /, *, tolerated: timedelta) -> Check:
    """Whether a rotation by time was done when it was due: `on_time` or `overdue`.

    Args:
        snapshot: What the process knows.
        now: Seconds since the epoch.
        policy: When the ring rotates.
        tolerated: How late is not late yet.

    Returns:
        With the seconds since it was due.
    """
    due_at = now if snapshot is None else rotation_due_at(snapshot.ring, policy)
    late = max(0.0, now - due_at)
    is_late = late > tolerated.total_seconds()
    return Check(ok=not is_late, word="overdue" if is_late else "on_time", figure=round(late, 3))


def successor_check(snapshot: Snapshot | None, now: float, policy: RotationPolicy, /) -> Check:
    """Whether the next version could take over: `ready`, `published` but not for long enough yet, or `missing`.

    Args:
        snapshot: What the process knows.
        now: Seconds since the epoch.
        policy: For how long it has to be public.

    Returns:
        With the seconds for which it has been public.
    """
    if snapshot is None or not snapshot.ring.successors:
        return Check(ok=False, word="missing", figure=0)
    public = max(0.0, now - snapshot.ring.successors[0].created_at)
    is_ready = public >= public_for(policy).total_seconds()
    return Check(ok=True, word="ready" if is_ready else "published", figure=round(public, 3))


def clock_check(offset: float | None, /, *, is_off: bool) -> Check:
    """Whether this machine's clock goes with the store's: `in_step`, `off`, or `unknown` where it has none.

    Args:
        offset: Seconds by which ours is ahead.
        is_off: Whether that is too much.

    Returns:
        With that offset in seconds.
    """
    if offset is None:
        return Check(ok=True, word="unknown", figure=0)
    return Check(ok=not is_off, word="off" if is_off else "in_step", figure=round(offset, 3))
