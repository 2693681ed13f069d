"""Where time comes from: nothing else in the library asks the operating system for it."""

from datetime import UTC, datetime
from time import monotonic as _monotonic
from time import time as _time
from typing import TYPE_CHECKING, Protocol, runtime_checkable

__all__ = ["Clock", "SystemClock", "from_timestamp"]

_from_timestamp = datetime.fromtimestamp


@runtime_checkable
class Clock(Protocol):
    """Wall-clock and monotonic time.

    Example:
        >>> from mintkey.testing import FakeClock
        >>> isinstance(FakeClock(), Clock)
        True
    """

    def time(self) -> float:
        """Seconds since the epoch (1970-01-01T00:00:00Z)."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks.

    Example:
        >>> SystemClock().time() > 1_700_000_000
        True
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def monotonic(self) -> float:
            """Seconds on the monotonic clock."""
            ...

        def time(self) -> float:
            """Seconds since the epoch."""
            ...

    else:
        # The functions themselves, with nothing around them: every token asks several times.
        monotonic, time = staticmethod(_monotonic), staticmethod(_time)


def from_timestamp(seconds: float, /) -> datetime:
    """The aware UTC instant at so many seconds since the epoch.

    Example:
        >>> from_timestamp(0).isoformat()
        '1970-01-01T00:00:00+00:00'
    """
    return _from_timestamp(seconds, UTC)
