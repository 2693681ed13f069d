"""The benchmark of fleets measures what it says; its figures are no test."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_fleet_benchmark_counts_what_a_server_was_asked() -> None:
    command = [sys.executable, "-m", "benchmarks.fleet", "--quick", "--json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    figures = json.loads(run.stdout)
    assert [(figure["processes"], figure["mints"]) for figure in figures] == [(1, 300), (2, 600)]
    # A look, the first ring, and some blocks for each process; far fewer than tokens.
    assert all(5 * figure["processes"] < figure["round_trips"] < figure["mints"] / 5 for figure in figures)
