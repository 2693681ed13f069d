"""What the README shows runs, says what it says, and its commands are the ones that CI runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.page import ROOT, Page

PAGE = Page("README")
INTO_A_VENV = "python3 -m venv .venv && .venv/bin/pip install "
TRY, TEST = PAGE.blocks("sh")


def test_the_example_runs_as_it_stands(tmp_path):
    (example,) = PAGE.blocks()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("https://myapp.example/login?token=ey")
    assert lines[1:] == ["for alice@example.com", "signed in: 20", "refused: replayed"]


def test_the_readme_is_short():
    assert len(PAGE.text.split()) < 600


def test_the_first_command_installs_and_runs_the_demo(tmp_path):
    assert TRY.strip() == f"{INTO_A_VENV}'.[cli]' && .venv/bin/mintkey demo"
    done = subprocess.run(
        [sys.executable, "-m", "mintkey", "demo"],  # of what is installed already
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0


def test_ci_runs_the_readmes_test_command_and_nothing_else():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert TEST.strip() in script
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert len(commands) == 3


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_every_test_that_a_page_names_exists(page):
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
        source = (ROOT / path).read_text(encoding="utf-8")
        assert name in source, f"{path}::{name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_every_promise_of_a_contract_that_a_page_names_is_tested(page):
    contracts = (ROOT / "src" / "mintkey" / "testing" / "contracts").glob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in contracts)
    for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")):
        assert f"async def {name}(" in source, name
