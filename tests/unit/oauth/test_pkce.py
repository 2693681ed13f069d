"""PKCE by RFC 7636: S256 and nothing else, and no answer but yes or no to whatever strangers send."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.errors import ConfigurationError
from mintkey.oauth import pkce

# RFC 7636, Appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def test_the_example_of_the_standard():
    assert pkce.challenge(VERIFIER) == CHALLENGE
    assert pkce.matches(VERIFIER, CHALLENGE)
    assert pkce.METHOD == "S256"


def test_verifiers_are_random_and_of_the_shape_that_servers_accept():
    verifiers = {pkce.new_verifier() for _ in range(100)}
    assert len(verifiers) == 100
    for verifier in verifiers:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier)
        assert pkce.matches(verifier, pkce.challenge(verifier))


@given(st.text(alphabet=UNRESERVED, min_size=43, max_size=128), st.text(alphabet=UNRESERVED, min_size=43, max_size=128))
def test_every_verifier_matches_its_own_challenge_and_no_other(one, other):
    assert pkce.matches(one, pkce.challenge(one))
    assert pkce.matches(one, pkce.challenge(other)) is (one == other)


@pytest.mark.parametrize(
    "verifier",
    ["", "a" * 42, "a" * 129, "a" * 43 + "\n", "a" * 42 + "=", "a" * 42 + "é", "a" * 42 + "+", "a" * 42 + "\ud800"],
    ids=repr,
)
def test_what_is_no_verifier_has_no_challenge_and_matches_nothing(verifier):
    with pytest.raises(ConfigurationError, match="RFC 7636") as caught:
        pkce.challenge(verifier)
    assert not verifier or verifier not in str(caught.value)
    assert not pkce.matches(verifier, CHALLENGE)


@pytest.mark.parametrize("method", ["plain", None, "", "s256", "S256 ", "S512", b"S256", 5])
def test_no_other_method_is_accepted(method):
    """Left out means `plain` (RFC 7636 §4.3), which whoever sees the request can answer."""
    assert not pkce.matches(VERIFIER, VERIFIER, method=method)
    assert not pkce.matches(VERIFIER, CHALLENGE, method=method)


def test_a_challenge_that_is_the_verifier_itself_is_not_met():
    assert not pkce.matches(VERIFIER, VERIFIER)
    assert not pkce.matches(CHALLENGE, CHALLENGE)


@pytest.mark.parametrize("missing", [None, "", 0, b"", []])
def test_what_is_absent_matches_nothing(missing):
    """Else a code asked for without a challenge could be redeemed with any verifier (RFC 9700 §4.8.2)."""
    assert not pkce.matches(missing, CHALLENGE)
    assert not pkce.matches(VERIFIER, missing)
    assert not pkce.matches(missing, missing)


@given(st.text() | st.binary() | st.none() | st.integers(), st.text() | st.binary() | st.none() | st.integers())
def test_whatever_strangers_send_is_answered(verifier, expected):
    assert pkce.matches(verifier, expected) is False
    assert pkce.matches(VERIFIER, expected) is (expected == CHALLENGE)
    assert pkce.matches(verifier, CHALLENGE) is (verifier == VERIFIER)
