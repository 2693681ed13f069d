"""RFC 7662: what a good token says, in the members of §2.2."""

import json
import time
from dataclasses import dataclass
from datetime import timedelta

import jwt
import pytest

from mintkey import Purpose, TokenVerifier
from mintkey.errors import ConfigurationError
from mintkey.jose.generation import generate
from mintkey.keys import StaticKeyResolver
from mintkey.oauth.introspection import introspect
from mintkey.oauth.revocation import revoke
from tests.support.endpoint_tokens import ACCESS, LINK, PURPOSES, SESSION


@dataclass(frozen=True)
class Typed:
    client_id: str
    email: str


TYPED = Purpose("typed", lifetime=timedelta(minutes=1), claims=Typed)


async def test_a_good_token_is_described_by_its_registered_claims_and_its_client(mintkey_tokens, mintkey_clock):
    mintkey_clock.advance(timedelta(milliseconds=700))
    issued_at = int(mintkey_clock.time())
    token = await mintkey_tokens.mint(
        ACCESS, subject="20", scopes=["write", "read"], claims={"client_id": "app", "email": "alice@example.com"}
    )
    said = await introspect(mintkey_tokens, token, PURPOSES)
    assert said == {
        "active": True,
        "scope": "read write",
        "client_id": "app",
        "token_type": "Bearer",
        "exp": issued_at + 600,
        "iat": issued_at,
        "sub": "20",
        "aud": "api",
        "iss": "https://issuer.test",
        "jti": token.id,
    }
    assert all(type(said[name]) is int for name in ("exp", "iat"))
    assert json.loads(json.dumps(said)) == said
    assert "alice" not in str(said)


async def test_what_a_token_does_not_say_is_left_out(mintkey_tokens):
    token = await mintkey_tokens.mint(SESSION)
    said = await introspect(mintkey_tokens, token, [SESSION])
    assert set(said) == {"active", "token_type", "exp", "iat", "iss", "jti"}


async def test_an_issuer_that_gives_no_ids_has_none_here():
    key = generate("EdDSA")
    foreign = Purpose("foreign", lifetime=timedelta(minutes=1), typ="JWT", optional=["jti"])
    now = int(time.time())
    token = jwt.encode(
        {"iss": "https://elsewhere", "iat": now, "exp": now + 60},
        jwt.PyJWK(dict(key.private_jwk or {})).key,
        algorithm="EdDSA",
        headers={"kid": key.kid},
    )
    async with TokenVerifier(issuer="https://elsewhere", keys=StaticKeyResolver({"keys": [key.public_jwk]})) as tokens:
        said = await introspect(tokens, token, [foreign])
    assert said == {"active": True, "token_type": "Bearer", "exp": now + 60, "iat": now, "iss": "https://elsewhere"}


async def test_several_audiences_are_a_list(mintkey_tokens):
    several = ACCESS.replace(audience=("api", "files"))
    token = await mintkey_tokens.mint(several, subject="20")
    assert (await introspect(mintkey_tokens, token, [several]))["aud"] == ["api", "files"]


async def test_typed_claims_name_the_client_and_nothing_else(mintkey_tokens):
    token = await mintkey_tokens.mint(TYPED, claims=Typed("app", "alice@example.com"))
    said = await introspect(mintkey_tokens, token, [TYPED])
    assert said["client_id"] == "app"
    assert "alice" not in str(said)


async def test_a_fraction_of_a_second_is_rounded_down(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS, subject="20", lifetime=timedelta(seconds=1.9))
    said = await introspect(mintkey_tokens, token, [ACCESS])
    assert said["exp"] == said["iat"] + 1


async def test_asking_spends_nothing(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK)
    for _ in range(5):
        assert (await introspect(mintkey_tokens, token, PURPOSES))["active"] is True
    assert await mintkey_tokens.verify(token, LINK)
    assert await introspect(mintkey_tokens, token, PURPOSES) == {"active": False}


async def test_a_token_in_use_is_still_active(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK)
    async with mintkey_tokens.redeem(token, LINK):
        assert (await introspect(mintkey_tokens, token, [LINK]))["active"] is True


async def test_what_was_given_up_is_inactive_at_once(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS, subject="20")
    assert (await introspect(mintkey_tokens, token, [ACCESS]))["active"] is True
    await revoke(mintkey_tokens, token, [ACCESS])
    assert await introspect(mintkey_tokens, token, [ACCESS]) == {"active": False}


async def test_purposes_are_tried_in_order(mintkey_tokens):
    """A resource server that may only be told of access tokens is told of nothing else."""
    session = await mintkey_tokens.mint(SESSION, subject="20")
    assert (await introspect(mintkey_tokens, session, [ACCESS, SESSION]))["active"] is True
    assert await introspect(mintkey_tokens, session, [ACCESS, LINK]) == {"active": False}


async def test_every_answer_is_the_callers_to_keep(mintkey_tokens):
    one = await introspect(mintkey_tokens, "", [ACCESS])
    one["active"] = True
    assert await introspect(mintkey_tokens, "", [ACCESS]) == {"active": False}


@pytest.mark.parametrize("token", ["", "a.b.c", None])
async def test_mistakes_of_ours_are_told_whatever_the_token_is(mintkey_tokens, token):
    with pytest.raises(ConfigurationError, match="at least one purpose"):
        await introspect(mintkey_tokens, token, [])
    blind = TokenVerifier(issuer="i", keys=mintkey_tokens._keys)
    with pytest.raises(ConfigurationError, match="replay="):
        await introspect(blind, token, [SESSION])
