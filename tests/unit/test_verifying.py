"""Verifying: every check in its order, single use, revocation, reservations, and what hooks are told."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import pytest

from mintkey import (
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    MalformedTokenError,
    PeekedToken,
    Purpose,
    PurposeMismatchError,
    Reason,
    ReplayStoreError,
    SignatureError,
    TokenReplayedError,
    TokenRevokedError,
    TokenService,
    TokenVerifier,
    UnsupportedOperationError,
    VerificationCache,
    VerifiedToken,
)
from mintkey.errors import BackendError, KeyNotFoundError, KeyRevokedError
from mintkey.events import BackendDegraded, Event, Minted, Rejected, Revoked, Spent, Verified
from mintkey.jose.compact import assemble
from mintkey.keys import KeyState, MemoryKeyProvider
from mintkey.pace import Pace
from mintkey.replay import MemoryReplayStore
from tests.support.compact import signing_input
from tests.support.turns import Hurrying, longest_run

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

MINUTE = timedelta(minutes=1)
LINK = Purpose("magic-link", lifetime=10 * MINUTE, audience="web", single_use=True)
ACCESS = Purpose("access", lifetime=10 * MINUTE, audience="web", headers=["x-tenant", "x5t"])
SESSION = Purpose("session", lifetime=10 * MINUTE, revocable=True)
BOTH = Purpose("both", lifetime=10 * MINUTE, revocable=True, single_use=True)


async def forge(tokens, purpose, payload, *, kid=None, typ=None, algorithm="EdDSA"):
    """A token with a good signature over whatever payload, as only the key's holder could make it."""
    key = (await tokens._provider.acquire()).key
    signed = signing_input(kid=kid or key.kid, algorithm=algorithm, typ=typ or purpose.typ, headers={}, payload=payload)
    return assemble(signed, await key.sign(signed))


