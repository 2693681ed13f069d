"""How long the event loop is held: a ticker wants its turn every millisecond, and the longest it had to wait counts."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.report import Line, Plot
from benchmarks.rounds import Scale

__all__ = ["Held", "Ticker", "Work", "idle", "longest_gaps", "stall_plot"]

Work = Callable[[], Awaitable[object]]
"""What may hold the loop."""

_PERIOD = 0.001


class Ticker:
    """Measures the longest time between two turns that the loop gave to somebody who wants one every millisecond.

    It sleeps in between, so it takes neither a core nor the interpreter from threads that work meanwhile. One that came
    back at once (`call_soon`) would see an idle loop as held for 0.1 ms and not for 1.1, but two hundred RSA signatures
    then take twice as long, and `mint_many` five times: it would measure itself. So the millisecond between two ticks
    is in every figure: what is told is an upper bound, and what `idle` shows belongs beside it.

    Attributes:
        longest: Seconds, so far.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began: asyncio.Future[None] = self._loop.create_future()
        self._next: asyncio.TimerHandle | None = None
        self._last = 0.0
        self.longest: float = 0.0

    async def __aenter__(self) -> Self:
        """Return right behind a tick, so that what is measured is not diluted by a wait before it."""
        self._next = self._loop.call_later(_PERIOD, self._begin)
        await self._began
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        assert self._next is not None
        self._next.cancel()
        self._look()

    def _begin(self) -> None:
        self._last = time.perf_counter()
        self._began.set_result(None)
        self._next = self._loop.call_later(_PERIOD, self._tick)

    def _tick(self) -> None:
        self._look()
        self._next = self._loop.call_later(_PERIOD, self._tick)

    def _look(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now


@dataclass(frozen=True, slots=True)
class Held:
    """What some work did to the loop.

    Attributes:
        gaps: The longest gap of each round, in seconds.
        seconds: How long the work took in each round.
    """

    gaps: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def stall(self) -> float:
        """Milliseconds: the longest gap in the round in the middle."""
        return statistics.median(self.gaps) * 1000

    @property
    def worst(self) -> float:
        """Milliseconds: the longest gap of all rounds, with whatever else the machine did then."""
        return max(self.gaps) * 1000

    @property
    def time(self) -> float:
        """Seconds that the work took in the round in the middle."""
        return statistics.median(self.seconds)

    def stall_times(self, other: "Held", /) -> float:
        """How many times the stall of the other: the median of the ratios of the rounds."""
        return _ratio(self.gaps, other.gaps)

    def time_times(self, other: "Held", /) -> float:
        """How many times as long as the other it took: the median of the ratios of the rounds."""
        return _ratio(self.seconds, other.seconds)


def idle(seconds: float, /) -> Work:
    """Nothing, for so long: what the ticker and the machine alone do to the figures."""

    async def work() -> None:
        await asyncio.sleep(seconds)

    return work


async def longest_gaps(works: Mapping[str, Work], *, scale: Scale) -> dict[str, Held]:
    """How each of several kinds of work holds the loop, in rounds in which each has one turn.

    Args:
        works: By name; each is also done once beforehand, unmeasured.
        scale: How many rounds.
    """
    names = list(works)
    for name in names:
        await works[name]()
    gaps: dict[str, list[float]] = {name: [] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.freeze()
    try:
        for turn in range(scale.rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                async with Ticker() as ticker:
                    began = time.perf_counter()
                    await works[name]()
                    seconds[name].append(time.perf_counter() - began)
                gaps[name].append(ticker.longest)
    finally:
        gc.unfreeze()
    return {name: Held(tuple(gaps[name]), tuple(seconds[name])) for name in names}


def stall_plot(file: str, stalls: Mapping[str, tuple[float, float]], *, must: float) -> Plot:
    """Bars of how long the loop is held, beside the same work done inline.

    Args:
        file: Name of the file, without suffix.
        stalls: By what is done: milliseconds of ours, and inline.
        must: Milliseconds that ours may have at most.
    """
    names = tuple(stalls)
    ours, inline = zip(*stalls.values(), strict=True)
    return Plot(
        file,
        "Longest time in which the loop serves nobody else",
        "",
        "milliseconds",
        (
            Line("inline", names, inline),
            Line("mintkey", names, ours),
            Line(f"at most {must:.0f} ms", names, (must,) * len(names), reference=True),
        ),
        kind="bars",
        log_y=True,
        values=True,
    )


def _ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))
