"""Prints what a clock tells: `python -m tests.security.timing [measurements]`."""

import sys

from tests.security.timing.measuring import compare
from tests.security.timing.questions import OPEN, SECRET, Question, naive


def main(times: int) -> None:
    """One line a question."""
    everything = {**SECRET, "naive": Question("a comparison byte by byte, to see the method work", naive), **OPEN}
    for question in everything.values():
        found = compare(question.ask, times=times)
        one, other = found.medians
        print(f"| {question.about} | {one / 1000:.2f} µs, {other / 1000:.2f} µs | {found.t:+.1f} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
