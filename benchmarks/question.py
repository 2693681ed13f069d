"""Ask one question from the command line: `python -m benchmarks.QUESTION [--quick] [--json] [--uvloop]`."""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence

from benchmarks import SPEED, WITHOUT
from benchmarks.report import Report
from benchmarks.rounds import Scale
from benchmarks.table import table

__all__ = ["Measure", "ask", "run"]

Measure = Callable[[Scale], Awaitable[Report]]
"""The one public function of every question."""


def ask(measure: Measure, arguments: Sequence[str], /, *, without: str = SPEED) -> int:
    """Measure and print; the exit code says whether every must was met (in quick mode: that it ran).

    Args:
        measure: The question.
        arguments: Of the command line.
        without: Packages that are not used though they may be installed: what is measured is what a plain
            `pip install mintkey` gets. They must be missing before anything is imported, so a process that has them
            starts one that has not.
    """
    if os.environ.get(WITHOUT, "") != without:
        command = [sys.executable, *sys.orig_argv[1:]]
        return subprocess.run(command, env={**os.environ, WITHOUT: without}, check=False).returncode  # noqa: S603
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: whether it works, no figures")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--uvloop", action="store_true", help="under uvloop")
    options = parser.parse_args(arguments)
    if options.quick:
        print("quick mode: whether it works; the figures mean nothing", file=sys.stderr)
    report = run(measure, Scale(quick=options.quick), uvloop=options.uvloop)
    loop = "uvloop" if options.uvloop else "asyncio"
    print(report.to_json() if options.json else table({loop: report}, judged=not options.quick))
    return 0 if options.quick or all(figure.holds for figure in report.figures) else 1


def run(measure: Measure, scale: Scale, /, *, uvloop: bool = False) -> Report:
    """The answer, measured under the loop of the standard library or under uvloop."""

    async def main() -> Report:
        return await measure(scale)

    if uvloop:
        import uvloop as fast

        factory: Callable[[], asyncio.AbstractEventLoop] | None = fast.new_event_loop
    else:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())
