"""What a refresh token says of its session."""

import pytest

from mintkey import ClaimError, PurposeMismatchError, Reason
from mintkey.refresh.session import Session, claims_of, read_session


def read(claims, **of):
    return read_session(claims, subject="20", scopes={"write", "read"}, access="access", **of)


GOOD = {"family": "f", "generation": 3, "access": "access"}


@pytest.mark.parametrize("claims", [None, {}, {"role": "editor", "nested": {"a": [1]}}], ids=str)
def test_a_session_comes_back_as_it_was(claims):
    session = Session(family="f", subject="20", scopes=("read", "write"), claims=claims)
    assert read(claims_of(session, generation=3, access="access")) == (session, 3)


def test_other_claims_do_not_disturb():
    assert read({**GOOD, "tenant": "t"})[0].family == "f"


@pytest.mark.parametrize("name", ["family", "generation", "access"])
def test_a_token_that_no_flow_minted_lacks_something(name):
    with pytest.raises(ClaimError) as caught:
        read({member: value for member, value in GOOD.items() if member != name})
    assert (caught.value.claim, caught.value.reason) == (name, Reason.CLAIM_MISSING)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family", ""),
        ("family", 1),
        ("generation", -1),
        ("generation", True),
        ("generation", "1"),
        ("generation", 1.0),
        ("claims", []),
        ("claims", "x"),
    ],
)
def test_a_token_that_is_none_of_ours_has_something_else(name, value):
    with pytest.raises(ClaimError) as caught:
        read({**GOOD, name: value})
    assert (caught.value.claim, caught.value.reason) == (name, Reason.CLAIM_INVALID)


def test_a_token_leads_to_access_tokens_of_one_purpose():
    with pytest.raises(PurposeMismatchError):
        read({**GOOD, "access": "admin"})


def test_a_session_shows_nobody():
    assert "20" not in repr(Session(family="f", subject="20", scopes=(), claims={"email": "20"}))
