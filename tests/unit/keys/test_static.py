"""Static keys: an operator's JWK Set, of which one key signs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mintkey.errors import ConfigurationError, KeyNotFoundError, Reason, UnsupportedOperationError
from mintkey.jose import jwk
from mintkey.jose.loaded import LoadedKey
from mintkey.keys.base import KeyState
from mintkey.keys.static import StaticKeyProvider, StaticKeyResolver
from mintkey.testing.clock import FakeClock

ONE, TWO = jwk.generate("EdDSA"), jwk.generate("ES256")
SECRET, OTHER_SECRET = jwk.generate("HS256"), jwk.generate("HS512")


def private(key: LoadedKey) -> dict[str, Any]:
    return dict(key.private_jwk or {})


def public(key: LoadedKey) -> dict[str, Any]:
    return dict(key.public_jwk or {})


def jwks(*keys: object) -> dict[str, Any]:
    return {"keys": list(keys)}


BOTH = jwks(private(ONE), private(TWO))


# Which key signs


async def test_the_only_key_that_can_sign_signs():
    provider = StaticKeyProvider(jwks(public(TWO), private(ONE)))
    assert (await provider.acquire()).key.kid == ONE.kid


async def test_of_several_the_named_one_signs():
    for key in (ONE, TWO):
        assert (await StaticKeyProvider(BOTH, active=key.kid).acquire()).key.kid == key.kid


def test_of_several_one_must_be_named():
    with pytest.raises(ConfigurationError, match=r"StaticKeyProvider\.active must name") as caught:
        StaticKeyProvider(BOTH)
    assert ONE.kid in str(caught.value)
    assert TWO.kid in str(caught.value)


@pytest.mark.parametrize("active", ["unknown", "", TWO.kid])
def test_the_named_key_must_be_there_and_able_to_sign(active):
    with pytest.raises(ConfigurationError, match=rf"StaticKeyProvider\.active names no key.*{ONE.kid}"):
        StaticKeyProvider(jwks(private(ONE), public(TWO)), active=active)


@pytest.mark.parametrize("keys", [jwks(), jwks(public(ONE)), jwks({**private(ONE), "key_ops": ["verify"]})])
def test_somebody_must_sign(keys):
    with pytest.raises(ConfigurationError, match="use StaticKeyResolver"):
        StaticKeyProvider(keys)


def test_a_key_that_may_not_sign_does_not_count():
    verifies = {**private(TWO), "key_ops": ["verify"]}
    assert ONE.kid in repr(StaticKeyProvider(jwks(private(ONE), verifies)))


# What is refused


def test_secrets_beside_public_keys_are_refused():
    with pytest.raises(ConfigurationError, match="secrets beside public keys"):
        StaticKeyProvider(jwks(private(ONE), private(SECRET)), active=ONE.kid)


def test_duplicate_kids_are_refused():
    with pytest.raises(ConfigurationError, match="same kid"):
        StaticKeyProvider(jwks({**private(ONE), "kid": "a"}, {**private(TWO), "kid": "a"}), active="a")


def test_all_problems_of_a_set_come_at_once():
    with pytest.raises(ConfigurationError) as caught:
        StaticKeyProvider(jwks(*BOTH["keys"], private(SECRET)), active="unknown")
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 2


@pytest.mark.parametrize("broken", ["", "no json", "[]", "{}", '{"keys": {}}', '{"keys": [1]}', b"\xff"])
def test_what_is_no_jwk_set_is_refused(broken):
    for make in (StaticKeyProvider, StaticKeyResolver):
        with pytest.raises(ConfigurationError, match=make.__name__):
            make(broken)


def test_no_error_shows_a_private_key():
    broken = {**private(ONE), "x": "AAAA"}
    with pytest.raises(ConfigurationError) as caught:
        StaticKeyProvider(jwks(broken, private(SECRET)))
    assert private(ONE)["d"] not in str(caught.value)
    assert private(ONE)["d"] not in repr(caught.value.details)


# Signing and verifying


@pytest.mark.parametrize("form", [lambda keys: keys, json.dumps, lambda keys: json.dumps(keys).encode()])
async def test_what_a_grant_signs_verifies(form):
    provider = StaticKeyProvider(form(BOTH), active=ONE.kid)
    grant = await provider.acquire(7)
    assert grant.count == 7
    key = await provider.resolve(ONE.kid)
    assert key.verify(b"input", await grant.key.sign(b"input"))
    assert key.verify_until is None


async def test_every_key_verifies():
    provider = StaticKeyProvider(BOTH, active=ONE.kid)
    assert [(await provider.resolve(key.kid)).algorithm for key in (ONE, TWO)] == ["EdDSA", "ES256"]


async def test_secrets_sign_and_verify_and_are_not_published():
    provider = StaticKeyProvider(jwks(private(SECRET), private(OTHER_SECRET)), active=SECRET.kid)
    grant = await provider.acquire()
    assert (await provider.resolve(SECRET.kid)).verify(b"input", await grant.key.sign(b"input"))
    assert not (await provider.resolve(OTHER_SECRET.kid)).verify(b"input", await grant.key.sign(b"input"))
    assert (await provider.jwks()).as_dict() == {"keys": []}


async def test_rsa_keys_sign_as_well():
    key = jwk.generate("PS256", rsa_bits=2048)
    provider = StaticKeyProvider(jwks(private(key)))
    signature = await (await provider.acquire()).key.sign(b"input")
    assert (await provider.resolve(key.kid)).verify(b"input", signature)


@pytest.mark.parametrize("kid", ["unknown", "", ONE.kid[:-1], ONE.kid + "A", ONE.kid.swapcase()])
async def test_an_unknown_kid_is_a_bad_token(kid):
    for resolver in (StaticKeyProvider(BOTH, active=ONE.kid), StaticKeyResolver(jwks(public(ONE)))):
        with pytest.raises(KeyNotFoundError) as caught:
            await resolver.resolve(kid)
        assert caught.value.reason is Reason.KEY_UNKNOWN


async def test_only_the_active_key_can_be_pinned():
    provider = StaticKeyProvider(BOTH, active=ONE.kid)
    assert (await provider.acquire(kid=ONE.kid)).key.kid == ONE.kid
    for kid in (TWO.kid, "unknown", ""):
        with pytest.raises(ConfigurationError, match="kid"):
            await provider.acquire(kid=kid)


async def test_nobody_can_want_less_than_one():
    with pytest.raises(ConfigurationError, match="want"):
        await StaticKeyProvider(BOTH, active=ONE.kid).acquire(0)


# What it tells


async def test_the_active_version_comes_first_and_the_others_only_verify():
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    provider = StaticKeyProvider(BOTH, active=TWO.kid, clock=clock)
    clock.advance(timedelta(days=1))
    active, other = await provider.versions()
    assert (active.kid, active.state, active.mints) == (TWO.kid, KeyState.ACTIVE, 0)
    assert (other.kid, other.state, other.verify_until) == (ONE.kid, KeyState.RETIRING, None)
    assert active.created_at == active.activates_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert (active.public_jwk, other.public_jwk) == (public(TWO), public(ONE))


async def test_all_public_halves_are_published():
    published = await StaticKeyProvider(BOTH, active=TWO.kid).jwks()
    assert published.as_dict() == {"keys": [public(TWO), public(ONE)]}
    assert published.max_age == timedelta(minutes=5)
    again = await StaticKeyProvider(BOTH, active=TWO.kid).jwks()
    assert published.etag == again.etag
    assert published.etag != (await StaticKeyProvider(jwks(private(TWO))).jwks()).etag


async def test_its_operator_rotates_and_revokes():
    provider = StaticKeyProvider(BOTH, active=ONE.kid)
    for attempt, advice in ((provider.rotate(), "add the new key"), (provider.revoke(ONE.kid), "out of the set")):
        with pytest.raises(UnsupportedOperationError, match=advice) as caught:
            await attempt
        assert caught.value.reason is Reason.UNSUPPORTED
    assert await provider.prune() == 0
    assert provider.max_token_age is None


async def test_it_can_be_entered_and_closed():
    for each in (StaticKeyProvider(BOTH, active=ONE.kid), StaticKeyResolver(jwks(public(ONE)))):
        async with each as entered:
            assert (await entered.resolve(ONE.kid)).kid == ONE.kid
        await each.aclose()


def test_nobody_shows_a_private_key():
    provider = StaticKeyProvider(BOTH, active=ONE.kid)
    assert repr(provider) == f"<StaticKeyProvider of 2 key(s), {ONE.kid} signs>"
    assert repr(StaticKeyResolver(jwks(public(ONE)))) == "<StaticKeyResolver of 1 key(s)>"


# The resolver


async def test_a_resolver_keeps_no_private_half():
    resolver = StaticKeyResolver(BOTH)
    key = await resolver.resolve(ONE.kid)
    grant = await StaticKeyProvider(BOTH, active=ONE.kid).acquire()
    assert key.verify(b"input", await grant.key.sign(b"input"))
    assert not hasattr(key, "sign")


def test_a_resolver_refuses_secrets():
    with pytest.raises(ConfigurationError, match="secret"):
        StaticKeyResolver(jwks(private(SECRET)))


def test_a_resolver_without_keys_is_a_mistake():
    with pytest.raises(ConfigurationError, match="no key"):
        StaticKeyResolver(jwks())


def test_a_resolver_refuses_duplicate_kids():
    with pytest.raises(ConfigurationError, match="same kid"):
        StaticKeyResolver(jwks({**public(ONE), "kid": "a"}, {**public(TWO), "kid": "a"}))
