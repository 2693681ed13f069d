"""Registered claims: present, of the right type, from the right issuer, for us, and in time."""

import pytest

from mintkey.claims.registered import ClaimRules, admit, take_registered
from mintkey.errors import ClaimError, ExpiredTokenError, InsufficientScopeError, NotYetValidError, Reason

GOOD = {"iss": "https://i", "exp": 200, "iat": 100, "jti": "1"}


def rules(*, audience=(), required=(), leeway=0.0, max_age=None):
    return ClaimRules.of(audience=audience, required=required, leeway=leeway, max_age=max_age)


def read(claims, audience=(), required=()):
    return take_registered(dict(claims), rules(audience=audience, required=required), issuer="https://i")


def test_what_is_left_are_the_private_claims():
    claims = {**GOOD, "aud": "a", "sub": "20", "nbf": 1, "scope": "read", "tenant": "t", "exp_": 1}
    take_registered(claims, rules(audience=("a",), required=("tenant",)), issuer="https://i")
    assert claims == {"tenant": "t", "exp_": 1}


def test_the_claims_come_out_typed():
    found = read({**GOOD, "aud": ["a", "b"], "sub": "20", "nbf": 100.5, "scope": "read  write"}, audience=("b",))
    assert found == ("https://i", "20", ("a", "b"), "1", 100, 100.5, 200, frozenset({"read", "write"}))


@pytest.mark.parametrize("name", ["iss", "exp", "iat", "jti", "aud", "tenant"])
def test_a_missing_claim_is_named(name):
    claims = {**GOOD, "aud": "a", "tenant": "t"}
    del claims[name]
    with pytest.raises(ClaimError) as caught:
        read(claims, audience=("a",), required=("tenant",))
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_MISSING, name)


def test_an_optional_id_may_be_missing_and_is_looked_at_if_it_is_there():
    wanted = ClaimRules.of(audience=(), required=(), optional=("jti",), leeway=0, max_age=None)
    without = {name: value for name, value in GOOD.items() if name != "jti"}
    assert take_registered(dict(without), wanted, issuer="https://i")[3] == ""
    assert take_registered(dict(GOOD), wanted, issuer="https://i")[3] == "1"
    for bad in ("", 5, None):
        with pytest.raises(ClaimError) as caught:
            take_registered({**without, "jti": bad}, wanted, issuer="https://i")
        assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, "jti")


@pytest.mark.parametrize("issuer", ["https://i/", "HTTPS://I", "", None, 7, ["https://i"], {"a": 1}])
def test_the_issuer_is_compared_whole(issuer):
    with pytest.raises(ClaimError) as caught:
        read({**GOOD, "iss": issuer})
    assert (caught.value.reason, caught.value.claim) == (Reason.ISSUER_MISMATCH, "iss")


@pytest.mark.parametrize(
    ("claimed", "named"),
    [("a", ()), (["a"], ()), ("b", ("a",)), (["b", "c"], ("a",)), ("A", ("a",)), ("ab", ("a",))],
)
def test_an_audience_that_is_not_named_is_refused(claimed, named):
    with pytest.raises(ClaimError) as caught:
        read({**GOOD, "aud": claimed}, audience=named)
    assert caught.value.reason is Reason.AUDIENCE_MISMATCH


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", 7),
        ("aud", []),
        ("aud", [""]),
        ("aud", ["a", 1]),
        ("aud", None),
        ("aud", {"a": 1}),
        ("exp", "200"),
        ("exp", True),
        ("exp", None),
        ("exp", -1),
        ("exp", 1e300),
        ("exp", 10**20),
        ("iat", [1]),
        ("nbf", {}),
        ("jti", ""),
        ("jti", 1),
        ("sub", ""),
        ("sub", 20),
        ("scope", ["read"]),
        ("scope", None),
    ],
)
def test_an_ill_typed_claim_is_named_and_its_value_is_not(name, value):
    with pytest.raises(ClaimError) as caught:
        read({**GOOD, name: value}, audience=("a",) if name == "aud" else ())
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, name)


def times(now, *, leeway=0.0, max_age=None, **changes):
    admit(read({**GOOD, **changes}), rules(leeway=leeway, max_age=max_age), now, ())


def test_a_token_is_good_until_its_expiry_plus_leeway_and_not_at_it():
    times(199.999)
    times(209.999, leeway=10)
    for now, leeway in ((200, 0), (210, 10)):
        with pytest.raises(ExpiredTokenError):
            times(now, leeway=leeway)


def test_a_token_is_good_from_nbf_minus_leeway():
    times(150, nbf=150)
    times(140, nbf=150, leeway=10)
    with pytest.raises(NotYetValidError) as caught:
        times(139.9, nbf=150, leeway=10)
    assert caught.value.claim == "nbf"


def test_a_token_from_the_future_is_refused():
    times(90, leeway=10)
    with pytest.raises(NotYetValidError) as caught:
        times(89, leeway=10)
    assert caught.value.claim == "iat"


def test_a_token_can_be_too_old_before_it_expires():
    times(149, max_age=50)
    with pytest.raises(ExpiredTokenError) as caught:
        times(150, max_age=50)
    assert caught.value.claim == "iat"


def test_scopes_are_compared_whole():
    claims = read({**GOOD, "scope": "admin:access-readonly read"})
    admit(claims, rules(), 150, ["read"])
    admit(claims, rules(), 150, ())
    with pytest.raises(InsufficientScopeError) as caught:
        admit(claims, rules(), 150, ["read", "admin:access"])
    assert caught.value.details["scopes"] == ("admin:access", "read")
