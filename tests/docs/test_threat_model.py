"""Every defence that the threat model names is proved by tests that exist and are run."""

import re

import pytest

from tests.docs.page import Page
from tests.docs.proofs import missing

PAGE = Page("explanation/threat-model")
ATTACKS = [
    "Anybody who can send a request",
    "Somebody with a good token who wants more",
    "Who gets hold of somebody else's token",
    "Who can read the store, its dumps and backups",
    "Who can write to the store",
    "The network, and other issuers",
]


@pytest.mark.parametrize("heading", ATTACKS, ids=range(len(ATTACKS)))
def test_every_defence_is_proved(heading: str) -> None:
    rows = [row for row in PAGE.rows(heading) if row[0] != "attack"]
    assert rows
    for attack, defence, proofs in rows:
        assert attack
        assert defence
        assert missing(proofs) == [], attack


def test_no_table_is_left_out() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.text, re.MULTILINE)
    assert headings == ["What is worth protecting", *ATTACKS, "What is not protected"]
    assert "```" not in PAGE.text
    assert len(PAGE.text.splitlines()) < 200
