"""The cache of verified tokens: it spares the signature and no other check, and shares nothing that can be changed."""

import dataclasses
from datetime import timedelta
from typing import TypedDict

import msgspec
import pydantic
import pytest

from mintkey import (
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    MalformedTokenError,
    NotYetValidError,
    Purpose,
    Reason,
    SignatureError,
    TokenReplayedError,
    TokenRevokedError,
    TokenService,
    TokenVerifier,
    VerificationCache,
)
from mintkey.errors import KeyNotFoundError, KeyRevokedError
from mintkey.events import Event, Rejected, Verified
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

MINUTE = timedelta(minutes=1)
LINK = Purpose("magic-link", lifetime=10 * MINUTE, audience="web", single_use=True)
ACCESS = Purpose("access", lifetime=10 * MINUTE, audience="web", headers=["x-tenant", "x5t"])
SESSION = Purpose("session", lifetime=10 * MINUTE, revocable=True)


def service(clock, cache):
    return TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=clock),
        replay=MemoryReplayStore(clock=clock),
        clock=clock,
        cache=cache,
    )


@pytest.fixture
def roomy(mintkey_clock):
    """A service with a cache that has room for all tokens of a test."""
    return service(mintkey_clock, VerificationCache())


# --- what it shares


def spoil(claims):
    """Change everything that can be changed, all the way down."""
    if isinstance(claims, dict):
        for value in list(claims.values()):
            spoil(value)
        claims["admin"] = True
    elif isinstance(claims, list):
        for value in claims:
            spoil(value)
        claims.append("admin")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "a@b", "n": 7, "ok": True, "nothing": None},
        {"roles": ["a"]},
        {"roles": [], "groups": {}},
        {"a": {"b": {"c": [1, {"d": ["e"]}]}}, "flat": 1},
        {"matrix": [[1, 2], [3, [4]]]},
        {"ratio": 0.5, "quoted": '"', "deep": [[[{"x": [1]}]]]},
    ],
)
async def test_nothing_that_a_caller_does_to_claims_is_seen_by_the_next(roomy, claims):
    token = await roomy.mint(ACCESS, claims=claims)
    for _ in range(4):
        for call in (roomy.verify, roomy.peek):
            seen = await call(token, ACCESS)
            assert seen.claims == claims
            spoil(seen.claims)
    assert "entries=1" in repr(roomy._cache)


class Email(TypedDict):
    email: str


class Roles(TypedDict):
    roles: list[str]
    limits: dict[str, list[int]]


@dataclasses.dataclass
class RolesData:
    roles: list[str]
    limits: dict[str, list[int]]


class RolesStruct(msgspec.Struct):
    roles: list[str]
    limits: dict[str, list[int]]


class RolesModel(pydantic.BaseModel):
    roles: list[str]
    limits: dict[str, list[int]]


@pytest.mark.parametrize("kind", [Roles, RolesData, RolesStruct, RolesModel])
async def test_nothing_that_a_caller_does_to_typed_claims_is_seen_by_the_next(roomy, kind):
    typed = Purpose("access", lifetime=10 * MINUTE, audience="web", claims=kind)
    token = await roomy.mint(typed, claims=kind(roles=["a"], limits={"a": [1]}))
    values = []
    for _ in range(3):
        claims = (await roomy.verify(token, typed)).claims
        assert claims == kind(roles=["a"], limits={"a": [1]})
        values.append(claims)
        inside = claims if kind is Roles else {name: getattr(claims, name) for name in ("roles", "limits")}
        inside["roles"].append("admin")
        inside["limits"]["a"].append(2)
        inside["limits"]["b"] = []
    assert len({id(value) for value in values}) == 3


async def test_nothing_that_a_caller_does_to_headers_is_seen_by_the_next(roomy):
    token = await roomy.mint(ACCESS, headers={"x-tenant": {"roles": ["a"]}})
    for _ in range(3):
        seen = await roomy.verify(token, ACCESS)
        assert dict(seen.headers) == {"x-tenant": {"roles": ["a"]}}
        spoil(seen.headers["x-tenant"])


# --- of one purpose


async def test_claims_of_one_purpose_are_not_those_of_another(roomy):
    """Two purposes may read the same tokens; each makes every check of its own, whatever the other found."""
    typed = Purpose("access", lifetime=10 * MINUTE, audience="web", claims=Email)
    strict = Purpose("access", lifetime=10 * MINUTE, audience="web", required=["tenant"])
    other = Purpose("access", lifetime=10 * MINUTE, audience="app")
    token = await roomy.mint(ACCESS, claims={"email": 7})
    for _ in range(3):
        assert (await roomy.verify(token, ACCESS)).claims == {"email": 7}
        for purpose, claim in ((typed, "email"), (strict, "tenant"), (other, "aud")):
            with pytest.raises(ClaimError) as caught:
                await roomy.verify(token, purpose)
            assert caught.value.claim == claim


