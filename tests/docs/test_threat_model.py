"""Every defence that the threat model names is proved by tests that exist and are run."""

import re

import pytest

from tests.docs.page import ROOT, Page

PAGE = Page("explanation/threat-model")
ATTACKS = [
    "Anybody who can send a request",
    "Somebody with a good token who wants more",
    "Who gets hold of somebody else's token",
    "Who can read the store, its dumps and backups",
    "Who can write to the store",
    "The network, and other issuers",
]
CONTRACTS = ROOT / "src" / "mintkey" / "testing" / "contracts"


@pytest.mark.parametrize("heading", ATTACKS, ids=range(len(ATTACKS)))
def test_every_defence_is_proved(heading: str) -> None:
    rows = [row for row in PAGE.rows(heading) if row[0] != "attack"]
    assert rows
    promises = "".join(path.read_text(encoding="utf-8") for path in CONTRACTS.glob("*.py"))
    for attack, defence, proofs in rows:
        assert attack
        assert defence
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", proofs)
        promised = re.findall(r"contract: `(\w+)`", proofs)
        assert named or promised, attack
        assert len(named) + len(promised) == proofs.count("`") // 2, attack
        for path, name in named:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^ *(?:async )?def {name}\(", source, re.MULTILINE), name
        for name in promised:
            assert f"async def {name}(" in promises


def test_no_table_is_left_out() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.text, re.MULTILINE)
    assert headings == ["What is worth protecting", *ATTACKS, "What is not protected"]
    assert "```" not in PAGE.text
    assert len(PAGE.text.splitlines()) < 200
