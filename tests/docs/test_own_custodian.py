"""The custodian of the guide passes its contract when a user runs it, and fails without what it keeps."""

import re
from pathlib import Path

import pytest

from tests.docs.page import Page
from tests.docs.users_tests import run_tests

PAGE = Page("own-custodian")


def test_it_passes_its_contract(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks())
    assert re.search(r"^1\d passed in ", printed, re.MULTILINE), printed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (('return b"".join(', 'return der or b"".join('), "test_what_it_signs_verifies"),
        (("!= material.kid:", "!= material.kid and False:"), "test_a_handle_of_another_key_does_not_sign"),
    ],
    ids=["DER", "any key"],
)
def test_what_is_left_out_is_found(tmp_path: Path, change: tuple[str, str], found: str) -> None:
    assert f"FAILED test_page.py::TestCustodian::{found}" in run_tests(tmp_path, PAGE.blocks(), change)


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
