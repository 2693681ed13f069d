"""Verifying and revoking to the instant, what opens by itself, and that hooks hear of every refusal."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mintkey import (
    ConfigurationError,
    Purpose,
    Reason,
    ReplayStoreError,
    TokenReplayedError,
    TokenRevokedError,
    TokenService,
    TokenVerifier,
)
from mintkey.errors import BackendError, InvalidTokenError, KeyProviderError
from mintkey.events import Event, Rejected, Revoked, Spent, Verified
from mintkey.jose.jwk import generate
from mintkey.keys import MemoryKeyProvider, StaticKeyResolver
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock, FaultyReplayStore, StoreFault

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)
LEEWAY = timedelta(seconds=30)
LINK = Purpose("link", lifetime=10 * MINUTE, single_use=True, leeway=LEEWAY)
SESSION = Purpose("session", lifetime=10 * MINUTE, revocable=True, leeway=LEEWAY)
ACCESS = Purpose("access", lifetime=10 * MINUTE, leeway=LEEWAY)


class CountedStore(MemoryReplayStore):
    """Remembers for how long it was asked to remember, and how often it was opened."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.until: list[datetime] = []
        self.openings = 0
        self.closings = 0

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        self.until.append(expires_at)
        await super().revoke(key, expires_at=expires_at)

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        self.until.append(expires_at)
        await super().cut_off(key, before=before, expires_at=expires_at)

    async def claim(self, key: str, /, **request: Any) -> Any:
        self.until.append(request["expires_at"])
        return await super().claim(key, **request)

    async def _open(self) -> None:
        self.openings += 1
        await super()._open()

    async def _close(self) -> None:
        self.closings += 1
        await super()._close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> CountedStore:
    return CountedStore(clock)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def tokens(clock: FakeClock, store: CountedStore, events: list[Event]) -> TokenService:
    return TokenService(
        issuer="i", keys=MemoryKeyProvider(clock=clock), replay=store, clock=clock, hooks=[events.append]
    )


class TestRemembering:
    """What a store is asked to remember outlives the token, leeway included."""

    async def test_a_spent_token(self, tokens: TokenService, store: CountedStore) -> None:
        token = await tokens.mint(LINK)
        await tokens.verify(token, LINK)
        assert store.until == [token.expires_at + LEEWAY]

    async def test_a_revoked_token(self, tokens: TokenService, store: CountedStore) -> None:
        token = await tokens.mint(SESSION)
        await tokens.revoke(token, SESSION)
        assert store.until == [token.expires_at + LEEWAY]

    async def test_a_revoked_id(self, tokens: TokenService, store: CountedStore) -> None:
        token = await tokens.mint(SESSION)
        await tokens.revoke_id(token.id, SESSION, expires_at=token.expires_at)
        assert store.until == [token.expires_at + LEEWAY]

    async def test_a_subject(self, tokens: TokenService, store: CountedStore, clock: FakeClock) -> None:
        before = clock.now() + MINUTE
        await tokens.revoke_subject("alice", SESSION, before=before)
        assert store.until == [before + SESSION.lifetime + LEEWAY]

    async def test_a_revoked_id_to_the_end_of_its_token(self, tokens: TokenService, clock: FakeClock) -> None:
        token = await tokens.mint(SESSION)
        await tokens.revoke_id(token.id, SESSION, expires_at=token.expires_at)
        clock.advance(SESSION.lifetime + LEEWAY - INSTANT)
        with pytest.raises(TokenRevokedError):
            await tokens.verify(token, SESSION)

    async def test_nothing_of_a_token_that_nobody_accepts_any_more(
        self, tokens: TokenService, store: CountedStore, clock: FakeClock, events: list[Event]
    ) -> None:
        token = await tokens.mint(SESSION)
        clock.advance(SESSION.lifetime + LEEWAY - INSTANT)
        await tokens.revoke(token, SESSION)
        assert len(store.until) == 1
        clock.advance(INSTANT)
        await tokens.revoke(token, SESSION)
        assert len(store.until) == 1
        assert [event for event in events if isinstance(event, Revoked)] == [
            Revoked(purpose="session", what="token")
        ] * 2


