"""The replay store of the guide passes its contract when a user runs it, and fails without what it keeps."""

import re
from pathlib import Path

import pytest

from tests.docs.page import Page
from tests.docs.users_tests import run_tests

PAGE = Page("own-replay-store")


def test_it_passes_its_contract(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks())
    assert re.search(r"^3\d passed, 6 skipped in ", printed, re.MULTILINE), printed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("if await self._remembers(issued_at):\n            return", "if True:\n            return"), "unprovable"),
        (("max(now + life(expires_at, now), mark.until if mark else 0)", "expires_at.timestamp()"), "outlives"),
    ],
    ids=["no look at the memory", "no margin"],
)
def test_what_is_left_out_is_found(tmp_path: Path, change: tuple[str, str], found: str) -> None:
    assert re.search(rf"FAILED test_page.py::TestStore::\w*{found}", run_tests(tmp_path, PAGE.blocks(), change))


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
