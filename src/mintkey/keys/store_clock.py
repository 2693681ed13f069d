"""How far this machine's clock is from that of the store, which is the same for the whole fleet."""

import logging
from datetime import timedelta

from mintkey.clock import Clock

__all__ = ["StoreClock"]

_logger = logging.getLogger("mintkey.keys")


class StoreClock:
    """Compares clocks, and tells the operator once when they differ by more than the settings allow for.

    Nothing is corrected: tokens are dated and judged by the machine's clock as well, so that one has to be right.

    Args:
        clock: This machine's.
        bound: How far they may differ: `max_clock_skew`.
        ring: The name of the ring, for the log.

    Attributes:
        offset: Seconds by which this machine's clock is certainly ahead (negative: behind), at the last look; None if
            the store has no clock of its own.
    """

    def __init__(self, clock: Clock, /, *, bound: timedelta, ring: str) -> None:
        self._clock = clock
        self._bound = bound.total_seconds()
        self._ring = ring
        self.offset: float | None = None

    @property
    def is_off(self) -> bool:
        """Whether the difference is beyond the bound."""
        return self.offset is not None and abs(self.offset) > self._bound

    def compare(self, store_time: float | None, /, *, asked_at: float) -> None:
        """Look how far the clocks differ.

        Args:
            store_time: What the store's clock said when it answered, in seconds since the epoch.
            asked_at: What ours said before it was asked.
        """
        was_off = self.is_off
        self.offset = None if store_time is None else _difference(store_time, asked_at, self._clock.time())
        if self.offset is not None and self.is_off and not was_off:
            _logger.error(
                "the clock of this machine is %.1f s %s that of the store of ring %r, more than max_clock_skew "
                "(%g s): keys rotate and tokens expire at the wrong time here; set the clock",
                abs(self.offset),
                "ahead of" if self.offset > 0 else "behind",
                self._ring,
                self._bound,
            )


def _difference(store_time: float, before: float, after: float) -> float:
    """What is certain of it: the answer was on its way for an unknown part of the time between our two looks."""
    if store_time < before:
        return before - store_time
    return min(0.0, after - store_time)
