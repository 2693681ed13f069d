"""A person may type the beginning of a kid; a guess is never made."""

from datetime import UTC, datetime

import pytest

from mintkey.cli.kids import find_version
from mintkey.errors import ConfigurationError
from mintkey.keys import KeyState, KeyVersion


def version(kid):
    return KeyVersion(
        kid=kid,
        algorithm="EdDSA",
        state=KeyState.ACTIVE,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        activates_at=None,
        retires_at=None,
        verify_until=None,
        mints=0,
        public_jwk=None,
    )


RING = [version(kid) for kid in ("abcdef-one", "abcdef-two", "abcdef", "uvwxyz-three", "ab")]


@pytest.mark.parametrize("given", ["abcdef-one", "abcdef", "uvwxyz-three", "uvwxyz", "uvwxyz-", "abcdef-t", "ab"])
def test_a_whole_kid_or_a_beginning_that_only_one_has(given):
    assert find_version(RING, given).kid.startswith(given)


def test_a_whole_kid_wins_over_those_that_begin_with_it():
    assert find_version(RING, "abcdef").kid == "abcdef"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("abcdef-", "several versions, so give more of it: abcdef-one, abcdef-two"),
        ("uvwxy", "at least 6 characters"),
        ("", "at least 6 characters"),
        ("abcdefg", "fits no version of this ring"),
        ("ABCDEF-ONE", "fits no version of this ring"),
        ("bcdef-one", "fits no version of this ring"),
    ],
)
def test_anything_else_is_refused(given, said):
    with pytest.raises(ConfigurationError, match=said):
        find_version(RING, given)


def test_the_same_kid_twice_would_be_no_kid():
    with pytest.raises(ConfigurationError, match="several"):
        find_version([version("abcdef"), version("abcdef")], "abcdef")
