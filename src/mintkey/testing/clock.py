"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

from mintkey.errors import ConfigurationError

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` whose wall and monotonic time move together, by hand.

    Args:
        start: The wall-clock time at which it begins, an aware datetime.

    Raises:
        ConfigurationError: The start is naive (`configuration`).

    Example:
        >>> clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        >>> clock.advance(timedelta(minutes=1))
        >>> clock.now().isoformat()
        '2026-01-01T00:01:00+00:00'
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ConfigurationError("FakeClock.start must be an aware datetime")
        self._wall = start.timestamp()
        self._monotonic = 1000.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds on a clock of its own."""
        return self._monotonic

    def now(self) -> datetime:
        """The wall-clock time as an aware datetime."""
        return datetime.fromtimestamp(self._wall, UTC)

    def advance(self, by: timedelta) -> None:
        """Move both clocks."""
        self._wall += by.total_seconds()
        self._monotonic += by.total_seconds()
