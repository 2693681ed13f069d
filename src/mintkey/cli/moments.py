"""Instants for people: when, and how far from now."""

from datetime import datetime, timedelta

from mintkey.clock import SystemClock, from_timestamp
from mintkey.settings import durations

__all__ = ["moment", "now"]

_ZERO = timedelta(0)


def now() -> datetime:
    """This machine's time."""
    return from_timestamp(SystemClock().time())


def moment(instant: datetime, /) -> str:
    """An instant in UTC, and its distance from now."""
    ahead = instant - now()
    distance = f"in {durations.as_text(ahead)}" if ahead > _ZERO else f"{durations.as_text(-ahead)} ago"
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC ({distance})"
