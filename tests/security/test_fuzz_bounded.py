"""A short run of the fuzz target, so that it keeps working and finds what is easy to find."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TARGET = Path(__file__).with_name("fuzz_compact.py")
SEEDS = TARGET.with_name("corpus")
RUNS = 20_000


def test_twenty_thousand_executions_find_nothing(tmp_path) -> None:
    if importlib.util.find_spec("atheris") is None:
        assert "CI" not in os.environ, "atheris is missing"
        pytest.skip("atheris is not installed")
    # Coverage of its own kind is atheris's business: ours would only slow it down.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["PYTHONPATH"] = str(TARGET.parents[2])  # for what tests share
    done = subprocess.run(
        [
            sys.executable,
            TARGET,
            tmp_path,
            SEEDS,
            f"-runs={RUNS}",
            "-seed=1",
            "-max_len=1024",
            "-artifact_prefix=found-",
        ],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {RUNS} runs" in done.stderr
