"""Ask every question, one process each, and print one table with a column for each event loop.

`python -m benchmarks --quick` shows that all of them work; without it every must has to be met.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plots
from benchmarks.report import Report
from benchmarks.table import table

LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True, slots=True)
class Question:
    """One module.

    Attributes:
        name: Of the module.
        targets: What it answers, as its figures name it: numbers of targets, or a word.
        loop: Whether the event loop makes a difference; otherwise it is asked once.
    """

    name: str
    targets: tuple[str, ...] = ()
    loop: bool = True


QUESTIONS = (
    Question("codecs", ("P1", "P2", "P3", "P4", "P5")),
    Question("speed", ("P6",)),
    Question("rsa", ("P7", "P8")),
    Question("claims", ("P9", "P10", "P11", "P12")),
    Question("memory", ("P13",), loop=False),
    Question("guard", ("P14",)),
    Question("guard_served"),
    Question("caching", ("P15",)),
    Question("fleet", ("P16",), loop=False),
    Question("imports", ("P17",), loop=False),
    Question("stalls", ("stall",)),
    Question("remote", ("remote",)),
    Question("kms", ("kms",)),
    Question("growth", ("growth",), loop=False),
    Question("features"),
    Question("instructions", loop=False),
)


def main(arguments: Sequence[str]) -> int:
    """Measure, draw, print; 0 if everything ran and, unless in quick mode, every must was met under the first loop."""
    options = _options(arguments)
    asked = [one for one in QUESTIONS if not options.only or {one.name, *one.targets} & set(options.only)]
    reports: dict[str, Report] = {}
    failed: list[str] = []
    for loop in options.loops:
        answers: list[Report] = []
        for question in asked:
            if not question.loop and loop != options.loops[0]:
                continue
            report = _ask(question, loop, quick=options.quick)
            if report is None:
                failed.append(f"{question.name} ({loop})")
            else:
                answers.append(report)
        reports[loop] = _joined(answers)
    first = reports[options.loops[0]]
    if options.plots is not None:
        for plot in plots.merged(first.plots):
            print(f"wrote {plots.draw(plot, options.plots)}", file=sys.stderr)
    if options.json is not None:
        document = {loop: json.loads(report.to_json()) for loop, report in reports.items()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(table(reports, judged=not options.quick))
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed or not (options.quick or all(figure.holds for figure in first.figures)) else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: whether it works, no figures")
    parser.add_argument("--only", type=_words, default=(), help="names of questions or targets, as in codecs,P13")
    parser.add_argument("--loops", type=_words, default=LOOPS, help="asyncio, uvloop or both, which is the default")
    parser.add_argument("--plots", type=Path, help="a folder for the plots, as SVG")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    options = parser.parse_args(arguments)
    known = {word for question in QUESTIONS for word in (question.name, *question.targets)}
    for words, allowed in ((options.only, known), (options.loops, set(LOOPS))):
        if unknown := set(words) - allowed:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(allowed))}")
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _ask(question: Question, loop: str, *, quick: bool) -> Report | None:
    """The answer of one process; None if it failed, and what it said is on stderr."""
    command = [sys.executable, "-m", f"benchmarks.{question.name}", "--json"]
    command += ["--quick"] * quick + ["--uvloop"] * (loop == "uvloop")
    print(f"{question.name} ({loop}) …", file=sys.stderr, flush=True)
    started = time.perf_counter()
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own modules
    print(f"  {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    # A must that is missed is an exit code of 1 too; what counts is whether there is a report.
    return Report.from_json(run.stdout) if run.stdout.strip() else None


def _joined(reports: Sequence[Report]) -> Report:
    return Report(
        tuple(figure for report in reports for figure in report.figures),
        tuple(plot for report in reports for plot in report.plots),
        tuple(note for report in reports for note in report.notes),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
