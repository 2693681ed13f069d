"""`docs/explanation/timing.md` has a line for every question that is measured; its verdicts are those of the tests."""

import pytest

from tests.docs.page import Page
from tests.docs.proofs import TEST, missing
from tests.security.timing.measuring import LIMIT
from tests.security.timing.questions import OPEN, SECRET

PAGE = Page("explanation/timing")


@pytest.mark.parametrize(
    ("heading", "questions", "is_told"),
    [("Nothing about secrets", SECRET, False), ("What it does tell", OPEN, True)],
    ids=["secret", "open"],
)
def test_every_question_has_a_line(heading, questions, is_told) -> None:
    rows = [row for row in PAGE.rows(heading) if not row[0].startswith("what a clock")]
    assert [row[0] for row in rows] == [question.about for question in questions.values()]
    for about, _, t in rows:
        assert (abs(float(t.replace("−", "-"))) > LIMIT) == is_told, about


def test_the_limit_is_the_one_of_the_tests() -> None:
    assert f"Beyond {LIMIT} either way" in PAGE.text


def test_the_proofs_are_there() -> None:
    named = [f"`{path}::{name}`" for path, name in TEST.findall(PAGE.text)]
    assert len(named) == 4
    for proof in named:
        assert missing(proof) == []
