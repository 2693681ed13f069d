"""A clock that runs on command, so that a day of rotation passes in no time."""

from datetime import datetime, timedelta

from mintkey.clock import from_timestamp

__all__ = ["FastClock"]


class FastClock:
    """A `Clock` that stands still between two commands.

    Args:
        start: The wall-clock time at which it begins, in seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self._wall = start
        self._monotonic = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since it began."""
        return self._monotonic

    def now(self) -> datetime:
        """The wall-clock time as an aware UTC datetime."""
        return from_timestamp(self._wall)

    def forward(self, by: timedelta, /) -> None:
        """Let so much time pass."""
        self._wall += by.total_seconds()
        self._monotonic += by.total_seconds()

    def forward_to(self, instant: datetime, /) -> None:
        """Let time pass until an instant."""
        self.forward(instant - self.now())