class TestCutOffs:
    async def test_refuse_the_present_second_and_not_the_next(self, tokens: TokenService, clock: FakeClock) -> None:
        clock.advance(timedelta(seconds=0.75))
        now = await tokens.mint(SESSION, subject="alice")
        await tokens.revoke_subject("alice", SESSION)
        with pytest.raises(TokenRevokedError):
            await tokens.verify(now, SESSION)
        clock.advance(timedelta(seconds=0.25))
        later = await tokens.mint(SESSION, subject="alice")
        assert (await tokens.verify(later, SESSION)).subject == "alice"

    async def test_refuse_what_was_issued_before_an_instant_and_not_at_it(
        self, tokens: TokenService, clock: FakeClock
    ) -> None:
        token = await tokens.mint(SESSION, subject="alice")
        await tokens.revoke_subject("alice", SESSION, before=clock.now())
        assert (await tokens.verify(token, SESSION)).subject == "alice"
        await tokens.revoke_subject("alice", SESSION, before=clock.now() + timedelta(seconds=1))
        with pytest.raises(TokenRevokedError):
            await tokens.verify(token, SESSION)


CALLS: dict[str, Callable[[TokenService], Awaitable[object]]] = {
    "revoke_subject": lambda tokens: tokens.revoke_subject("alice", SESSION),
    "mint": lambda tokens: tokens.mint(LINK),
    "mint_many": lambda tokens: tokens.mint_many(LINK, []),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_service_that_nobody_entered_opens_what_a_call_needs_once(
    tokens: TokenService, store: CountedStore, call: str
) -> None:
    for _ in range(2):
        await CALLS[call](tokens)
    assert store.openings == 1


async def test_so_it_does_to_revoke_an_id(tokens: TokenService, store: CountedStore, clock: FakeClock) -> None:
    await tokens.revoke_id("1", SESSION, expires_at=clock.now() + MINUTE)
    assert store.openings == 1


async def test_keys_are_opened_by_who_was_not_entered_and_again_after_closing(
    clock: FakeClock, store: CountedStore
) -> None:
    opened: list[str] = []

    class Keys(MemoryKeyProvider):
        async def _open(self) -> None:
            opened.append("keys")
            await super()._open()

    tokens = TokenService(issuer="i", keys=Keys(clock=clock), replay=store, clock=clock)
    for times in (1, 2):
        for _ in range(3):
            await tokens.mint(LINK)
        assert (len(opened), store.openings) == (times, times)
        await tokens.aclose()


@pytest.mark.parametrize("ask", ["peek", "verify", "redeem", "revoke"])
async def test_so_it_does_to_check_a_token_and_closes_what_it_opened(
    clock: FakeClock, store: CountedStore, ask: str
) -> None:
    keys = MemoryKeyProvider(clock=clock)
    tokens = TokenService(issuer="i", keys=keys, replay=MemoryReplayStore(clock=clock), clock=clock)
    both = [await tokens.mint(LINK) for _ in range(2)]
    checker = TokenVerifier(issuer="i", keys=keys, replay=store, clock=clock)
    for token in both:
        await ASKS[ask](checker, token)
        assert (store.openings, store.closings) == (1, 0)
    await checker.aclose()
    assert (store.openings, store.closings) == (1, 1)


async def test_a_purpose_without_marks_opens_no_store(tokens: TokenService, store: CountedStore) -> None:
    await tokens.verify(await tokens.mint(ACCESS), ACCESS)
    assert store.openings == 0


Ask = Callable[[TokenVerifier, str], Awaitable[object]]


async def redeem(tokens: TokenVerifier, token: str) -> None:
    async with tokens.redeem(token, LINK):
        pass


ASKS: dict[str, Ask] = {
    "peek": lambda tokens, token: tokens.peek(token, LINK),
    "verify": lambda tokens, token: tokens.verify(token, LINK),
    "redeem": redeem,
    "revoke": lambda tokens, token: tokens.revoke(token, LINK),
}


def told(events: list[Event]) -> list[Reason]:
    return [event.reason for event in events if isinstance(event, Rejected)]


class TestHooks:
    @pytest.mark.parametrize("ask", ASKS)
    async def test_hear_of_a_token_that_is_refused(self, tokens: TokenService, events: list[Event], ask: str) -> None:
        with pytest.raises(InvalidTokenError):
            await ASKS[ask](tokens, "garbage")
        assert told(events) == [Reason.MALFORMED]

    @pytest.mark.parametrize("ask", ASKS)
    async def test_hear_of_keys_that_are_away(
        self, tokens: TokenService, events: list[Event], ask: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = await tokens.mint(LINK)

        async def away(kid: str) -> None:
            raise KeyProviderError("away")

        monkeypatch.setattr(tokens, "_at_hand", lambda kid: None)
        monkeypatch.setattr(tokens._keys, "resolve", away)
        with pytest.raises(BackendError):
            await ASKS[ask](tokens, token)
        assert told(events) == [Reason.KEYS_UNAVAILABLE]

    async def test_hear_of_a_store_that_is_away_at_the_end_of_a_block(
        self, clock: FakeClock, events: list[Event]
    ) -> None:
        store = FaultyReplayStore(MemoryReplayStore(clock=clock))
        keys = MemoryKeyProvider(clock=clock)
        tokens = TokenService(issuer="i", keys=keys, replay=store, clock=clock, hooks=[events.append])
        token = await tokens.mint(LINK)
        store.fail_always(StoreFault.BEFORE, on="commit")
        with pytest.raises(ReplayStoreError):
            async with tokens.redeem(token, LINK):
                pass
        assert told(events) == [Reason.REPLAY_UNAVAILABLE]
        assert not [event for event in events if isinstance(event, Spent)]

    @pytest.mark.parametrize("ask", ["peek", "verify", "redeem"])
    async def test_hear_of_a_store_that_is_away(self, clock: FakeClock, events: list[Event], ask: str) -> None:
        store = FaultyReplayStore(MemoryReplayStore(clock=clock))
        keys = MemoryKeyProvider(clock=clock)
        tokens = TokenService(issuer="i", keys=keys, replay=store, clock=clock, hooks=[events.append])
        token = await tokens.mint(LINK)
        store.fail_always(StoreFault.BEFORE)
        with pytest.raises(ReplayStoreError):
            await ASKS[ask](tokens, token)
        assert told(events) == [Reason.REPLAY_UNAVAILABLE]

    async def test_hear_of_a_block_when_it_begins_and_when_its_token_is_spent(
        self, tokens: TokenService, events: list[Event]
    ) -> None:
        token = await tokens.mint(LINK)
        events.clear()
        async with tokens.redeem(token, LINK):
            assert events == [Verified(purpose="link", key_id=token.key_id)]
        assert events[1:] == [Spent(purpose="link", key_id=token.key_id)]

    async def test_hear_of_a_lease_that_ran_out(
        self, tokens: TokenService, events: list[Event], clock: FakeClock
    ) -> None:
        token = await tokens.mint(LINK)
        with pytest.raises(TokenReplayedError):
            async with tokens.redeem(token, LINK, lease=MINUTE):
                clock.advance(MINUTE)
                await tokens.verify(token, LINK)
        assert told(events) == [Reason.REPLAYED]

    def test_are_announced_to_keys_that_tell_of_themselves_and_only_if_there_are_some(self, clock: FakeClock) -> None:
        asked: list[tuple[object, ...]] = []

        class Telling(StaticKeyResolver):
            def announce_to(self, hooks: Any, /, *, of: object) -> None:
                asked.append((hooks, of))

        def hook(event: Event) -> None: ...

        jwks = {"keys": [generate("EdDSA").public_jwk]}
        keys, silent = Telling(jwks), StaticKeyResolver(jwks)
        TokenVerifier(issuer="i", keys=keys, clock=clock)
        TokenVerifier(issuer="i", keys=silent, clock=clock, hooks=[hook])
        assert asked == []
        verifier = TokenVerifier(issuer="i", keys=keys, clock=clock, hooks=[hook])
        assert asked == [((hook,), verifier)]


def test_one_byte_is_the_least_that_a_token_may_have(clock: FakeClock) -> None:
    keys = MemoryKeyProvider(clock=clock)
    TokenVerifier(issuer="i", keys=keys, max_token_bytes=1)
    with pytest.raises(ConfigurationError, match="max_token_bytes must be positive"):
        TokenVerifier(issuer="i", keys=keys, max_token_bytes=0)


@pytest.mark.parametrize("lease", [timedelta(0), -INSTANT])
def test_a_lease_is_longer_than_nothing(tokens: TokenService, lease: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="lease must be positive"):
        tokens.redeem("token", LINK, lease=lease)
    tokens.redeem("token", LINK, lease=INSTANT)
