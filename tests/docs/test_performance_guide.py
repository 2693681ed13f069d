"""What the guide to performance shows runs, and shows what the benchmarks draw and answer."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import QUESTIONS
from tests.docs.page import ROOT, Page

PAGE = Page("performance")


def test_the_example_runs_as_it_stands(tmp_path: Path):
    (example,) = PAGE.blocks()
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1000 tokens\n"


def test_the_commands_name_questions_and_targets_that_there_are():
    known = {word for question in QUESTIONS for word in (question.name, *question.targets)}
    (commands,) = PAGE.blocks("sh")
    lines = [shlex.split(line, comments=True) for line in commands.splitlines()]
    assert all(line[:3] == ["nox", "-s", "bench"] for line in lines)
    only = [word for line in lines if "--only" in line for word in line[line.index("--only") + 1].split(",")]
    assert only
    assert set(only) <= known


def test_every_plot_is_one_that_the_benchmarks_draw():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    source += "time-per-token-mint time-per-token-verify"  # put together from what was done
    for text, name in re.findall(r"!\[(.*?)\]\(\.\./img/([\w-]+)\.svg\)", PAGE.text):
        assert name in source, name
        assert len(text.split()) > 6, f"{name}: say what it shows"
