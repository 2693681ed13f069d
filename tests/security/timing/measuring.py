"""Two kinds of input, in random order: whether the times that they take can be told apart.

Every round has a pair of its own, because two objects differ in more than their kind: in where they lie in memory, for
one. For the same reason both are calls of the same code. Within a round the two take turns at random, so that both
share every disturbance, and the slowest times are left out. What is compared is the difference of each round with
nought: Student's t over rounds.
"""

import gc
import random
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median, stdev
from time import perf_counter_ns

__all__ = ["LIMIT", "Call", "Difference", "compare"]

Call = Callable[[], object]

LIMIT = 4.5
"""Beyond it the kinds take different times: with 30 rounds chance gets there once in ten thousand."""

_ROUNDS = 30
_KEPT = 0.8
_WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """What was measured.

    Attributes:
        t: Student's t; negative if the first kind is the faster one.
        nanoseconds: The mean difference.
        medians: The median of each kind, in nanoseconds.
    """

    t: float
    nanoseconds: float
    medians: tuple[float, float]

    @property
    def can_be_told(self) -> bool:
        """Whether the kinds take different times."""
        return abs(self.t) > LIMIT


def compare(ask: Callable[[], tuple[Call, Call]], /, *, times: int, seed: int = 7) -> Difference:
    """How the times of two kinds of calls differ.

    Args:
        ask: Makes a pair of calls, each of which does all of its work when it is called.
        times: How often they are called in all.
        seed: Of the order in which they take turns.
    """
    order = random.Random(seed)  # noqa: S311 - the order of measurements
    differences: list[float] = []
    medians: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        kinds = _round(*ask(), times // _ROUNDS, order)
        differences.append(fmean(kinds[0]) - fmean(kinds[1]))
        for kind, typical in zip(kinds, medians, strict=True):
            typical.append(median(kind))
    mean, spread = fmean(differences), stdev(differences) / sqrt(_ROUNDS)
    return Difference(mean / (spread or 1.0), mean, (median(medians[0]), median(medians[1])))


def _round(one: Call, other: Call, times: int, order: random.Random) -> tuple[list[int], list[int]]:
    turns = [bool(turn % 2) for turn in range(times)]
    order.shuffle(turns)
    taken: tuple[list[int], list[int]] = ([], [])
    for _ in range(_WARM_UP):
        one()
        other()
    gc.collect(0)
    gc.disable()
    try:
        for turn in turns:
            call = other if turn else one
            began = perf_counter_ns()
            call()
            ended = perf_counter_ns()
            taken[turn].append(ended - began)
    finally:
        gc.enable()
    kept = int(times / 2 * _KEPT)
    return sorted(taken[0])[:kept], sorted(taken[1])[:kept]
