"""The ring store of the guide passes its contract when a user runs it, and fails without what it keeps."""

import re
from pathlib import Path

import mintkey.keys
import mintkey.replay
import mintkey.testing
from tests.docs.page import Page
from tests.docs.users_tests import run_tests

PAGE = Page("own-backend")


def test_it_passes_its_contract(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks())
    assert re.search(r"^2\d passed, 3 skipped in ", printed, re.MULTILINE), printed


def test_a_cap_that_is_soft_is_found(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PAGE.blocks(), ("= min(want, limit - used)", "= want"))
    assert "FAILED test_page.py::TestStore::test_a_reservation_stops_at_the_limit" in printed


def test_every_name_in_the_table_exists() -> None:
    lines = PAGE.text.partition("\n## ")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")][2:]
    assert len(rows) == 4
    for _, port, methods, contract in rows:
        (protocol,) = re.findall(r"`(\w+)`", port)
        kind = getattr(mintkey.keys, protocol, None) or getattr(mintkey.replay, protocol)
        public = {name for name in dir(kind) if not name.startswith("_")}
        assert set(re.findall(r"`(\w+)`", methods)) == public - {"max_token_age"}, protocol
        assert contract.strip(" `") in mintkey.testing.__all__


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