async def test_two_purposes_may_take_turns_at_one_token(roomy):
    twin = Purpose("twin", lifetime=10 * MINUTE, audience="web", typ=ACCESS.typ)
    token = await roomy.mint(ACCESS, subject="20")
    for purpose in (ACCESS, twin, ACCESS, twin):
        assert (await roomy.verify(token, purpose)).purpose == purpose.name
    assert "entries=1" in repr(roomy._cache)


async def test_a_purpose_for_many_uses_opens_no_door_to_one_for_single_use(roomy):
    once = Purpose("access", lifetime=10 * MINUTE, audience="web", single_use=True)
    token = await roomy.mint(ACCESS)
    await roomy.verify(token, ACCESS)
    await roomy.verify(token, once)
    with pytest.raises(TokenReplayedError):
        await roomy.verify(token, once)
    with pytest.raises(TokenReplayedError):
        async with roomy.redeem(token, once):
            raise AssertionError("unreachable")
    assert await roomy.verify(token, ACCESS)


# --- what is asked on every hit


class CountingKeys:
    """A resolver that counts how often a key was asked to verify a signature."""

    def __init__(self, keys):
        self._keys = keys
        self.aclose = keys.aclose
        self.signatures = 0

    async def resolve(self, kid, /):
        key = await self._keys.resolve(kid)
        return _CountingKey(self, key)


class _CountingKey:
    def __init__(self, keys, key):
        self._keys, self._key = keys, key
        self.kid, self.algorithm, self.verify_until = key.kid, key.algorithm, key.verify_until

    def verify(self, signing_input, signature, /):
        self._keys.signatures += 1
        return self._key.verify(signing_input, signature)


async def test_a_hit_spares_the_signature_and_only_for_the_very_same_text(mintkey_tokens, mintkey_clock):
    keys = CountingKeys(mintkey_tokens._provider)
    tokens = TokenVerifier(
        issuer="https://issuer.test", keys=keys, clock=mintkey_clock, cache=VerificationCache(max_entries=5)
    )
    token, other = await mintkey_tokens.mint(ACCESS), await mintkey_tokens.mint(ACCESS)
    for _ in range(5):
        await tokens.verify(token, ACCESS)
        await tokens.verify(str(token), Purpose("access", lifetime=10 * MINUTE, audience="web", headers=ACCESS.headers))
    assert keys.signatures == 1
    forged = ".".join([*token.split(".")[:2], other.split(".")[2]])
    for _ in range(2):
        with pytest.raises(SignatureError):
            await tokens.verify(forged, ACCESS)
    assert keys.signatures == 3


async def test_every_hit_looks_at_the_times(roomy, mintkey_clock):
    later = await roomy.mint(ACCESS, not_before=mintkey_clock.now() + MINUTE)
    fresh = Purpose("session", lifetime=10 * MINUTE, max_age=MINUTE)
    aging = await roomy.mint(fresh)
    await roomy.verify(aging, fresh)
    for _ in range(2):
        with pytest.raises(NotYetValidError):
            await roomy.verify(later, ACCESS)
    mintkey_clock.advance(MINUTE)
    await roomy.verify(later, ACCESS)
    await roomy.verify(aging, fresh)
    mintkey_clock.advance(fresh.leeway)
    with pytest.raises(ExpiredTokenError):
        await roomy.verify(aging, fresh)
    mintkey_clock.advance(-ACCESS.lifetime)
    with pytest.raises(NotYetValidError):
        await roomy.verify(aging, fresh)


async def test_every_hit_asks_whether_token_subject_or_key_was_revoked(roomy):
    tokens = [await roomy.mint(SESSION, subject=str(number)) for number in range(3)]
    for token in tokens:
        await roomy.verify(token, SESSION)
    await roomy.revoke(tokens[0], SESSION)
    await roomy.revoke_subject("1", SESSION)
    for token in tokens[:2]:
        for call in (roomy.verify, roomy.peek):
            with pytest.raises(TokenRevokedError):
                await call(token, SESSION)
    assert await roomy.verify(tokens[2], SESSION)
    await roomy._provider.revoke(tokens[2].key_id)
    for call in (roomy.verify, roomy.peek):
        with pytest.raises(KeyRevokedError):
            await call(tokens[2], SESSION)


async def test_a_hit_by_a_key_that_is_past_its_time_is_none(roomy, mintkey_clock):
    day = Purpose("day", lifetime=timedelta(days=1), leeway=timedelta(0))
    token = await roomy.mint(day)
    await roomy.verify(token, day)
    await roomy._provider.rotate()
    mintkey_clock.advance(timedelta(hours=23))
    await roomy.verify(token, day)
    mintkey_clock.advance(timedelta(hours=1))
    with pytest.raises(KeyNotFoundError):
        await roomy.verify(token, day)


