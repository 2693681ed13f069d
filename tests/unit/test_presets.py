"""Presets against the standards that they cite."""

from datetime import timedelta

import pytest

from mintkey import Purpose, presets
from mintkey.errors import ClaimError, ConfigurationError, PurposeMismatchError, Reason
from mintkey.jose.base64url import decode

API = presets.ACCESS.replace(audience="https://api.test", required=("sub", "client_id"))


async def test_an_access_token_has_what_rfc_9068_requires(mintkey_tokens):
    """§2.1 and §2.2."""
    token = await mintkey_tokens.mint(API, subject="20", claims={"client_id": "app"}, scopes=["read"])
    header, payload, _ = token.split(".")
    assert b'"typ":"at+jwt"' in decode(header)
    for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"):
        assert f'"{name}":'.encode() in decode(payload)
    found = await mintkey_tokens.verify(token, API, scopes=["read"])
    assert found.claims == {"client_id": "app"}


@pytest.mark.parametrize(
    ("request_", "missing"),
    [({"subject": "20"}, "client_id"), ({"claims": {"client_id": "app"}}, "sub"), ({}, "client_id, sub")],
)
async def test_an_access_token_without_them_is_not_minted(mintkey_tokens, request_, missing):
    with pytest.raises(ConfigurationError, match=missing):
        await mintkey_tokens.mint(API, **request_)


async def test_nor_is_one_accepted_that_another_service_minted(mintkey_tokens):
    lax = presets.ACCESS.replace(audience="https://api.test")
    token = await mintkey_tokens.mint(lax, subject="20")
    assert await mintkey_tokens.verify(token, lax)
    with pytest.raises(ClaimError) as caught:
        await mintkey_tokens.verify(token, API)
    assert (caught.value.claim, caught.value.reason) == ("client_id", Reason.CLAIM_MISSING)


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "at+jwt2", "xat+jwt"])
async def test_no_other_token_of_the_same_issuer_is_an_access_token(mintkey_tokens, typ):
    """§4: an ID token for the same audience, for instance; the type keeps them apart."""
    other = Purpose("other", lifetime=API.lifetime, audience=API.audience, typ=typ)
    token = await mintkey_tokens.mint(other, subject="20", claims={"client_id": "app"})
    with pytest.raises(PurposeMismatchError):
        await mintkey_tokens.verify(token, API)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
async def test_the_type_may_be_spelled_as_the_standard_allows(mintkey_tokens, typ):
    """§4, and RFC 7515 §4.1.9."""
    other = Purpose("other", lifetime=API.lifetime, audience=API.audience, typ=typ)
    token = await mintkey_tokens.mint(other, subject="20", claims={"client_id": "app"})
    assert await mintkey_tokens.verify(token, API)


async def test_an_access_token_for_another_resource_server_is_refused(mintkey_tokens):
    """§4."""
    token = await mintkey_tokens.mint(API, subject="20", claims={"client_id": "app"})
    with pytest.raises(ClaimError) as caught:
        await mintkey_tokens.verify(token, API.replace(audience="https://other.test"))
    assert caught.value.reason is Reason.AUDIENCE_MISMATCH


def test_access_tokens_are_short_and_need_no_store():
    assert presets.ACCESS.lifetime <= timedelta(minutes=15)
    assert not presets.ACCESS.stateful
    assert presets.ACCESS.required == {"sub"}
