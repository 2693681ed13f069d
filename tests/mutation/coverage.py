"""Which test runs which line, and how long it takes: measured once on the program as it is, in a fork."""

import os
import pickle
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

import pytest

from tests.mutation.transplant import TOOL, monitoring

__all__ = ["Coverage", "measure", "run_item"]


@dataclass
class Coverage:
    """What a run of all tests showed.

    Attributes:
        lines: File and line to the tests that run it.
        seconds: How long each test took.
        failed: Tests that fail though nothing is changed; they prove nothing.
    """

    lines: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def tests_of(self, file: str, lines: Iterable[int]) -> set[str]:
        """Who runs one of some lines."""
        return {test for line in lines for test in self.lines.get((file, line), ())} - self.failed

    def tests_within(self, file: str) -> set[str]:
        """Who runs anything of a file."""
        return {test for (where, _), tests in self.lines.items() if where == file for test in tests} - self.failed

    def passed(self) -> set[str]:
        """Every test that passes as long as nothing is changed."""
        return self.seconds.keys() - self.failed


def measure(items: Sequence[pytest.Item], codes: Iterable[CodeType]) -> Coverage:
    """Run all tests in a fork, so that this process stays as fresh as it is."""
    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    path = Path(name)
    child = os.fork()
    if not child:
        try:
            path.write_bytes(pickle.dumps(_measured(items, codes)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    try:
        coverage: Coverage = pickle.loads(path.read_bytes())  # noqa: S301 - our own
    finally:
        path.unlink()
    return coverage


def _measured(items: Sequence[pytest.Item], codes: Iterable[CodeType]) -> Coverage:
    found = Coverage()
    here: set[tuple[str, int]] = set()

    def note(code: CodeType, line: int) -> object:
        here.add((code.co_filename, line))
        return monitoring.DISABLE

    line_event = monitoring.events.LINE
    monitoring.use_tool_id(TOOL, "mutation")
    monitoring.register_callback(TOOL, line_event, note)
    for code in codes:
        monitoring.set_local_events(TOOL, code, line_event)
    for item, after in zip(items, [*items[1:], None], strict=True):
        here.clear()
        monitoring.restart_events()
        began_at = time.perf_counter()
        if not run_item(item, after or item):
            found.failed.add(item.nodeid)
        found.seconds[item.nodeid] = time.perf_counter() - began_at
        for place in here:
            found.lines.setdefault(place, set()).add(item.nodeid)
    return found


def run_item(item: pytest.Item, after: pytest.Item | None) -> bool:
    """Run one test with its fixtures, as pytest does; nothing is reported.

    Args:
        item: The test.
        after: The next one, whose fixtures stay.

    Returns:
        Whether it did not fail.
    """
    watch = _Watch()
    item.config.pluginmanager.register(watch)
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
    finally:
        item.config.pluginmanager.unregister(watch)
    return not watch.has_failed


class _Watch:
    has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.has_failed |= report.failed
