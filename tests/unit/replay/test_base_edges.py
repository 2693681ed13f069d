"""The words of a replay store, which logs and other stores know, and what is never shown."""

import dataclasses

import pytest

from mintkey.replay.base import ClaimOutcome, ClaimStatus, StoredFamily
from mintkey.replay.family_table import FamilyTable


def test_the_words_never_change() -> None:
    outcomes = {outcome.name: outcome.value for outcome in ClaimOutcome}
    assert outcomes == {name: name.lower() for name in ("ACCEPTED", "SPENT", "RESERVED", "REVOKED", "UNPROVABLE")}
    statuses = {status.name: status.value for status in ClaimStatus}
    assert statuses == {name: name.lower() for name in ("UNUSED", "SPENT", "RESERVED", "REVOKED", "UNPROVABLE")}


def test_a_family_is_a_value_that_hides_its_document() -> None:
    family = StoredFamily(b"a secret", True)
    assert "secret" not in repr(family)
    assert not hasattr(family, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        family.document = b"another"  # type: ignore[misc]  # it is frozen


def test_two_families_whose_time_is_over_go_with_every_one_that_comes() -> None:
    table = FamilyTable()
    for number in range(4):
        table.put(f"old {number}", b"document", expires=20.0, now=0.0)
    table.put("new", b"document", expires=30.0, now=20.0)
    assert len(table) == 3
    table.put("newer", b"document", expires=30.0, now=20.0)
    assert len(table) == 2
