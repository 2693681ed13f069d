"""Short runs of the fuzz targets: what is easy to find is found here, what is not by `nox -s fuzz`."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.fuzz.campaign import campaign, corpus_of
from tests.security.fuzz.registry import NAMES, target_of
from tests.security.fuzz.target import Finding

pytestmark = pytest.mark.filterwarnings("ignore")  # SQLAlchemy has its own opinion of a parameter that it ignores

RUNS = 700
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_their_neighbours_hold_no_finding(name: str) -> None:
    target = target_of(name)
    assert campaign(name, target, runs=200) == 200 + len(corpus_of(name, target))


@pytest.mark.parametrize("name", NAMES)
def test_guided_executions_find_nothing(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        assert "CI" not in os.environ, "atheris is missing"
        pytest.skip("atheris is not installed")
    # Coverage of its own kind is atheris's business: ours would only slow it down.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.fuzz", name, f"--runs={RUNS}", "--seed=1"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = re.fullmatch(r"(\w+): ([0-9,]+) executions, no finding\n", done.stdout)
    assert found is not None
    assert (found[1], found[2]) == (name, f"{RUNS:,}")


def test_a_finding_is_told_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mintkey.claims.strict_json._MAX_NUMBER_LENGTH", 31)
    with pytest.raises(Finding, match=r"json: b'.*99999999999999999999999999999999"):
        campaign("json", target_of("json"), runs=0)
