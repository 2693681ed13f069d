"""Every guarantee is proved by a test that exists, and every contract is run against every store it is promised for."""

import re
import tomllib

import pytest

from tests.docs.page import ROOT, Page
from tests.docs.proofs import missing
from tests.support.key_harness import PROVIDERS, STORES
from tests.support.replay_table import REPLAY_STORES

PAGE = Page("explanation/guarantees")
HEADINGS = re.findall(r"^## (.*)$", PAGE.text, re.MULTILINE)
STORES_OF_OURS = ["Memory", "File", "SQLite", "PostgreSQL", "Redis and Valkey"]


@pytest.mark.parametrize("heading", HEADINGS, ids=range(len(HEADINGS)))
def test_every_guarantee_is_proved(heading: str) -> None:
    rows = [row for row in PAGE.rows(heading) if row[0] != "promise"]
    assert len(rows) > 3
    for promise, proofs in rows:
        assert promise
        assert missing(proofs) == [], promise


def test_every_store_has_its_table_and_says_what_it_does_not_promise() -> None:
    assert [heading for heading in HEADINGS if not heading.startswith(("In every", "Beside"))] == STORES_OF_OURS
    for heading in STORES_OF_OURS:
        assert "Not promised: " in PAGE.section(heading) or heading == "Beside the stores"


def test_contracts_are_run_against_all_that_the_page_says() -> None:
    fleets = {"sqlite", "postgresql", "postgresql engine", "valkey", "debian redis", "redis cluster", "redis sentinel"}
    assert {str(one.id) for one in REPLAY_STORES} >= fleets | {"memory", "sqlite engine"}
    assert {str(one.id) for one in STORES} >= fleets | {"memory", "file", "sqlite engine"}
    assert {str(one.id) for one in PROVIDERS} >= fleets | {"memory", "file", "sealed file"}


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("by all means", "proves nothing"),
        ("`tests/docs/test_guarantees.py`", "proves nothing"),
        ("`tests/docs/test_guarantees.py::test_nothing`", "there is no tests/docs/test_guarantees.py::test_nothing"),
        ("`tests/docs/nowhere.py::test_nothing`", "there is no tests/docs/nowhere.py::test_nothing"),
        ("contract: `test_nothing`", "no contract has test_nothing"),
    ],
    ids=range(5),
)
def test_what_proves_nothing_is_noticed(cell: str, problem: str) -> None:
    assert problem in missing(cell)


def test_the_security_policy_says_what_is_needed() -> None:
    policy = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    for heading in ("Which versions", "How to tell us", "What counts", "What does not", "Supply chain"):
        assert f"## {heading}\n" in policy
    for path in re.findall(r"\]\(\.\./([\w./-]+)\)", policy):
        assert (ROOT / path).exists(), path
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ("Base dependencies are four" in policy) == (len(project["dependencies"]) == 4)
    sessions = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    for name in re.findall(r"`nox -s (\w+)`", policy):
        assert f"\ndef {name}(" in sessions
