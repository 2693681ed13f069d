"""Measure several things side by side, so that whatever the machine does meanwhile happens to all of them."""

import gc
import math
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

__all__ = ["Sample", "Scale", "Subject", "interleaved", "repeated"]

Subject = Callable[[int], Awaitable[object]]
"""What is measured: makes so many calls itself, in a tight loop, so that nothing of the harness is in the figure."""

_SLICE = 0.025
"""Seconds: long against a switch to another process, and short enough for many rounds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        quick: Only as much as shows that the harness works; the figures mean nothing then.

    Example:
        >>> Scale(quick=False).of(20_000), Scale(quick=True).of(20_000), Scale(quick=True).of(4)
        (20000, 20, 4)
        >>> Scale(quick=False).rounds, Scale(quick=False).short_rounds
        (9, 15)
    """

    quick: bool = False

    @property
    def rounds(self) -> int:
        """How often every subject gets its turn."""
        return 2 if self.quick else 9

    @property
    def short_rounds(self) -> int:
        """The same where a turn is a slice of time: many short rounds are worth more than few long ones."""
        return 2 if self.quick else 15

    def of(self, number: int, /) -> int:
        """This number, or a small one in quick mode."""
        return min(number, max(10, number // 1000)) if self.quick else number


@dataclass(frozen=True, slots=True)
class Sample:
    """What one subject took.

    Attributes:
        seconds: Seconds a call, one figure for every round.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds a call in the round in the middle."""
        return statistics.median(self.seconds)

    def times_faster_than(self, other: "Sample", /) -> float:
        """How many times as fast as the other: the median of the ratios of the rounds, each with its own weather."""
        return statistics.median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


async def interleaved(
    subjects: Mapping[str, Subject], *, scale: Scale, calls: int | None = None, rounds: int | None = None
) -> dict[str, Sample]:
    """What each subject takes a call, in rounds in which each has one turn, in another order every time.

    Args:
        subjects: What to measure, by name.
        scale: How much is measured.
        calls: How many calls a turn makes, for subjects that use something up; None: as many as fill a slice of time,
            which is the same for all of them.
        rounds: How many rounds; None: as many as the scale says.

    Returns:
        A sample for every name. The collector of garbage stays on, as it is where tokens are minted; what was made
        before is frozen, so that nobody pays for it.
    """
    names = list(subjects)
    order = random.Random(1)  # noqa: S311 - an order, no secret; the same one every time
    turns = {name: await _warm_up(subjects[name], scale, calls) for name in names}
    gc.collect()
    gc.freeze()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for _ in range(rounds or (scale.short_rounds if calls is None else scale.rounds)):
            # Shuffled, not rotated: nobody always comes after the one who leaves the most garbage.
            order.shuffle(names)
            for name in names:
                seconds[name].append(await _turn(subjects[name], turns[name]))
    finally:
        gc.unfreeze()
    return {name: Sample(tuple(seconds[name])) for name in subjects}


def repeated(call: Callable[[], object], /) -> Subject:
    """What makes a plain call again and again."""

    async def subject(calls: int) -> None:
        for _ in range(calls):
            call()

    return subject


async def _warm_up(subject: Subject, scale: Scale, calls: int | None) -> int:
    """Make some calls that do not count; how many a turn makes."""
    if calls is not None:
        await subject(max(1, calls // 5))
        return calls
    calls, took = 10, 0.0
    while True:
        took = await _turn(subject, calls)
        if scale.quick or calls * took >= _SLICE / 4:
            return calls if scale.quick else math.ceil(_SLICE / took)
        calls *= 2


async def _turn(subject: Subject, calls: int) -> float:
    started = time.perf_counter()
    await subject(calls)
    return (time.perf_counter() - started) / calls