async def test_hooks_are_told_of_hits_too(mintkey_clock):
    events: list[Event] = []
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[events.append],
        cache=VerificationCache(),
    )
    token = await tokens.mint(ACCESS)
    events.clear()
    for _ in range(2):
        await tokens.verify(token, ACCESS)
    mintkey_clock.advance(timedelta(hours=1))
    with pytest.raises(ExpiredTokenError):
        await tokens.verify(token, ACCESS)
    assert events == [
        *[Verified(purpose="access", key_id=token.key_id)] * 2,
        Rejected(purpose="access", reason=Reason.EXPIRED),
    ]


# --- what is kept


@pytest.mark.parametrize(
    "garbage", [["a"], {}, {"a": 1}, set(), bytearray(b"a.b.c"), 7, 0.5, True, b"a.b.c", None, object(), "", "a.b.c"]
)
async def test_garbage_is_refused_with_a_cache_too(roomy, garbage):
    await roomy.verify(await roomy.mint(ACCESS), ACCESS)
    for call in (roomy.peek, roomy.verify):
        with pytest.raises(MalformedTokenError):
            await call(garbage, ACCESS)
    for call in (roomy.peek, roomy.verify, roomy.revoke):
        with pytest.raises(MalformedTokenError):
            await call(garbage, LINK)
    with pytest.raises(MalformedTokenError):
        async with roomy.redeem(garbage, LINK):
            raise AssertionError("unreachable")
    assert "entries=1" in repr(roomy._cache)


async def test_the_bytes_of_a_known_token_are_not_that_token(roomy):
    token = await roomy.mint(ACCESS)
    await roomy.verify(token, ACCESS)
    for odd in (token.encode(), list(token), token + " ", token + "="):
        with pytest.raises(MalformedTokenError):
            await roomy.verify(odd, ACCESS)


async def test_the_oldest_token_makes_room_and_a_known_one_needs_none(mintkey_clock):
    cached = service(mintkey_clock, VerificationCache(max_entries=2))
    first, second, third = [await cached.mint(SESSION, subject=str(number)) for number in range(3)]
    twin = Purpose("twin", lifetime=10 * MINUTE, revocable=True, typ=SESSION.typ)
    for token in (first, second):
        await cached.verify(token, SESSION)
    await cached.verify(second, twin)
    assert cached._cache.get(first, SESSION, cached) is not None
    await cached.verify(third, SESSION)
    known = [cached._cache.get(token, SESSION, cached) is not None for token in (first, second, third)]
    assert known == [False, False, True]
    assert cached._cache.get(second, twin, cached) is not None
    for token in (first, second, third):
        assert (await cached.verify(token, SESSION)).id == token.id


async def test_tokens_for_single_use_are_never_kept(roomy):
    token = await roomy.mint(LINK)
    await roomy.peek(token, LINK)
    await roomy.verify(token, LINK)
    assert "entries=0" in repr(roomy._cache)


@pytest.mark.parametrize("max_entries", [0, -1])
def test_a_cache_has_room_for_one_at_least(max_entries):
    with pytest.raises(ConfigurationError, match="max_entries"):
        VerificationCache(max_entries)
    assert repr(VerificationCache(1)) == "VerificationCache(entries=0, max_entries=1)"


async def test_what_is_kept_is_never_shown(roomy):
    token = await roomy.mint(ACCESS, subject="alice", claims={"email": "alice@example.com"})
    await roomy.verify(token, ACCESS)
    assert "alice" not in repr(roomy._cache)
    assert token not in repr(roomy._cache)


async def test_what_is_kept_is_not_shown_by_who_looks_inside_either(roomy):
    token = str(await roomy.mint(ACCESS, subject="somebody", claims={"email": "alice@example.com"}))
    await roomy.verify(token, ACCESS)
    members = repr(vars(roomy._cache))
    assert "<1 token(s)>" in members
    assert not any(secret in members for secret in (token, "somebody", "alice"))


async def test_what_one_service_found_good_proves_nothing_to_another(mintkey_clock):
    keys, cache = MemoryKeyProvider(clock=mintkey_clock), VerificationCache()
    one = TokenService(issuer="https://one", keys=keys, clock=mintkey_clock, cache=cache)
    other = TokenService(issuer="https://other", keys=keys, clock=mintkey_clock, cache=cache)
    token = await one.mint(ACCESS)
    await one.verify(token, ACCESS)
    with pytest.raises(ClaimError) as caught:
        await other.verify(token, ACCESS)
    assert caught.value.reason is Reason.ISSUER_MISMATCH
    await one.verify(token, ACCESS)
