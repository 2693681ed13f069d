"""What a driver raises is passed on without the parameters of its statement."""

import sqlite3

from sqlalchemy.exc import OperationalError

from mintkey.sql.errors import cause_of, explain


def test_the_cause_is_the_drivers_own_exception() -> None:
    """The wrapper's text shows the statement and its parameters."""
    original = sqlite3.OperationalError("database is locked")
    wrapped = OperationalError("INSERT INTO t VALUES (?)", {"document": b"private"}, original)
    assert "private" in str(wrapped)
    assert cause_of(wrapped) is original


def test_what_is_not_wrapped_is_the_cause_itself() -> None:
    refused = ConnectionRefusedError("no")
    assert cause_of(refused) is refused
    assert cause_of(without_original := OperationalError("", {}, None)) is without_original  # type: ignore[arg-type]


def test_an_explanation_is_one_line() -> None:
    """PostgreSQL shows the values of columns on the lines that follow."""
    assert explain(ValueError("duplicate key\nDETAIL: Key (name)=(secret) exists")) == "duplicate key"
    assert explain(ValueError()) == "ValueError"
    assert explain(TimeoutError()) == "no answer in time"
