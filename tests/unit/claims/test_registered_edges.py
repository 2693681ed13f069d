"""Registered claims to the instant: the last moment in which a token is good, and the first in which it is not."""

import pytest

from mintkey.claims.registered import ClaimRules, RegisteredClaims, admit, scope_words, take_registered
from mintkey.errors import (
    ClaimError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    NotYetValidError,
    Reason,
)

ISSUED, NOT_BEFORE, EXPIRES, LEEWAY, MAX_AGE = 1000.0, 1010.0, 1500.0, 7.0, 100.0
INSTANT = 1e-6
LATEST = 253_370_764_800


def rules(*, audience: tuple[str, ...] = (), max_age: float | None = None) -> ClaimRules:
    return ClaimRules.of(audience=audience, required=(), leeway=LEEWAY, max_age=max_age)


def claims(*, not_before: float | None = None, scopes: frozenset[str] = frozenset()) -> RegisteredClaims:
    return "https://i", None, (), "1", ISSUED, not_before, EXPIRES, scopes


# What ends or begins, the moment of it, the rules and claims, the error, and the claim that it names.
LAST_MOMENTS = {
    "exp": (EXPIRES + LEEWAY, rules(), claims(), ExpiredTokenError, "exp"),
    "max_age": (ISSUED + MAX_AGE + LEEWAY, rules(max_age=MAX_AGE), claims(), ExpiredTokenError, "iat"),
}
FIRST_MOMENTS = {
    "nbf": (NOT_BEFORE - LEEWAY, rules(), claims(not_before=NOT_BEFORE), NotYetValidError, "nbf"),
    "iat": (ISSUED - LEEWAY, rules(), claims(), NotYetValidError, "iat"),
}


def refusal(now: float, wanted: ClaimRules, found: RegisteredClaims) -> InvalidTokenError:
    with pytest.raises(InvalidTokenError) as caught:
        admit(found, wanted, now, ())
    return caught.value


@pytest.mark.parametrize("name", LAST_MOMENTS)
def test_a_token_is_good_until_its_end_and_the_leeway_and_not_in_that_moment(name: str) -> None:
    end, wanted, found, error, claim = LAST_MOMENTS[name]
    admit(found, wanted, end - INSTANT, ())
    refused = refusal(end, wanted, found)
    assert isinstance(refused, error)
    assert refused.claim == claim


@pytest.mark.parametrize("name", FIRST_MOMENTS)
def test_a_token_is_good_from_its_beginning_less_the_leeway_and_in_that_moment(name: str) -> None:
    begin, wanted, found, error, claim = FIRST_MOMENTS[name]
    admit(found, wanted, begin, ())
    refused = refusal(begin - INSTANT, wanted, found)
    assert isinstance(refused, error)
    assert refused.claim == claim


def test_who_asks_for_no_scope_needs_none_and_who_asks_for_some_is_told_all() -> None:
    admit(claims(), rules(), ISSUED, ())
    admit(claims(scopes=frozenset({"a", "b"})), rules(), ISSUED, {"b"})
    with pytest.raises(InsufficientScopeError) as caught:
        admit(claims(scopes=frozenset({"a"})), rules(), ISSUED, ["b", "a"])
    assert caught.value.details == {"scopes": ("a", "b")}


GOOD = {"iss": "https://i", "exp": 200, "iat": 100, "jti": "1"}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("instant", [0, 0.0, LATEST, float(LATEST)])
def test_an_instant_may_be_the_first_and_the_last(name: str, instant: float) -> None:
    take_registered({**GOOD, name: instant}, rules(), issuer="https://i")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("instant", [-1, -INSTANT, LATEST + 1, LATEST + 0.5, True, "0", None, [0]], ids=str)
def test_an_instant_is_a_number_between_them(name: str, instant: object) -> None:
    with pytest.raises(ClaimError) as caught:
        take_registered({**GOOD, name: instant}, rules(), issuer="https://i")
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, name)


@pytest.mark.parametrize(
    ("audience", "reason"),
    [
        ("other", Reason.AUDIENCE_MISMATCH),
        (["other", "another"], Reason.AUDIENCE_MISMATCH),
        ("", Reason.CLAIM_INVALID),
        ([], Reason.CLAIM_INVALID),
        (["us", ""], Reason.CLAIM_INVALID),
        (["us", 7], Reason.CLAIM_INVALID),
        ([["us"]], Reason.CLAIM_INVALID),
        (7, Reason.CLAIM_INVALID),
        (None, Reason.CLAIM_INVALID),
    ],
    ids=str,
)
def test_an_audience_names_us_or_says_what_is_wrong(audience: object, reason: Reason) -> None:
    with pytest.raises(ClaimError) as caught:
        take_registered({**GOOD, "aud": audience}, rules(audience=("us",)), issuer="https://i")
    assert (caught.value.reason, caught.value.claim) == (reason, "aud")


def test_a_token_of_another_issuer_names_the_claim() -> None:
    with pytest.raises(ClaimError) as caught:
        take_registered(dict(GOOD), rules(), issuer="https://j")
    assert (caught.value.reason, caught.value.claim) == (Reason.ISSUER_MISMATCH, "iss")


@pytest.mark.parametrize("name", ["jti", "sub"])
@pytest.mark.parametrize("value", ["", 7, None], ids=["empty", "number", "null"])
def test_texts_are_texts(name: str, value: object) -> None:
    with pytest.raises(ClaimError) as caught:
        take_registered({**GOOD, name: value}, rules(), issuer="https://i")
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, name)


def test_words_of_a_scope_are_parted_by_spaces_and_nothing_else() -> None:
    assert scope_words(" a  b\tc ") == {"a", "b\tc"}
    assert scope_words("") == frozenset()
