"""What revoking (RFC 7009 §2.2) and introspecting (RFC 7662 §2.2) tell outsiders: nothing, whatever they send."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.errors import BackendError, KeyProviderError, Reason, ReplayStoreError
from mintkey.events import Rejected, Revoked
from mintkey.oauth.introspection import introspect
from mintkey.oauth.revocation import revoke
from mintkey.replay import MemoryReplayStore, RedisReplayStore, RevocationCache
from mintkey.testing import FakeClock, FaultyReplayStore, StoreFault
from tests.support.endpoint_tokens import ACCESS, HOSTILE, LINK, PURPOSES, SESSION, UnreachableKeys, bad_tokens, service

INACTIVE = {"active": False}


def says_nothing(error: BackendError, token: str) -> None:
    """Assert that an error names neither the token nor anything in it."""
    told = f"{error!r} {error} {dict(error.details)} {error.__cause__!r}"
    assert not any(part in told for part in (token, *token.split(".")))


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: f"{type(token).__name__} {str(token)[:12]!a}")
async def test_what_nobody_signed_is_inactive_and_revokes_nothing(mintkey_clock, token):
    store = FaultyReplayStore(MemoryReplayStore(clock=mintkey_clock))
    tokens = service(mintkey_clock, replay=store)
    assert await introspect(tokens, token, PURPOSES) == INACTIVE
    assert await revoke(tokens, token, PURPOSES) is None
    assert await revoke(tokens, token, PURPOSES, client_id="app") is None
    assert not store.calls  # nobody makes us ask a server with what he made up


async def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(mintkey_tokens, mintkey_clock):
    bad = await bad_tokens(mintkey_tokens, mintkey_clock)
    answers = {kind: await introspect(mintkey_tokens, token, PURPOSES) for kind, token in bad.items()}
    assert answers == dict.fromkeys(bad, INACTIVE)
    revoked = {kind: await revoke(mintkey_tokens, token, PURPOSES) for kind, token in bad.items()}
    assert revoked == dict.fromkeys(bad)


async def test_no_bad_token_revokes_a_good_one(mintkey_tokens, mintkey_clock):
    """A forged token with a victim's `jti` once burned the victim's token."""
    bad = await bad_tokens(mintkey_tokens, mintkey_clock)
    good = {purpose: await mintkey_tokens.mint(purpose, subject="20") for purpose in PURPOSES}
    for token in good.values():
        header, payload, signature = token.split(".")
        for forged in (f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload}.", f"{token}A"):
            await revoke(mintkey_tokens, forged, PURPOSES)
    for token in bad.values():
        await revoke(mintkey_tokens, token, PURPOSES)
    for purpose, token in good.items():
        assert (await introspect(mintkey_tokens, token, PURPOSES))["active"] is True
        assert await mintkey_tokens.verify(token, purpose)


async def test_a_key_that_was_revoked_makes_its_tokens_inactive(mintkey_tokens):
    token = await mintkey_tokens.mint(ACCESS, subject="20")
    await mintkey_tokens._provider.revoke(token.key_id)
    assert await introspect(mintkey_tokens, token, PURPOSES) == INACTIVE
    assert await revoke(mintkey_tokens, token, PURPOSES) is None


@pytest.mark.parametrize("fault", [StoreFault.BEFORE, StoreFault.AFTER])
@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
async def test_with_the_store_away_nobody_is_told_that_a_token_is_bad(mintkey_clock, purpose, fault):
    """An answer `active: false` may be cached, and a 200 to a revocation ends it: neither is known here."""
    store = FaultyReplayStore(MemoryReplayStore(clock=mintkey_clock))
    tokens = service(mintkey_clock, replay=store)
    token = await tokens.mint(purpose, subject="20", claims={"client_id": "app"})
    store.fail_always(fault)
    calls = [introspect(tokens, token, PURPOSES), revoke(tokens, token, PURPOSES)]
    for call in [*calls, revoke(tokens, token, PURPOSES, client_id="app")]:
        with pytest.raises(ReplayStoreError) as caught:
            await call
        assert (caught.value.status_code, caught.value.retryable) == (503, True)
        says_nothing(caught.value, token)
    assert await introspect(tokens, "a.b.c", PURPOSES) == INACTIVE  # for that nobody need be asked
    store.heal()
    await revoke(tokens, token, PURPOSES)
    assert await introspect(tokens, token, PURPOSES) == INACTIVE


async def test_with_the_keys_away_nobody_is_told_that_a_token_is_bad(mintkey_clock):
    token = await service(mintkey_clock).mint(ACCESS, subject="20")
    tokens = service(mintkey_clock, keys=UnreachableKeys())
    for call in (introspect(tokens, token, PURPOSES), revoke(tokens, token, PURPOSES)):
        with pytest.raises(KeyProviderError) as caught:
            await call
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        says_nothing(caught.value, token)
    assert await introspect(tokens, "a.b.c", PURPOSES) == INACTIVE


async def test_a_real_server_that_dies_is_a_backend_error(own_valkey):
    tokens = service(FakeClock(), replay=RedisReplayStore(own_valkey.url, clock=FakeClock()))
    async with tokens:
        token = await tokens.mint(ACCESS, subject="20")
        assert (await introspect(tokens, token, PURPOSES))["active"] is True
        await asyncio.to_thread(own_valkey.kill)
        for call in (introspect(tokens, token, PURPOSES), revoke(tokens, token, PURPOSES)):
            with pytest.raises(ReplayStoreError) as caught:
                await call
            says_nothing(caught.value, token)
        assert await introspect(tokens, f"{token}A", PURPOSES) == INACTIVE


async def test_hooks_hear_the_fine_reason_and_no_token(mintkey_clock):
    told = []
    tokens = service(mintkey_clock, hooks=[told.append])
    token = await tokens.mint(SESSION, subject="20")
    told.clear()
    await revoke(tokens, token, [ACCESS, SESSION])
    assert told == [
        Rejected(purpose="access", reason=Reason.PURPOSE_MISMATCH),
        Revoked(purpose="session", what="token"),
    ]
    told.clear()
    await introspect(tokens, token, [SESSION, LINK])
    assert [event.reason for event in told] == [Reason.REVOKED, Reason.PURPOSE_MISMATCH]
    assert token.id not in repr(told)


async def test_of_a_crowd_that_revokes_one_token_everybody_hears_the_same(mintkey_tokens):
    token = await mintkey_tokens.mint(SESSION, subject="20")
    await asyncio.gather(*(revoke(mintkey_tokens, token, PURPOSES) for _ in range(50)))
    assert await introspect(mintkey_tokens, token, PURPOSES) == INACTIVE


async def test_a_cache_delays_what_others_revoke_by_its_bound_and_own_revocations_not_at_all(mintkey_clock):
    store = MemoryReplayStore(clock=mintkey_clock)
    cache = RevocationCache(store, clock=mintkey_clock)
    here = service(mintkey_clock, replay=cache)
    elsewhere = service(mintkey_clock, keys=here._provider, replay=store)
    one, other = [await here.mint(SESSION, subject="20") for _ in range(2)]
    for token in (one, other):
        assert (await introspect(here, token, [SESSION]))["active"] is True
    await revoke(elsewhere, one, [SESSION])
    await revoke(here, other, [SESSION])
    assert (await introspect(here, one, [SESSION]))["active"] is True
    assert await introspect(here, other, [SESSION]) == INACTIVE
    mintkey_clock.advance(cache.max_age)
    assert await introspect(here, one, [SESSION]) == INACTIVE


ANY = st.text() | st.binary() | st.none() | st.integers()


@given(ANY | st.lists(st.text(alphabet="eyJhbGciOi_-=0 \n\0é", max_size=30), max_size=5).map(".".join))
def test_any_value_at_all(token):
    async def ask() -> None:
        tokens = service(FakeClock())
        assert await introspect(tokens, token, PURPOSES) == INACTIVE
        await revoke(tokens, token, PURPOSES)

    asyncio.run(ask())


@given(st.data())
def test_any_damage_to_a_good_token(data):
    async def ask() -> None:
        tokens = service(FakeClock())
        token = await tokens.mint(SESSION, subject="20")
        position = data.draw(st.integers(0, len(token) - 1))
        filling = data.draw(st.text(max_size=3))
        damaged = token[:position] + filling + token[position + data.draw(st.integers(0, 3)) :]
        if damaged == token:
            return
        assert await introspect(tokens, damaged, PURPOSES) == INACTIVE
        await revoke(tokens, damaged, PURPOSES)
        assert (await introspect(tokens, token, PURPOSES))["active"] is True

    asyncio.run(ask())
