"""How a token of a family stands, and what is remembered of it."""

from functools import partial

import pytest

from mintkey.refresh.family import Family, Standing, access_id, decode, encode

GRACE, LEEWAY = 10.0, 2.0
FIRST = Family(0, "t0", issued_at=100.0, ends_at=1000.0)


def refreshed(family, *moments):
    """Refreshed at each of these moments; the tokens are called t0, t1, and so on."""
    for moment in moments:
        family = family.refreshed(f"t{family.generation + 1}", now=moment, grace=GRACE)
    return family


def standing(family, generation, now, *, token_id=None):
    token_id = f"t{generation}" if token_id is None else token_id
    return family.standing(generation, token_id, now=now, grace=GRACE, leeway=LEEWAY)


def test_the_newest_token_is_to_be_exchanged():
    assert standing(FIRST, 0, 100.0) is Standing.CURRENT
    assert standing(FIRST, 0, 999.9) is Standing.CURRENT
    assert standing(refreshed(FIRST, 200.0), 1, 200.0) is Standing.CURRENT


@pytest.mark.parametrize(("after", "expected"), [(0.0, "REPEATED"), (9.999, "REPEATED"), (10.0, "REUSED")])
def test_the_window_of_a_replaced_token_is_half_open(after, expected):
    assert standing(refreshed(FIRST, 200.0), 0, 200.0 + after) is Standing[expected]


def test_without_grace_no_window_is_ever_open():
    family = FIRST.refreshed("t1", now=200.0, grace=0.0)
    assert family.standing(0, "t0", now=200.0, grace=0.0, leeway=LEEWAY) is Standing.REUSED


def test_a_token_whose_successor_was_replaced_too_has_its_own_window():
    family = refreshed(FIRST, 200.0, 205.0)
    assert standing(family, 0, 209.9) is Standing.REPEATED
    assert standing(family, 0, 210.0) is Standing.REUSED
    assert standing(family, 1, 210.0) is Standing.REPEATED
    assert standing(family, 1, 215.0) is Standing.REUSED


def test_only_windows_that_are_open_are_remembered():
    family = refreshed(FIRST, 200.0, 205.0, 206.0)
    assert family.earlier == (205.0, 200.0)
    assert refreshed(family, 212.0).earlier == (206.0, 205.0)
    assert refreshed(family, 300.0).earlier == ()


def test_a_clock_that_is_behind_closes_no_window():
    """The one before was replaced by a clock that is three seconds ahead."""
    family = refreshed(FIRST, 208.0, 205.0, 215.5)
    assert family.earlier == (205.0, 208.0)
    assert standing(family, 0, 215.5) is Standing.REPEATED


def test_a_loop_forgets_its_oldest_windows():
    family = refreshed(FIRST, *(200.0 + number / 10 for number in range(40)))
    assert standing(family, 40 - 16, 204.0) is Standing.REPEATED
    assert standing(family, 40 - 17, 204.0) is Standing.REUSED
    assert len(encode(family)) < 512


@pytest.mark.parametrize("generation", [0, 1, 2, 3])
def test_nothing_of_a_revoked_family_is_good(generation):
    family = refreshed(FIRST, 200.0, 205.0).revoked("by me")
    assert standing(family, generation, 206.0) is Standing.REVOKED
    assert standing(family, generation, 2000.0) is Standing.REVOKED


def test_two_who_revoke_at_once_write_different_documents():
    assert encode(FIRST.revoked("one")) != encode(FIRST.revoked("two"))


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_a_family_ends_for_all_its_tokens(generation):
    family = refreshed(FIRST, 998.0)
    assert standing(family, generation, 999.9) is not Standing.ENDED
    assert standing(family, generation, 1000.0) is Standing.ENDED


def test_a_token_that_is_newer_than_the_memory_was_forgotten():
    assert standing(FIRST, 1, 200.0) is Standing.FORGOTTEN


def test_another_token_of_the_newest_generation_is_reuse():
    """The store forgot the first, and somebody was quicker with the one before."""
    assert standing(FIRST, 0, 200.0, token_id="other") is Standing.REUSED


def test_what_would_be_refused_as_issued_in_the_future_is_not_given_out():
    """Clocks that differ by as much as tokens may are no trouble."""
    family = refreshed(FIRST, 200.0)
    assert standing(family, 0, 198.0) is Standing.REPEATED
    assert standing(family, 0, 197.9) is Standing.EARLY
    assert standing(refreshed(FIRST, 200.9), 0, 198.0) is Standing.REPEATED


def test_tokens_live_for_as_long_as_their_kind_and_their_family():
    assert FIRST.lifetime(300.0) == 300.0
    assert refreshed(FIRST, 800.7).lifetime(300.0) == 200.0


def test_a_document_comes_back_as_it_was():
    for family in (FIRST, refreshed(FIRST, 200.5, 200.123456), FIRST.revoked("me")):
        assert decode(encode(family)) == family


@pytest.mark.parametrize(
    "document",
    [b"", b"\xff", b"{}", b"[]", b'{"v":2}', *map(partial(encode(FIRST).replace, b'"v":1'), [b'"v":2', b'"w":1'])],
    ids=str,
)
def test_a_document_of_somebody_else_is_not_read(document):
    with pytest.raises(ValueError):
        decode(document)


def test_an_access_token_gets_its_id_from_the_refresh_token():
    assert access_id("a") == access_id("a")
    assert len({access_id("a"), access_id("b"), "a", "b"}) == 4
    assert len(access_id("a")) == 22
