"""One mutant in one fork: the tests that run its lines run until one of them notices."""

import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import pytest

from tests.mutation.coverage import Coverage, run_item
from tests.mutation.mutants import Mutant

__all__ = ["Suspects", "in_fork", "run"]

_MEMORY = 6 << 30
_LEAST_REAL, _LEAST_CPU = 10.0, 5.0
"""Seconds that any test may take: the machine has other things to do, too."""
_TIMES = 20
"""How much longer a test may take than it took."""


_NAMED = 0.2
"""So much cheaper do tests seem that have the module's name."""


class Suspects:
    """Tests that may notice a mutant: who is likely to first, as many as the budget allows.

    Args:
        tests: Who may be asked.
        coverage: Who runs what.
        likely: What is in the name of tests that notice what is wrong in a module, besides the module's own name.
        budget: Seconds of tests (measured without a defect) that a mutant is worth.
    """

    def __init__(self, tests: Iterable[str], coverage: Coverage, likely: Mapping[str, str], *, budget: float) -> None:
        self.tests = set(tests)
        self.coverage = coverage
        self._likely = likely
        self._budget = budget
        self._kills: Counter[tuple[str, str]] = Counter()

    def of(self, mutant: Mutant, file: str) -> tuple[list[str], int]:
        """Whom to ask, and how many there are."""
        tests = self.coverage.tests_of(file, mutant.lines) if mutant.in_function else set()
        names = {f"test_{mutant.module.rpartition('.')[2]}", self._likely.get(mutant.module, "::")} - {"::"}
        about = f"[{mutant.module}.{mutant.function.strip('{}')}]"
        if not tests:  # a constant is in no line that runs: whoever knows the module may know its constants
            tests = self.coverage.tests_within(file) or self.coverage.passed()
            tests = tests | {test for test in self.coverage.passed() if any(name in test for name in (*names, about))}
        tests = tests & self.tests
        seconds = self.coverage.seconds

        def cost(test: str) -> tuple[bool, int, float]:
            is_named = any(name in test for name in names)
            return about not in test, -self._kills[mutant.function, test], seconds[test] * (_NAMED if is_named else 1.0)

        ordered = sorted(tests, key=cost)
        spent = 0.0
        chosen: list[str] = []
        for test in ordered:
            if spent + seconds[test] <= self._budget or not chosen:
                spent += seconds[test]
                chosen.append(test)
        return chosen, len(tests)

    def noticed(self, mutant: Mutant, test: str | None) -> None:
        """Who noticed one may notice the next one of the same function."""
        if test is not None:
            self._kills[mutant.function, test] += 1

    def distrust(self, tests: Iterable[str]) -> None:
        """Ask these no more."""
        self.tests.difference_update(tests)


def run(items: Sequence[pytest.Item], coverage: Coverage, write: Callable[[str], None]) -> None:
    """Run tests until one fails, each for as long as it may take."""
    for item, after in zip(items, [*items[1:], items[-1]], strict=True):
        usual = _TIMES * coverage.seconds[item.nodeid]
        signal.setitimer(signal.ITIMER_REAL, max(_LEAST_REAL, usual))
        signal.setitimer(signal.ITIMER_PROF, max(_LEAST_CPU, usual))
        write(f"began {item.nodeid}")
        if not run_item(item, after):
            write(f"killed {item.nodeid}")
            return


def in_fork(act: Callable[[Callable[[str], None]], None]) -> tuple[str, str | None, int]:
    """What became of a fork that tells which tests it began and which one failed: status, by whom, how many ran."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _be_alone()

        def write(line: str) -> None:
            os.write(writer, f"{line}\n".encode())

        try:
            act(write)
            write("ended")
        finally:
            os._exit(0)
    with suppress(OSError):  # it does so itself, if it gets there first
        os.setpgid(child, child)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        lines: list[str] = []
        while not lines or lines[-1].partition(" ")[0] not in {"killed", "ended"}:
            line = pipe.readline().decode()
            if not line:
                break
            lines.append(line.rstrip("\n"))
    _end(child)
    verb, _, last = lines[-1].partition(" ") if lines else ("", "", "")
    ran = sum(line.startswith("began ") for line in lines)
    if verb == "ended":
        return "survived", None, ran
    return ("killed" if verb == "killed" else "timeout"), last or None, ran


def _be_alone() -> None:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)


def _end(child: int) -> None:
    """Whatever the fork has started goes with it."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
