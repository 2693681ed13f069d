"""Minting: what a request may ask, what comes out, and what is refused before a key is touched."""

import asyncio
import dataclasses
import json
import pickle
from base64 import urlsafe_b64decode
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from mintkey import ConfigurationError, MintRequest, Purpose, Reason, TokenService
from mintkey.errors import KeyProviderError
from mintkey.keys import KeyState, MemoryKeyProvider, RotationPolicy

MINUTE = timedelta(minutes=1)
LOGIN = Purpose("login", lifetime=10 * MINUTE, audience="web", headers=["x-tenant"])


def decode(token):
    return [json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


async def test_a_token_says_what_it_is_for(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LOGIN, subject="20", claims={"email": "a@b"}, scopes=["read", "write"])
    header, claims = decode(token)
    now = int(mintkey_clock.time())
    assert header == {"alg": "EdDSA", "kid": token.key_id, "typ": "login+jwt"}
    assert claims == {
        "iss": "https://issuer.test",
        "sub": "20",
        "aud": "web",
        "scope": "read write",
        "email": "a@b",
        "iat": now,
        "exp": now + 600,
        "jti": token.id,
    }
    assert token.expires_at == datetime.fromtimestamp(now + 600, UTC)
    assert token.purpose == "login"


async def test_a_minted_token_is_a_string_that_never_shows_itself(mintkey_tokens):
    token = await mintkey_tokens.mint(LOGIN, subject="20")
    assert isinstance(token, str)
    assert f"{token}" == str(token) == json.loads(json.dumps(token))
    assert str(token) not in repr(token)
    again = pickle.loads(pickle.dumps(token))  # noqa: S301 - our own bytes
    assert (again, again.id, again.key_id) == (token, token.id, token.key_id)


async def test_a_request_may_change_what_the_purpose_leaves_open(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(
        LOGIN,
        audience=["a", "b"],
        lifetime=MINUTE,
        not_before=mintkey_clock.now() + timedelta(seconds=5.5),
        token_id="my-id",
        headers={"x-tenant": "t1"},
    )
    header, claims = decode(token)
    now = int(mintkey_clock.time())
    assert (claims["aud"], claims["exp"], claims["nbf"]) == (["a", "b"], now + 60, now + 5.5)
    assert (claims["jti"], token.id, header["x-tenant"]) == ("my-id", "my-id", "t1")
    assert "sub" not in claims


async def test_a_fraction_of_a_second_is_kept_in_the_expiry_and_not_in_the_issue_time(mintkey_tokens, mintkey_clock):
    mintkey_clock.advance(timedelta(seconds=0.75))
    _, claims = decode(await mintkey_tokens.mint(LOGIN, lifetime=timedelta(seconds=1.5)))
    assert isinstance(claims["iat"], int)
    assert claims["exp"] == claims["iat"] + 1.5


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"claims": {"exp": 1, "iss": "x"}}, "exp, iss"),
        ({"claims": {"scope": "x"}}, "scope"),
        ({"claims": [("a", 1)]}, "mapping"),
        ({"claims": {"a": object()}}, "JSON"),
        ({"claims": {"a": float("nan")}}, "JSON"),
        ({"lifetime": 11 * MINUTE}, "lifetime"),
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"subject": ""}, "subject"),
        ({"token_id": ""}, "token_id"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"scopes": ["a b"]}, "scopes"),
        ({"scopes": [""]}, "scopes"),
        ({"not_before": datetime(2026, 1, 1)}, "not_before"),  # noqa: DTZ001 - the mistake
        ({"headers": {"x-other": 1}}, "x-other"),
        ({"headers": {"alg": "none"}}, "alg"),
        ({"kid": "no-such-key"}, "pinned"),
        ({"claims": {"a": "x" * 20_000}}, "max_token_bytes"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused(mintkey_tokens, arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        await mintkey_tokens.mint(LOGIN, **arguments)


async def test_all_problems_of_a_request_are_told_at_once(mintkey_tokens):
    with pytest.raises(ConfigurationError) as caught:
        await mintkey_tokens.mint(LOGIN, subject="", token_id="", lifetime=-MINUTE, claims={"iat": 1})
    assert len(caught.value.details["problems"]) == 4


async def test_a_token_never_outlives_the_keys_that_verify_it(mintkey_tokens):
    week = Purpose("week", lifetime=timedelta(days=7))
    with pytest.raises(ConfigurationError, match=r"(?s)Purpose\.lifetime.*previous_ttl"):
        await mintkey_tokens.mint(week)
    day = Purpose("day", lifetime=timedelta(days=1), leeway=timedelta(0))
    await mintkey_tokens.mint(day)


async def test_claims_that_the_purpose_requires_must_be_given(mintkey_tokens):
    purpose = Purpose("p", lifetime=MINUTE, required=["sub", "tenant", "jti"])
    with pytest.raises(ConfigurationError, match="sub, tenant"):
        await mintkey_tokens.mint(purpose)
    await mintkey_tokens.mint(purpose, subject="20", claims={"tenant": "t"})


@dataclasses.dataclass
class Order:
    amount: int


async def test_typed_claims_must_be_given_when_they_have_no_default(mintkey_tokens):
    with pytest.raises(ConfigurationError, match="amount"):
        await mintkey_tokens.mint(Purpose("order", lifetime=MINUTE, claims=Order))


async def test_the_callers_mapping_is_left_alone(mintkey_tokens):
    claims = {"email": "a@b", "list": [1]}
    await mintkey_tokens.mint(LOGIN, claims=claims)
    assert claims == {"email": "a@b", "list": [1]}


async def test_many_tokens_come_in_order_and_are_all_different(mintkey_tokens):
    requests = [MintRequest(subject=str(number), claims={"n": number}) for number in range(150)]
    tokens = await mintkey_tokens.mint_many(LOGIN, requests)
    assert [decode(token)[1]["sub"] for token in tokens] == [str(number) for number in range(150)]
    assert len({token.id for token in tokens}) == 150
    assert await mintkey_tokens.mint_many(LOGIN, []) == []


async def test_either_all_of_many_fit_or_none_is_minted(mintkey_tokens):
    requests = [MintRequest(subject="1"), MintRequest(subject=""), MintRequest(lifetime=-MINUTE)]
    with pytest.raises(ConfigurationError, match=r"(?s)request 1: .*request 2: "):
        await mintkey_tokens.mint_many(LOGIN, requests)
    assert sum(version.mints for version in await mintkey_tokens._provider.versions()) == 0


async def test_many_tokens_spread_over_versions_when_the_cap_is_small(mintkey_clock):
    keys = MemoryKeyProvider(policy=RotationPolicy(max_mints=4), clock=mintkey_clock)
    tokens = TokenService(issuer="i", keys=keys, clock=mintkey_clock)
    minted = await tokens.mint_many(LOGIN, [MintRequest(subject=str(number)) for number in range(10)])
    by_key: dict[str, int] = {}
    for token in minted:
        by_key[token.key_id] = by_key.get(token.key_id, 0) + 1
        assert (await tokens.verify(token, LOGIN)).key_id == token.key_id
    assert sorted(by_key.values()) == [2, 4, 4]


async def test_a_mint_can_be_pinned_to_the_next_key(mintkey_tokens):
    versions = {version.state: version for version in await mintkey_tokens._provider.versions()}
    pending = versions[KeyState.PENDING]
    token = await mintkey_tokens.mint(LOGIN, kid=pending.kid)
    assert token.key_id == pending.kid
    assert (await mintkey_tokens.verify(token, LOGIN)).key_id == pending.kid


async def test_a_pinned_key_at_its_cap_says_so(mintkey_clock):
    keys = MemoryKeyProvider(policy=RotationPolicy(max_mints=1), clock=mintkey_clock)
    tokens = TokenService(issuer="i", keys=keys, clock=mintkey_clock)
    first = await tokens.mint(LOGIN)
    with pytest.raises(KeyProviderError) as caught:
        await tokens.mint(LOGIN, kid=first.key_id)
    assert caught.value.reason is Reason.KEY_EXHAUSTED


async def test_the_key_set_is_served_with_what_caches_need(mintkey_tokens):
    token = await mintkey_tokens.mint(LOGIN)
    jwks = await mintkey_tokens.jwks()
    assert token.key_id in {key["kid"] for key in jwks.as_dict()["keys"]}
    assert all(key["kty"] == "OKP" and "d" not in key for key in jwks.as_dict()["keys"])
    assert jwks.etag.startswith('"')
    assert timedelta(0) < jwks.max_age < timedelta(minutes=15)


def test_a_request_hides_people_from_logs():
    assert "alice" not in repr(MintRequest(subject="alice", claims={"email": "alice@example.com"}))


async def test_any_number_of_types_can_be_minted(mintkey_tokens):
    """Prepared headers are kept for a few of them, and made anew for the others."""
    for number in range(300):
        purpose = Purpose(f"type-{number}", lifetime=MINUTE)
        assert (await mintkey_tokens.mint(purpose)).purpose == purpose.name
    assert len(mintkey_tokens._headers) <= 256


async def test_no_key_signs_more_than_its_cap_however_many_mint_at_once(mintkey_clock):
    keys = MemoryKeyProvider(policy=RotationPolicy(max_mints=7), clock=mintkey_clock)
    tokens = TokenService(issuer="i", keys=keys, clock=mintkey_clock)
    minted = await asyncio.gather(*(tokens.mint(LOGIN) for _ in range(200)))
    by_key = Counter(token.key_id for token in minted)
    assert max(by_key.values()) == 7
    assert len(by_key) == 29  # 28 keys used up, and 4 tokens by the last
    for token in minted:
        assert (await tokens.verify(token, LOGIN)).key_id == token.key_id