async def test_a_verified_token_has_what_was_minted(mintkey_tokens):
    token = await mintkey_tokens.mint(
        ACCESS, subject="20", claims={"email": "a@b"}, scopes=["read"], headers={"x-tenant": "t1"}
    )
    found = await mintkey_tokens.verify(token, ACCESS, scopes=["read"])
    assert isinstance(found, VerifiedToken)
    assert found.claims == {"email": "a@b"}
    assert (found.subject, found.issuer, found.audience) == ("20", "https://issuer.test", ("web",))
    assert (found.scopes, found.id, found.key_id) == (frozenset({"read"}), token.id, token.key_id)
    assert (found.expires_at, found.issued_at) == (token.expires_at, token.expires_at - ACCESS.lifetime)
    assert (found.purpose, dict(found.headers)) == ("access", {"x-tenant": "t1"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.subject = "21"


async def test_neither_value_shows_what_it_holds(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS, subject="alice", claims={"email": "alice@example.com"})
    for value in (await mintkey_tokens.verify(token, ACCESS), await mintkey_tokens.peek(token, ACCESS)):
        assert "alice" not in repr(value)
        assert token not in repr(value)
        assert token.id in repr(value)


async def test_a_peek_is_no_authority_and_spends_nothing(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK, subject="20")
    for _ in range(20):
        seen = await mintkey_tokens.peek(token, LINK)
    assert isinstance(seen, PeekedToken)
    assert not isinstance(seen, VerifiedToken)
    assert (await mintkey_tokens.verify(token, LINK)).subject == "20"
    with pytest.raises(TokenReplayedError) as caught:
        await mintkey_tokens.peek(token, LINK)
    assert caught.value.reason is Reason.REPLAYED


async def test_one_of_many_callers_gets_a_single_use_token(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK)
    outcomes = await asyncio.gather(*(mintkey_tokens.verify(token, LINK) for _ in range(200)), return_exceptions=True)
    winners = [outcome for outcome in outcomes if isinstance(outcome, VerifiedToken)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, TokenReplayedError) for outcome in outcomes) == 199


async def test_a_token_spent_within_the_leeway_stays_spent(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    mintkey_clock.advance(LINK.lifetime + timedelta(seconds=5))
    await mintkey_tokens.verify(token, LINK)
    mintkey_clock.advance(timedelta(seconds=4))
    with pytest.raises(TokenReplayedError):
        await mintkey_tokens.verify(token, LINK)
    mintkey_clock.advance(timedelta(seconds=2))
    with pytest.raises(ExpiredTokenError):
        await mintkey_tokens.verify(token, LINK)


async def test_a_token_that_fails_a_check_is_not_spent(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK, scopes=["a"])
    with pytest.raises(InsufficientScopeError):
        await mintkey_tokens.verify(token, LINK, scopes=["b"])
    assert await mintkey_tokens.verify(token, LINK, scopes=["a"])


async def test_a_purpose_takes_no_token_of_another(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS)
    with pytest.raises(PurposeMismatchError):
        await mintkey_tokens.verify(token, LINK)
    shout = Purpose("x", lifetime=MINUTE, audience="web", typ="application/ACCESS+JWT")
    assert await mintkey_tokens.verify(token, shout)


async def test_a_token_without_a_type_is_refused(mintkey_tokens):
    key = (await mintkey_tokens._provider.acquire()).key
    good = await mintkey_tokens.mint(ACCESS)
    from mintkey.jose import base64url

    header = base64url.encode(f'{{"alg":"EdDSA","kid":"{key.kid}"}}'.encode())
    signed = f"{header}.{good.split('.')[1]}".encode()
    with pytest.raises(PurposeMismatchError):
        await mintkey_tokens.verify(assemble(signed, await key.sign(signed)), ACCESS)


async def test_a_forged_token_never_learns_that_it_is_expired(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(ACCESS)
    other = await mintkey_tokens.mint(ACCESS, subject="20")
    mintkey_clock.advance(timedelta(hours=1))
    mixed = ".".join([*token.split(".")[:2], other.split(".")[2]])
    with pytest.raises(SignatureError) as caught:
        await mintkey_tokens.verify(mixed, ACCESS)
    assert caught.value.reason is Reason.SIGNATURE_INVALID
    with pytest.raises(ExpiredTokenError):
        await mintkey_tokens.verify(token, ACCESS)


async def test_claims_that_are_no_strict_json_are_malformed(mintkey_tokens):
    for payload in (b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"exp":NaN}', b"\xff", b'"x"'):
        with pytest.raises(MalformedTokenError):
            await mintkey_tokens.verify(await forge(mintkey_tokens, ACCESS, payload), ACCESS)


async def test_a_missing_claim_is_told_before_a_wrong_issuer(mintkey_tokens):
    token = await forge(mintkey_tokens, ACCESS, b'{"iss":"https://evil","exp":1,"iat":1,"jti":"1"}')
    with pytest.raises(ClaimError) as caught:
        await mintkey_tokens.verify(token, ACCESS)
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_MISSING, "aud")


async def test_an_unknown_and_a_revoked_key_are_told_apart(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS)
    with pytest.raises(KeyNotFoundError) as caught:
        await mintkey_tokens.verify(await forge(mintkey_tokens, ACCESS, b"{}", kid="nobody"), ACCESS)
    assert caught.value.reason is Reason.KEY_UNKNOWN
    await mintkey_tokens._provider.revoke(token.key_id)
    with pytest.raises(KeyRevokedError):
        await mintkey_tokens.verify(token, ACCESS)


class Email(TypedDict):
    email: str


async def test_typed_claims_are_checked_last_before_the_store(mintkey_tokens):
    typed = Purpose("magic-link", lifetime=MINUTE, audience="web", single_use=True, claims=Email)
    token = await mintkey_tokens.mint(LINK, claims={"email": 7})
    with pytest.raises(ClaimError) as caught:
        await mintkey_tokens.verify(token, typed)
    assert (caught.value.reason, caught.value.claim) == (Reason.CLAIM_INVALID, "email")
    assert await mintkey_tokens.verify(token, LINK)


async def test_a_maximum_age_counts_from_the_issue(mintkey_tokens, mintkey_clock):
    fresh = Purpose("access", lifetime=10 * MINUTE, audience="web", max_age=MINUTE, leeway=timedelta(0))
    token = await mintkey_tokens.mint(ACCESS)
    mintkey_clock.advance(timedelta(seconds=59))
    await mintkey_tokens.verify(token, fresh)
    mintkey_clock.advance(timedelta(seconds=1))
    with pytest.raises(ExpiredTokenError):
        await mintkey_tokens.verify(token, fresh)


@pytest.mark.parametrize("garbage", ["", "a", "a.b", "a.b.c", "a.b.c.d", "ä.b.c", "x" * 20_000, None, 7, b"a.b.c", []])
async def test_garbage_is_refused(mintkey_tokens, garbage):
    for call in (mintkey_tokens.peek, mintkey_tokens.verify, mintkey_tokens.revoke):
        with pytest.raises(MalformedTokenError):
            await call(garbage, LINK)
    with pytest.raises(MalformedTokenError):
        async with mintkey_tokens.redeem(garbage, LINK):
            raise AssertionError("unreachable")


async def test_a_single_string_is_no_set_of_scopes(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS)
    with pytest.raises(ConfigurationError, match="scopes"):
        await mintkey_tokens.verify(token, ACCESS, scopes="read")


# Stores


async def test_a_stateful_purpose_without_a_store_is_a_mistake(mintkey_clock):
    tokens = TokenService(issuer="i", keys=MemoryKeyProvider(clock=mintkey_clock), clock=mintkey_clock)
    token = await tokens.mint(LINK)
    for purpose in (LINK, SESSION):
        for call in (tokens.peek, tokens.verify, tokens.revoke):
            with pytest.raises(ConfigurationError, match="replay="):
                await call(token, purpose)
        with pytest.raises(ConfigurationError, match="replay="):
            await tokens.revoke_id("1", purpose, expires_at=token.expires_at)
    with pytest.raises(ConfigurationError, match="replay="):
        async with tokens.redeem(token, LINK):
            raise AssertionError("unreachable")


class DownStore:
    """A store that cannot answer, like one behind a broken network."""

    opened = 0

    def __getattr__(self, name):
        async def fail(*_args, **_settings):
            raise ReplayStoreError("away")

        return fail

    async def aclose(self):
        self.opened -= 1


async def test_a_store_that_is_away_lets_nobody_in(mintkey_clock):
    keys = MemoryKeyProvider(clock=mintkey_clock)
    events: list[Event] = []
    tokens = TokenService(issuer="i", keys=keys, replay=DownStore(), clock=mintkey_clock, hooks=[events.append])
    token = await tokens.mint(LINK)
    for call in (tokens.peek, tokens.verify, tokens.revoke):
        with pytest.raises(ReplayStoreError):
            await call(token, LINK)
    with pytest.raises(ReplayStoreError):
        async with tokens.redeem(token, LINK):
            raise AssertionError("unreachable")
    assert await tokens.verify(await tokens.mint(ACCESS), ACCESS)
    assert Rejected(purpose="magic-link", reason=Reason.REPLAY_UNAVAILABLE) in events


async def test_a_restarted_memory_cannot_prove_anything(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    mintkey_clock.advance(MINUTE)
    restarted = TokenVerifier(
        issuer="https://issuer.test",
        keys=mintkey_tokens._provider,
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
    )
    for call in (restarted.peek, restarted.verify):
        with pytest.raises(TokenReplayedError) as caught:
            await call(token, LINK)
        assert caught.value.reason is Reason.REPLAY_UNPROVABLE


# Revocation


@pytest.mark.parametrize("purpose", [LINK, SESSION, BOTH])
async def test_a_revoked_token_is_refused(mintkey_tokens, purpose):
    token = await mintkey_tokens.mint(purpose, subject="20")
    await mintkey_tokens.revoke(token, purpose)
    await mintkey_tokens.revoke(token, purpose)
    for call in (mintkey_tokens.peek, mintkey_tokens.verify):
        with pytest.raises(TokenRevokedError):
            await call(token, purpose)


async def test_an_id_can_be_revoked_without_its_token(mintkey_tokens):
    token = await mintkey_tokens.mint(SESSION)
    await mintkey_tokens.revoke_id(token.id, SESSION, expires_at=token.expires_at)
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(token, SESSION)


async def test_an_expired_or_spent_token_may_be_revoked(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    await mintkey_tokens.verify(token, LINK)
    await mintkey_tokens.revoke(token, LINK)
    mintkey_clock.advance(timedelta(hours=1))
    await mintkey_tokens.revoke(token, LINK)


async def test_nobody_revokes_with_a_forged_token(mintkey_tokens):
    victim = await mintkey_tokens.mint(LINK, subject="20")
    payload = victim.split(".")[1]
    other = await mintkey_tokens.mint(LINK)
    forged = f"{other.split('.')[0]}.{payload}.{other.split('.')[2]}"
    with pytest.raises(SignatureError):
        await mintkey_tokens.revoke(forged, LINK)
    assert await mintkey_tokens.verify(victim, LINK)


@pytest.mark.parametrize("purpose", [SESSION, BOTH])
async def test_everything_of_a_subject_can_be_revoked(mintkey_tokens, mintkey_clock, purpose):
    old = await mintkey_tokens.mint(purpose, subject="20")
    other = await mintkey_tokens.mint(purpose, subject="21")
    nobody = await mintkey_tokens.mint(purpose)
    await mintkey_tokens.revoke_subject("20", purpose)
    mintkey_clock.advance(timedelta(seconds=1))
    new = await mintkey_tokens.mint(purpose, subject="20")
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(old, purpose)
    for token in (other, nobody, new):
        assert await mintkey_tokens.verify(token, purpose)


async def test_a_cut_off_can_be_set_to_an_instant(mintkey_tokens, mintkey_clock):
    first = await mintkey_tokens.mint(SESSION, subject="20")
    mintkey_clock.advance(MINUTE)
    second = await mintkey_tokens.mint(SESSION, subject="20")
    await mintkey_tokens.revoke_subject("20", SESSION, before=mintkey_clock.now())
    with pytest.raises(TokenRevokedError):
        await mintkey_tokens.verify(first, SESSION)
    assert await mintkey_tokens.verify(second, SESSION)


async def test_revoking_needs_a_purpose_that_asks_the_store(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS, subject="20")
    with pytest.raises(ConfigurationError, match="revocable"):
        await mintkey_tokens.revoke(token, ACCESS)
    with pytest.raises(ConfigurationError, match="revocable"):
        await mintkey_tokens.revoke_subject("20", LINK)
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the mistake
    with pytest.raises(ConfigurationError, match="aware"):
        await mintkey_tokens.revoke_id("1", LINK, expires_at=naive)
    with pytest.raises(ConfigurationError, match="aware"):
        await mintkey_tokens.revoke_subject("20", SESSION, before=naive)


class NoCutOffs:
    """A store of somebody else without the capability."""

    def __init__(self, store):
        self._store = store
        self.claim, self.status, self.aclose = store.claim, store.status, store.aclose


async def test_a_store_without_cut_offs_says_so_and_still_revokes_tokens(mintkey_clock):
    store = NoCutOffs(MemoryReplayStore(clock=mintkey_clock))
    tokens = TokenService(issuer="i", keys=MemoryKeyProvider(clock=mintkey_clock), replay=store, clock=mintkey_clock)
    token = await tokens.mint(SESSION, subject="20")
    assert await tokens.verify(token, SESSION)
    with pytest.raises(UnsupportedOperationError, match="NoCutOffs"):
        await tokens.revoke_subject("20", SESSION)


# Reservations


async def test_a_block_that_succeeds_spends(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK, subject="20")
    async with mintkey_tokens.redeem(token, LINK) as used:
        assert used.subject == "20"
        assert await mintkey_tokens.peek(token, LINK)
        with pytest.raises(ReplayStoreError) as caught:
            await mintkey_tokens.verify(token, LINK)
        assert (caught.value.reason, caught.value.status_code) == (Reason.TOKEN_RESERVED, 409)
    with pytest.raises(TokenReplayedError):
        await mintkey_tokens.verify(token, LINK)


async def test_a_block_that_raises_gives_back(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK)
    with pytest.raises(ZeroDivisionError):
        async with mintkey_tokens.redeem(token, LINK):
            raise ZeroDivisionError
    assert await mintkey_tokens.verify(token, LINK)


async def test_a_cancelled_block_is_left_to_its_lease(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    entered = asyncio.Event()

    async def work():
        async with mintkey_tokens.redeem(token, LINK, lease=MINUTE):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    with pytest.raises(ReplayStoreError):
        await mintkey_tokens.verify(token, LINK)
    mintkey_clock.advance(MINUTE)
    assert await mintkey_tokens.verify(token, LINK)


async def test_a_block_longer_than_its_lease_may_lose_the_token(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    with pytest.raises(TokenReplayedError):
        async with mintkey_tokens.redeem(token, LINK, lease=MINUTE):
            mintkey_clock.advance(2 * MINUTE)
            await mintkey_tokens.verify(token, LINK)


async def test_a_block_longer_than_its_lease_keeps_a_token_that_nobody_took(mintkey_tokens, mintkey_clock):
    token = await mintkey_tokens.mint(LINK)
    async with mintkey_tokens.redeem(token, LINK, lease=MINUTE):
        mintkey_clock.advance(2 * MINUTE)
    with pytest.raises(TokenReplayedError):
        await mintkey_tokens.verify(token, LINK)


class Unreleasable(MemoryReplayStore):
    async def release(self, key, /, *, owner):
        raise ReplayStoreError("away")


async def test_a_store_that_fails_at_giving_back_does_not_hide_the_error(mintkey_clock):
    events: list[Event] = []
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=Unreleasable(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[events.append],
    )
    token = await tokens.mint(LINK)
    with pytest.raises(ZeroDivisionError):
        async with tokens.redeem(token, LINK):
            raise ZeroDivisionError
    assert events[-1] == BackendDegraded(purpose="magic-link", reason=Reason.REPLAY_UNAVAILABLE)


async def test_redeem_is_for_single_use_and_takes_a_positive_lease(mintkey_tokens):
    with pytest.raises(ConfigurationError, match="single-use"):
        mintkey_tokens.redeem("a.b.c", ACCESS)
    with pytest.raises(ConfigurationError, match="lease"):
        mintkey_tokens.redeem("a.b.c", LINK, lease=timedelta(0))


# Hooks


async def test_hooks_are_told_in_closed_words(mintkey_clock):
    events: list[Event] = []
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[events.append],
    )
    token = await tokens.mint(LINK, subject="alice")
    await tokens.verify(token, LINK)
    with pytest.raises(InvalidTokenError):
        await tokens.verify(token, LINK)
    await tokens.revoke(token, LINK)
    await tokens.revoke_id("1", LINK, expires_at=token.expires_at)
    await tokens.revoke_subject("alice", SESSION)
    assert events == [
        Minted(purpose="magic-link", key_id=token.key_id),
        Verified(purpose="magic-link", key_id=token.key_id),
        Spent(purpose="magic-link", key_id=token.key_id),
        Rejected(purpose="magic-link", reason=Reason.REPLAYED),
        Revoked(purpose="magic-link", what="token"),
        Revoked(purpose="magic-link", what="id"),
        Revoked(purpose="session", what="subject"),
    ]
    assert "alice" not in repr(events)
    assert token.id not in repr(events)


async def test_a_raising_hook_changes_no_outcome_and_leaks_nothing(mintkey_clock, caplog):
    heard: list[Event] = []

    def broken(event):
        raise RuntimeError("secret in the message")

    tokens = TokenService(
        issuer="i", keys=MemoryKeyProvider(clock=mintkey_clock), clock=mintkey_clock, hooks=[broken, heard.append]
    )
    assert await tokens.verify(await tokens.mint(ACCESS), ACCESS)
    assert len(heard) == 2
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


# The cache of verified tokens


@pytest.fixture
def cached(mintkey_clock):
    return TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
        cache=VerificationCache(max_entries=2),
    )


async def test_a_cached_token_is_the_same_and_shares_nothing(cached):
    token = await cached.mint(ACCESS, subject="20", claims={"roles": ["a"]})
    first = await cached.verify(token, ACCESS)
    first.claims["roles"].append("admin")
    again = await cached.verify(token, ACCESS)
    assert again.claims == {"roles": ["a"]}
    assert (again.id, again.subject) == (first.id, first.subject)
    assert "entries=1" in repr(cached._cache)


async def test_a_cached_token_still_expires_and_its_key_can_be_revoked(cached, mintkey_clock):
    token, other = await cached.mint(ACCESS), await cached.mint(ACCESS)
    for one in (token, other):
        await cached.verify(one, ACCESS)
    with pytest.raises(InsufficientScopeError):
        await cached.verify(token, ACCESS, scopes=["admin"])
    mintkey_clock.advance(timedelta(hours=1))
    with pytest.raises(ExpiredTokenError):
        await cached.verify(token, ACCESS)
    await cached._provider.revoke(other.key_id)
    with pytest.raises(KeyRevokedError):
        await cached.verify(other, ACCESS)


async def test_a_cached_token_can_be_revoked_and_is_of_one_purpose(cached):
    token = await cached.mint(SESSION, subject="20")
    await cached.verify(token, SESSION)
    with pytest.raises(PurposeMismatchError):
        await cached.verify(token, ACCESS)
    await cached.revoke(token, SESSION)
    with pytest.raises(TokenRevokedError):
        await cached.verify(token, SESSION)


async def test_single_use_tokens_are_never_cached_and_the_cache_is_bounded(cached):
    link = await cached.mint(LINK)
    await cached.peek(link, LINK)
    assert "entries=0" in repr(cached._cache)
    for _ in range(5):
        await cached.verify(await cached.mint(ACCESS), ACCESS)
    assert "entries=2" in repr(cached._cache)
    with pytest.raises(ConfigurationError, match="max_entries"):
        VerificationCache(max_entries=0)


async def test_a_cache_hides_what_it_holds(cached):
    token = await cached.mint(ACCESS, subject="alice", claims={"email": "alice@example.com"})
    await cached.verify(token, ACCESS)
    _, private = cached._cache.get(token, ACCESS, cached)
    assert private == {"email": "alice@example.com"}
    assert repr(cached._cache) == "VerificationCache(entries=1, max_entries=2)"


def test_settings_are_checked_when_a_service_is_made(mintkey_clock):
    with pytest.raises(ConfigurationError) as caught:
        TokenVerifier(issuer="", keys=MemoryKeyProvider(clock=mintkey_clock), max_token_bytes=0)
    assert len(caught.value.details["problems"]) == 2


async def test_a_previous_key_verifies_until_its_time_and_not_after(mintkey_tokens, mintkey_clock):
    day = Purpose("day", lifetime=timedelta(hours=23), audience="web")
    token = await mintkey_tokens.mint(day)
    await mintkey_tokens._provider.rotate()
    old = next(v for v in await mintkey_tokens._provider.versions() if v.kid == token.key_id)
    assert old.state is KeyState.RETIRING
    assert old.verify_until == mintkey_clock.now() + timedelta(days=1)
    forever = await forge(
        mintkey_tokens, day, b'{"iss":"https://issuer.test","aud":"web","exp":99999999999,"iat":1,"jti":"1"}'
    )
    mintkey_clock.advance(timedelta(hours=23))
    assert await mintkey_tokens.verify(token, day)
    assert forever
    mintkey_clock.advance(timedelta(hours=1))
    with pytest.raises(KeyNotFoundError) as caught:
        await mintkey_tokens.verify(token, day)
    assert caught.value.reason is Reason.KEY_RETIRED
    assert old.verify_until.tzinfo is UTC


def test_backend_errors_are_never_the_tokens_fault():
    assert not issubclass(BackendError, InvalidTokenError)


# In a hurry


async def test_verifying_again_and_again_gives_way_to_other_tasks(mintkey_tokens):
    mintkey_tokens._pace = Pace(Hurrying())
    token = await mintkey_tokens.mint(ACCESS)
    longest = await longest_run(lambda: mintkey_tokens.verify(token, ACCESS), calls=64)
    assert longest <= 8


async def test_everybody_of_a_crowd_gets_an_answer_when_time_is_short(mintkey_tokens):
    tokens = [await mintkey_tokens.mint(LINK, subject=str(number)) for number in range(150)]
    mintkey_tokens._pace = Pace(Hurrying())
    seen = await asyncio.gather(*(mintkey_tokens.verify(token, LINK) for token in tokens))
    assert [used.subject for used in seen] == [str(number) for number in range(150)]


async def test_whoever_is_cancelled_while_he_waits_for_his_turn_spends_nothing(mintkey_tokens):
    tokens = [await mintkey_tokens.mint(LINK) for _ in range(60)]
    mintkey_tokens._pace = Pace(Hurrying())
    tasks = [asyncio.create_task(mintkey_tokens.verify(token, LINK)) for token in tokens]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    cancelled = [token for token, task in zip(tokens, tasks, strict=True) if task.cancelled()]
    assert cancelled
    for token in cancelled:
        assert await mintkey_tokens.verify(token, LINK)


# Scopes, whoever asks


async def test_a_look_asks_for_scopes_too(mintkey_tokens):
    token = await mintkey_tokens.mint(LINK, scopes=["read"])
    assert (await mintkey_tokens.peek(token, LINK, scopes=["read"])).scopes == {"read"}
    with pytest.raises(InsufficientScopeError):
        await mintkey_tokens.peek(token, LINK, scopes=["read", "write"])
    with pytest.raises(InsufficientScopeError):
        async with mintkey_tokens.redeem(token, LINK, scopes=["write"]):
            raise AssertionError("unreachable")


@pytest.mark.parametrize("scopes", ["read", ""])
async def test_one_string_is_a_mistake_wherever_scopes_are_asked_for(mintkey_tokens, scopes):
    token = await mintkey_tokens.mint(LINK, scopes=["read"])
    for call in (mintkey_tokens.peek, mintkey_tokens.verify):
        with pytest.raises(ConfigurationError, match="scopes"):
            await call(token, LINK, scopes=scopes)
    with pytest.raises(ConfigurationError, match="scopes"):
        async with mintkey_tokens.redeem(token, LINK, scopes=scopes):
            raise AssertionError("unreachable")
