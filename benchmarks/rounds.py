"""Measure several things side by side, so that whatever the machine does meanwhile happens to all of them."""

import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

__all__ = ["Sample", "Scale", "Subject", "interleaved", "repeated"]

Subject = Callable[[int], Awaitable[object]]
"""What is measured: makes so many calls itself, in a tight loop, so that nothing of the harness is in the figure."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        quick: Only as much as shows that the harness works; the figures mean nothing then.

    Example:
        >>> Scale(quick=False).of(20_000), Scale(quick=True).of(20_000), Scale(quick=True).of(4)
        (20000, 20, 4)
    """

    quick: bool = False

    @property
    def rounds(self) -> int:
        """How often every subject gets its turn."""
        return 2 if self.quick else 9

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


async def interleaved(subjects: Mapping[str, Subject], *, scale: Scale, calls: int) -> dict[str, Sample]:
    """What each subject takes a call, in rounds in which each has one turn, in another order every time.

    Args:
        subjects: What to measure, by name.
        scale: How many rounds.
        calls: How many calls a turn makes.

    Returns:
        A sample for every name. The collector of garbage stays on, as it is where tokens are minted; what was made
        before is frozen, so that nobody pays for it.
    """
    names = list(subjects)
    order = random.Random(1)  # noqa: S311 - an order, no secret; the same one every time
    for name in names:
        await subjects[name](max(1, calls // 5))
    gc.collect()
    gc.freeze()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for _ in range(scale.rounds):
            # Shuffled, not rotated: nobody always comes after the one who leaves the most garbage.
            order.shuffle(names)
            for name in names:
                seconds[name].append(await _turn(subjects[name], calls))
    finally:
        gc.unfreeze()
    return {name: Sample(tuple(seconds[name])) for name in subjects}


def repeated(call: Callable[[], object], /) -> Subject:
    """What makes a plain call again and again."""

    async def subject(calls: int) -> None:
        for _ in range(calls):
            call()

    return subject


async def _turn(subject: Subject, calls: int) -> float:
    started = time.perf_counter()
    await subject(calls)
    return (time.perf_counter() - started) / calls
