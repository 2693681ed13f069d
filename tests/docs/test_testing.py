"""The tests of the guide to testing pass when a user runs them, and find what they are there to find."""

from pathlib import Path

import mintkey.testing.plugin
from mintkey.testing import Flaw, StoreFault
from tests.docs.page import Page
from tests.docs.users_tests import run_tests

PAGE = Page("testing")
GUARD = 'Security(bearer, scopes=["orders:read"])'


def test_all_of_it_passes(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks())
    assert "36 passed" in printed, printed


def test_they_find_a_guard_that_is_missing(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks(), (GUARD, "Security(lambda: verified_token(API))"))
    failed = {"test_scopes_are_asked_for": 2, "test_the_guard_is_there": 14}
    assert {name: printed.count(f"FAILED test_page.py::{name}") for name in failed} == failed
    assert f"{sum(failed.values())} failed" in printed


def test_the_fixtures_are_those_of_the_plugin() -> None:
    named = [row[0].strip("`") for row in PAGE.rows("Two fixtures")[1:]]
    assert named == mintkey.testing.plugin.__all__


def test_every_flaw_is_explained() -> None:
    named = [(row[0].strip("`"), row[2].strip("`")) for row in PAGE.rows("Tokens that must be refused")[1:]]
    assert named == [(flaw.name, flaw.reason.value) for flaw in Flaw]


def test_every_fault_is_explained() -> None:
    named = [row[0].strip("`") for row in PAGE.rows("A store that fails")[1:]]
    assert named == [str(fault) for fault in StoreFault]


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
