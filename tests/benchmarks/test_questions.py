"""Every benchmark runs and answers what it should; its figures are no test."""

import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import guard_served, instructions, plots
from benchmarks.__main__ import QUESTIONS, Question
from benchmarks.report import Report
from benchmarks.rounds import Scale
from tests.benchmarks.needs import require

ROOT = Path(__file__).parents[2]

RIVALS = ("authlib", "itsdangerous")
NEEDS = {
    "caching": RIVALS,
    "codecs": RIVALS,
    "guard": ("fastapi",),
    "guard_served": ("fastapi", "uvicorn"),
    "kms": ("aiobotocore", "moto"),
    "speed": (*RIVALS, "nacl", "orjson"),
}

# Differences of two times, which noise may turn below zero in as few turns as a test has.
DIFFERENCES = {"growth", "guard", "guard_served", "imports"}

# Nothing here is time, so it is known on every machine.
BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    # A look, the first ring, and some blocks for each process; far fewer than tokens.
    "fleet": {
        "store round trips a mint, 1 process": (5 / 300, 1 / 5),
        "store round trips a mint, 2 processes": (5 / 300, 1 / 5),
    },
    "instructions": {
        "EdDSA mint, above the bare signature": (1_000, 1_000_000),
        "HS256 mint": (1_000, 1_000_000),
        "HS256 verify": (1_000, 1_000_000),
        "claim in Redis, 50 tasks": (1_000, 1_000_000),
    },
}


def asked(name: str, *options: str) -> Report:
    require(*NEEDS.get(name, ()))
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return Report.from_json(run.stdout)


def test_every_target_has_its_question():
    targets = [target for question in QUESTIONS for target in question.targets if target.startswith("P")]
    assert sorted(targets) == sorted(f"P{number}" for number in range(1, 18))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_answers_for_its_targets(question: Question, tmp_path: Path):
    report = asked(question.name)
    if report.notes and not report.figures:
        pytest.skip(report.notes[0])
    figures = report.figures
    assert {figure.target for figure in figures} - {""} == set(question.targets)
    assert len({figure.what for figure in figures}) == len(figures)
    assert all(math.isfinite(figure.value) for figure in figures)
    assert question.name in DIFFERENCES or all(figure.value >= 0 for figure in figures)
    assert all(figure.must is not None for figure in figures if figure.target.startswith("P"))
    bounds = BOUNDS.get(question.name)
    if bounds is not None:
        assert [figure.what for figure in figures] == list(bounds)
        assert all(least < figure.value < most for figure, (least, most) in zip(figures, bounds.values(), strict=True))
    require("matplotlib")
    for plot in plots.merged(report.plots):
        assert plots.draw(plot, tmp_path).stat().st_size > 0


def test_codecs_are_measured_against_everybody_and_under_uvloop_too():
    report = asked("codecs", "--uvloop")
    mint, verify = report.plots
    names = ["bare cryptography", "mintkey", "PyJWT", "joserfc", "Authlib", "itsdangerous"]
    for plot in (mint, verify):
        assert sorted(line.name for line in plot.lines) == sorted(names)
        assert {line.name: line.xs for line in plot.lines}["itsdangerous"] == ("HS256",)
        assert all(y > 0 for line in plot.lines for y in line.ys)
    assert {figure.what for figure in report.figures if figure.target == "P4"} == {
        f"{algorithm} verify, times PyJWT by kid" for algorithm in ("EdDSA", "ES256", "RS256", "HS256")
    }


def test_what_is_left_out_of_a_table_is_said():
    hidden = "import runpy, sys; sys.modules['nacl'] = None; sys.argv[1:] = ['--quick', '--json'];"
    require(*RIVALS)
    command = [sys.executable, "-c", f"{hidden} runpy.run_module('benchmarks.speed', run_name='__main__')"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert Report.from_json(run.stdout) == Report((), notes=("speed was not measured: nacl cannot be imported",))


async def test_without_wrk_nothing_is_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = await guard_served.measure(Scale(quick=True))
    assert report == Report((), notes=("guard_served: not available, wrk is not installed",))


def test_only_good_answers_are_counted():
    good = "  2 threads\n\n  1998 requests in 1.00s, 0.30MB read\nRequests/sec:   1998.00\n"
    assert guard_served.answered(good) == 1998
    for bad in (
        "",
        "  0 requests in 1.00s, 0.00B read\n",
        f"{good}  Non-2xx or 3xx responses: 1\n",
        f"{good}  Socket errors: 1",
    ):
        with pytest.raises(ValueError, match="wrk"):
            guard_served.answered(bad)


async def test_without_valgrind_no_instructions_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = await instructions.measure(Scale(quick=True))
    assert report == Report((), notes=("instructions: not available, valgrind is not installed",))


def test_instructions_are_read_from_the_counters():
    assert instructions.total("# callgrind format\nevents: Ir\nsummary: 12\n\nfn=(1)\n0 12\n\ntotals: 1234\n") == 1234
