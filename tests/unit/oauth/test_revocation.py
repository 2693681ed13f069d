"""RFC 7009: what holders may give up is refused from then on."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from mintkey import Purpose, TokenVerifier
from mintkey.errors import ConfigurationError, TokenRevokedError
from mintkey.oauth.client_claim import client_of
from mintkey.oauth.revocation import revoke
from tests.support.endpoint_tokens import ACCESS, LINK, PURPOSES, SESSION


@dataclass(frozen=True)
class Typed:
    client_id: str = ""


PLAIN = Purpose("plain", lifetime=timedelta(minutes=1))
TYPED = Purpose("typed", lifetime=timedelta(minutes=1), revocable=True, claims=Typed)


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_a_token_of_any_of_the_purposes_is_revoked(mintkey_tokens, purpose):
    token, other = [await mintkey_tokens.mint(purpose, subject="20") for _ in range(2)]
    assert await revoke(mintkey_tokens, token, PURPOSES) is None
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(token, purpose)
    assert await mintkey_tokens.verify(other, purpose)


async def test_revoking_again_changes_nothing(mintkey_tokens):
    """RFC 7009 §2.2: an invalid token is no error, because what was wanted is so already."""
    token = await mintkey_tokens.mint(SESSION, subject="20")
    for _ in range(3):
        await revoke(mintkey_tokens, token, [SESSION])
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(token, SESSION)


async def test_a_purpose_that_is_not_listed_is_not_touched(mintkey_tokens):
    token = await mintkey_tokens.mint(SESSION, subject="20")
    await revoke(mintkey_tokens, token, [ACCESS, LINK])
    assert await mintkey_tokens.verify(token, SESSION)


async def test_a_spent_token_can_be_given_up_too(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK)
    await mintkey_tokens.verify(token, LINK)
    await revoke(mintkey_tokens, token, [LINK])
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(token, LINK)


@pytest.mark.parametrize("claims", [{}, {"client_id": "other"}, {"client_id": ["app"]}, {"client_id": None}])
async def test_a_client_revokes_only_its_own(mintkey_tokens, claims):
    """RFC 7009 §2.1; the client hears the same either way."""
    own = await mintkey_tokens.mint(SESSION, subject="20", claims={"client_id": "app"})
    others = await mintkey_tokens.mint(SESSION, subject="20", claims=claims)
    for token in (own, others):
        assert await revoke(mintkey_tokens, token, [ACCESS, SESSION], client_id="app") is None
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(own, SESSION)
    assert await mintkey_tokens.verify(others, SESSION)


async def test_typed_claims_name_the_client_too(mintkey_tokens):
    own, others = [await mintkey_tokens.mint(TYPED, claims=Typed(client)) for client in ("app", "other")]
    for token in (own, others):
        await revoke(mintkey_tokens, token, [TYPED], client_id="app")
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(own, TYPED)
    assert await mintkey_tokens.verify(others, TYPED)


@pytest.mark.parametrize("claims", [{}, {"client_id": 5}, {"client_id": None}, Typed.client_id, object(), None, []])
def test_whatever_names_no_client_is_nobodys(claims):
    assert client_of(claims) is None


@pytest.mark.parametrize("token", ["", "a.b.c", None])
async def test_purposes_that_cannot_be_revoked_are_a_mistake_whatever_the_token_is(mintkey_tokens, token):
    """Told at the first call of all, not when the first such token comes."""
    with pytest.raises(ConfigurationError, match="plain is neither revocable nor for single use"):
        await revoke(mintkey_tokens, token, [SESSION, PLAIN])
    with pytest.raises(ConfigurationError, match="at least one purpose"):
        await revoke(mintkey_tokens, token, [])
    blind = TokenVerifier(issuer="i", keys=mintkey_tokens._keys)
    for client_id in (None, "app"):
        with pytest.raises(ConfigurationError, match="replay="):
            await revoke(blind, token, [SESSION], client_id=client_id)
