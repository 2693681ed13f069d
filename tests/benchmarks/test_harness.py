"""The harness: turns that alternate, reports that travel, a table and plots that say what was measured."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import SPEED, WITHOUT, plots
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Sample, Scale, Subject, interleaved, repeated
from benchmarks.table import number, table
from benchmarks.ticker import Held
from tests.benchmarks.needs import require

ROOT = Path(__file__).parents[2]

FIGURE = Figure("P1", "EdDSA mint", 0.84, must=0.80, aim=0.88)
STALL = Figure("", "stall", 7.0, unit="ms", must=10, aim=5, at_least=False)
PLOT = Plot(
    file="bars",
    title="Time",
    x="",
    y="µs",
    lines=(Line("PyJWT", ("EdDSA", "HS256"), (45.0, 24.0)), Line("mintkey", ("EdDSA",), (36.0,))),
    kind="bars",
    log_y=True,
    values=True,
)
LINES = Plot(
    file="lines",
    title="Growth",
    x="tasks",
    y="ms",
    lines=(Line("measured", (1, 10, 100), (1.0, 2.0, 3.0)), Line("limit", (1, 100), (5.0, 5.0), reference=True)),
    log_x=True,
    values=True,
)


# Rounds


async def test_each_round_gives_everybody_one_turn_in_another_order():
    turns: list[tuple[str, int]] = []

    def subject(name: str) -> Subject:
        async def run(calls: int) -> None:
            turns.append((name, calls))

        return run

    samples = await interleaved({name: subject(name) for name in "abc"}, scale=Scale(), calls=10)
    assert turns[:3] == [("a", 2), ("b", 2), ("c", 2)]  # warming up
    rounds = [turns[first : first + 3] for first in range(3, len(turns), 3)]
    assert len(rounds) == Scale().rounds
    assert all(sorted(one) == [("a", 10), ("b", 10), ("c", 10)] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 3
    assert {name: len(sample.seconds) for name, sample in samples.items()} == dict.fromkeys("abc", Scale().rounds)


async def test_a_slice_of_time_is_as_long_for_everybody(monkeypatch: pytest.MonkeyPatch):
    now = 0.0
    turns: dict[str, list[int]] = {"quick": [], "slow": []}

    def subject(name: str, seconds: float) -> Subject:
        async def run(calls: int) -> None:
            nonlocal now
            turns[name].append(calls)
            now += calls * seconds

        return run

    monkeypatch.setattr("benchmarks.rounds.time.perf_counter", lambda: now)
    subjects = {"quick": subject("quick", 2**-16), "slow": subject("slow", 2**-12)}
    samples = await interleaved(subjects, scale=Scale())
    assert samples["quick"].seconds == (2**-16,) * Scale().short_rounds
    assert samples["slow"].times_faster_than(samples["quick"]) == 1 / 16
    slices = {"quick": turns["quick"][-1] * 2**-16, "slow": turns["slow"][-1] * 2**-12}
    assert slices["quick"] == pytest.approx(slices["slow"], rel=0.05) == pytest.approx(0.025, rel=0.05)


async def test_a_plain_call_is_repeated():
    calls: list[None] = []
    await repeated(lambda: calls.append(None))(7)
    assert len(calls) == 7


def test_a_ratio_is_that_of_the_rounds():
    ours, theirs = Sample((1.0, 4.0, 2.0)), Sample((2.0, 8.0, 6.0))
    assert ours.median == 2
    assert ours.times_faster_than(theirs) == 2


def test_the_quick_scale_is_small():
    assert (Scale().rounds, Scale().short_rounds, Scale().of(20_000)) == (9, 15, 20_000)
    assert (Scale(quick=True).rounds, Scale(quick=True).of(1_000_000), Scale(quick=True).of(3)) == (2, 1000, 3)


def test_the_stall_of_a_round_is_compared_with_the_other_of_that_round():
    held, other = Held((0.002, 0.004, 0.050), (1.0, 2.0, 9.0)), Held((0.020, 0.080, 0.100), (2.0, 2.0, 3.0))
    assert (held.stall, held.worst, held.time) == (4, 50, 2)
    assert held.stall_times(other) == 0.1
    assert held.time_times(other) == 1


# Reports


@pytest.mark.parametrize(
    ("figure", "mark"),
    [
        (FIGURE, "must"),
        (replace(FIGURE, value=0.9), "aim"),
        (replace(FIGURE, value=0.7), "MISSED"),
        (replace(FIGURE, aim=None), "aim"),
        (replace(FIGURE, must=None, aim=None), ""),
        (STALL, "must"),
        (replace(STALL, value=4.0), "aim"),
        (replace(STALL, value=11.0), "MISSED"),
    ],
)
def test_a_figure_knows_what_it_reaches(figure: Figure, mark: str):
    assert figure.mark == mark
    assert figure.holds == (mark != "MISSED")


def test_a_report_survives_the_way_between_processes():
    report = Report((FIGURE, STALL), (PLOT, LINES), ("valgrind is not installed",))
    assert Report.from_json(report.to_json()) == report


def test_a_figure_that_could_not_be_had_is_no_figure():
    with pytest.raises(ValueError, match="not JSON compliant"):
        Report((replace(FIGURE, value=float("nan")),)).to_json()


# Table


def test_the_table_has_a_column_for_each_loop():
    rows = table(
        {
            "asyncio": Report((FIGURE, STALL), notes=("something",)),
            "uvloop": Report((replace(FIGURE, value=0.7),)),
        }
    ).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("| ")]
    assert cells == [
        ["target", "what", "unit", "must", "aim", "asyncio", "mark", "uvloop", "mark"],
        ["P1", "EdDSA mint", "x", "≥ 0.8", "≥ 0.88", "0.84", "must", "0.70", "MISSED"],
        ["", "stall", "ms", "≤ 10", "≤ 5", "7.00", "must", "–", ""],
    ]
    assert len({len(row) for row in rows if row.startswith("|")}) == 1
    assert rows[-1] == "Note: something"


def test_the_table_of_a_quick_run_judges_nothing():
    assert "MISSED" not in table({"asyncio": Report((replace(FIGURE, value=0.1),))}, judged=False)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.00"), (0.00042, "0.00042"), (0.5, "0.50"), (-12.34, "-12.3"), (1234.5, "1,234")]
)
def test_a_figure_has_the_digits_that_mean_something(value: float, text: str):
    assert number(value) == text


# Plots


@pytest.mark.parametrize("plot", [PLOT, LINES], ids=lambda plot: plot.file)
def test_the_same_figures_make_the_same_file(plot: Plot, tmp_path: Path):
    require("matplotlib")
    first = plots.draw(plot, tmp_path / "first")
    assert first.name == f"{plot.file}.svg"
    text = first.read_text(encoding="utf-8")
    assert text == plots.draw(plot, tmp_path / "second").read_text(encoding="utf-8")
    assert all(line.name in text for line in plot.lines)
    assert plot.title in text


def test_questions_may_share_a_plot():
    more = replace(PLOT, lines=(Line("mintkey + speed", ("EdDSA",), (27.0,)),))
    joined, other = plots.merged([PLOT, LINES, more])
    assert joined == replace(PLOT, lines=PLOT.lines + more.lines)
    assert other == LINES


def test_what_was_measured_in_another_minute_is_scaled_by_what_both_measured():
    plot = replace(PLOT, common="PyJWT")
    slower = replace(plot, lines=(Line("PyJWT", ("EdDSA",), (90.0,)), Line("mintkey + speed", ("EdDSA",), (60.0,))))
    (joined,) = plots.merged([plot, slower])
    assert joined.lines == (*PLOT.lines, Line("mintkey + speed", ("EdDSA",), (30.0,)))


# The commands


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_one_table_one_file_and_the_plots_of_what_was_asked_for(tmp_path: Path):
    require("matplotlib")
    figures = tmp_path / "figures.json"
    done = run(
        "-m", "benchmarks", "--quick", "--only", "features,P17", "--plots", str(tmp_path), "--json", str(figures)
    )
    assert done.returncode == 0, done.stderr
    assert "import mintkey, times import joserfc.jwt" in done.stdout
    assert "asyncio" in done.stdout
    assert "uvloop" in done.stdout
    assert "features (uvloop) …" in done.stderr
    assert "imports (uvloop)" not in done.stderr  # no loop in it
    reports = {loop: Report.from_json(json.dumps(one)) for loop, one in json.loads(figures.read_text()).items()}
    assert len(reports["asyncio"].figures) == len(reports["uvloop"].figures) + 1
    assert (tmp_path / "features.svg").exists()


@pytest.mark.parametrize("options", [["--only", "P99"], ["--loops", "trio"]])
def test_what_is_unknown_is_refused(options: list[str]):
    done = run("-m", "benchmarks", *options)
    assert done.returncode == 2
    assert "unknown: " in done.stderr


def test_questions_are_asked_without_the_speed_extra():
    imports = "import benchmarks, sys; print([sys.modules.get(name, 0) for name in ('nacl', 'orjson')])"
    assert run("-c", imports, **{WITHOUT: SPEED}).stdout.strip() == "[None, None]"
    assert run("-c", imports, **{WITHOUT: ""}).stdout.strip() == "[0, 0]"
