"""Every advisory that the page tells of is covered by families and tests that exist and are not empty."""

import re

import pytest

from tests.docs.page import ROOT, Page
from tests.security.attacks.corpus import ALGORITHMS, FAMILIES, cases, families_of

PAGE = Page("explanation/advisories")
HEADINGS = [
    "Which algorithm",
    "Keys and secrets",
    "Signatures",
    "Two readings of one token",
    "Claims",
    "Time and memory",
]
NUMBER = r"CVE-20\d\d-\d{4,}|GHSA(?:-[2-9cfghjmpqrvwx]{4}){3}"


def rows(heading: str) -> list[list[str]]:
    return [row for row in PAGE.rows(heading) if row[0] != "advisory"]


def families(proofs: str) -> list[str]:
    return re.findall(r"family: `([\w-]+)`", proofs)


@pytest.mark.parametrize("heading", HEADINGS, ids=range(len(HEADINGS)))
def test_every_advisory_is_covered(heading: str) -> None:
    assert rows(heading)
    for numbers, library, what, proofs in rows(heading):
        assert re.fullmatch(rf"(?:{NUMBER})(?:, (?:{NUMBER}))*", numbers), numbers
        assert library
        assert what
        tests = re.findall(r"test: `(tests/[\w/]+\.py)::(\w+)`", proofs)
        assert len(families(proofs)) + len(tests) == proofs.count("`") // 2 > 0, numbers
        assert set(families(proofs)) <= set(FAMILIES), numbers
        for path, name in tests:
            source = (ROOT / path).read_text(encoding="utf-8")
            body = re.search(rf"^ *(?:async )?def {name}\(.*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL)
            assert body, name
            assert re.search(r"\bassert\b|pytest\.raises", body[0]), name


@pytest.mark.parametrize("family", sorted({family for h in HEADINGS for row in rows(h) for family in families(row[3])}))
def test_no_family_that_is_named_is_empty(family: str) -> None:
    """What covers an advisory refuses something, for an algorithm that the family is about."""
    algorithm = next(one for one in reversed(ALGORITHMS) if family in families_of(one))
    assert sum(case.verdict == "refused" for case in cases(algorithm, family)) >= 10


def test_no_advisory_is_told_twice_and_no_table_is_left_out() -> None:
    numbers = [number for heading in HEADINGS for row in rows(heading) for number in row[0].split(", ")]
    assert len(set(numbers)) == len(numbers) >= 40
    assert re.findall(NUMBER, PAGE.text) == numbers
    assert re.findall(r"^## (.*)$", PAGE.text, re.MULTILINE) == HEADINGS
    assert re.findall(r"for each of the (\d+) algorithms", PAGE.text) == [str(len(ALGORITHMS))]
