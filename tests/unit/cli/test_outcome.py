"""Whatever ends a command is one line, one reason word, one exit code."""

import json

import pytest
import typer

from mintkey import errors
from mintkey.cli.outcome import BrokenPromiseError, ExitCode, outcome_of
from mintkey.errors import MintkeyError, Reason

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIyMCJ9.c2lnbmF0dXJlIHRoYXQgaXMgbG9uZw"

CODES = {
    errors.InvalidTokenError: ExitCode.REFUSED,
    errors.ConfigurationError: ExitCode.USAGE,
    errors.BackendError: ExitCode.BACKEND,
}


def raisable() -> list[MintkeyError]:
    classes = [getattr(errors, name) for name in errors.__all__ if name != "Reason"]
    return [kind("what is wrong", reason=reason) for kind in classes for reason in kind.reasons]


@pytest.mark.parametrize("error", raisable(), ids=lambda error: str(error.reason))
def test_every_reason_has_the_exit_code_of_its_kind(error):
    outcome = outcome_of(error)

    assert outcome.code == next(code for kind, code in CODES.items() if isinstance(error, kind))
    assert outcome.reason == error.reason
    assert outcome.message.startswith("what is wrong")
    assert outcome.retryable == error.retryable
    assert not outcome.is_mistake


def test_a_message_of_several_lines_becomes_one():
    assert outcome_of(errors.ConfigurationError("first\n  second")).message == "first second"


def test_a_missing_extra_names_the_one_that_brings_everything():
    outcome = outcome_of(errors.MissingExtraError("SQLAlchemy is missing"))

    assert "pip install 'mintkey[cli]'" in outcome.message


def test_what_the_parser_says_is_cut_where_it_may_be_a_token():
    outcome = outcome_of(typer.BadParameter(f"unexpected {TOKEN}."))

    assert (outcome.code, outcome.reason) == (ExitCode.USAGE, "usage")
    assert outcome.message.startswith("Invalid value: unexpected …; a token goes to stdin")


def test_the_operating_system_is_a_backend():
    assert outcome_of(OSError(28, "No space left on device")).message.endswith("says: No space left on device")
    assert outcome_of(OSError("secret")).message.endswith("says: error")


def test_a_broken_promise_is_told_as_it_is():
    outcome = outcome_of(BrokenPromiseError("promised: one; found: two"))

    assert (outcome.code, outcome.reason, outcome.message) == (1, "broken_promise", "promised: one; found: two")


def test_our_own_mistake_is_told_by_its_type_alone():
    outcome = outcome_of(KeyError(TOKEN))

    assert outcome.is_mistake
    assert (outcome.code, outcome.reason) == (ExitCode.BACKEND, "internal")
    assert "KeyError" in outcome.message
    assert TOKEN not in outcome.message


def test_the_report_is_a_line_for_people_or_an_object_for_programs(capsys):
    outcome = outcome_of(errors.TokenReplayedError("spent before"))

    outcome.report(as_json=False)
    outcome.report(as_json=True)

    for_people, for_programs = capsys.readouterr().err.splitlines()
    assert for_people == "mintkey: replayed: spent before; mint a new one"
    assert json.loads(for_programs) == {
        "error": {"reason": Reason.REPLAYED, "message": "spent before; mint a new one", "retryable": False}
    }
