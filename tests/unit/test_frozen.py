"""Values stay as they are, also those of a named type of claims."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mintkey import MintRequest, PeekedToken, Purpose, VerifiedToken

FIELDS: dict[str, Any] = {
    "claims": {},
    "subject": "20",
    "issuer": "https://myapp.example",
    "audience": (),
    "scopes": frozenset[str](),
    "id": "1",
    "issued_at": datetime(2026, 1, 1, tzinfo=UTC),
    "expires_at": datetime(2026, 1, 2, tzinfo=UTC),
    "purpose": "login",
    "key_id": "k",
    "headers": {},
}
VALUES = [
    Purpose[dict[str, Any]]("login", lifetime=timedelta(minutes=10)),
    MintRequest[dict[str, Any]](subject="20"),
    VerifiedToken[dict[str, Any]](**FIELDS),
    PeekedToken[dict[str, Any]](**FIELDS),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["subject", "name", "anything", "__class__"])
def test_nothing_of_a_value_can_be_changed(value: Any, name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "other")
    with pytest.raises(FrozenInstanceError):
        delattr(value, name)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_can_be_copied_and_sent(value: Any) -> None:
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own


def test_what_was_seen_is_one_by_what_it_says_and_how_it_was_seen() -> None:
    verified, again = (VerifiedToken[dict[str, Any]](**FIELDS) for _ in range(2))
    other = VerifiedToken[dict[str, Any]](**{**FIELDS, "id": "2"})
    assert verified == again
    assert {verified, again, other} == {verified, other}
    assert verified != other
    assert verified != PeekedToken[dict[str, Any]](**FIELDS)
    assert verified != "a token"
