"""A private claim is a name and strict JSON."""

import pytest

from mintkey.cli.claims import read_claims


def test_values_are_json():
    problems = []
    given = ['email="a=b@example.com"', "seats=5", 'roles=["editor"]', 'deep={"a": null}', " odd = true "]

    claims = read_claims(given, problems)

    assert not problems
    assert claims == {"email": "a=b@example.com", "seats": 5, "roles": ["editor"], "deep": {"a": None}, " odd ": True}


@pytest.mark.parametrize("text", ["email", "=5", ""])
def test_the_form_is_name_equals_json(text):
    problems = []

    assert read_claims([text], problems) == {}
    assert "must have the form name=json" in problems[0]


@pytest.mark.parametrize(
    "value",
    [
        "secret",
        "",
        "NaN",
        "1e999",
        "'secret'",
        '{"a": 1, "a": 2}',
        '1, "sub": 2',
        '1, "value": 2',
        "1}",
        "\ud800",
        "[" * 99,
    ],
)
def test_what_is_not_strict_json_is_refused_without_being_repeated(value):
    problems = []

    read_claims([f"plan={value}"], problems)

    assert len(problems) == 1
    assert problems[0].startswith("--claim plan: the value is not JSON")
    assert "secret" not in problems[0]


def test_a_name_is_given_once():
    problems = []

    assert read_claims(["a=1", "a=2"], problems) == {"a": 1}
    assert problems == ["--claim a is given twice"]
