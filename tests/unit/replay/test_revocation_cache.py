"""A cache of the answer "not revoked": fewer round trips, a bound on how late others are heard, and nothing else.

That it is a replay store like any other is in `tests/contracts`.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest

from mintkey import Purpose, TokenService
from mintkey.errors import (
    ConfigurationError,
    ReplayStoreError,
    TokenReplayedError,
    TokenRevokedError,
    UnsupportedOperationError,
)
from mintkey.health import Check, SelfChecking
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import ClaimStatus, JointLookStore, Look, MemoryReplayStore, RevocationCache
from mintkey.testing import FakeClock

AGE = timedelta(seconds=5)
INSTANT = timedelta(microseconds=1)
LIFETIME = timedelta(minutes=10)
SESSION = Purpose("session", lifetime=LIFETIME, revocable=True)
BOTH = Purpose("both", lifetime=LIFETIME, revocable=True, single_use=True)


class Held:
    """An answer that waits to be let go."""

    def __init__(self):
        self.is_there, self.let_go = asyncio.Event(), asyncio.Event()


class Store(MemoryReplayStore):
    """Counts looks, holds their answers back, and goes away."""

    def __init__(self, clock):
        super().__init__(clock=clock)
        self.clock = clock
        self.looks = 0
        self.is_away = False
        self.held: list[Held] = []
        self.opened = Counter()

    async def look(self, key, cut_off, /, *, issued_at):
        self.looks += 1
        if self.is_away:
            raise ReplayStoreError("away")
        found = await super().look(key, cut_off, issued_at=issued_at)
        if self.held:
            held = self.held.pop(0)
            held.is_there.set()
            await held.let_go.wait()
        return found

    async def _open(self):
        self.opened["open"] += 1
        await super()._open()

    async def _close(self):
        self.opened["close"] += 1


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return Store(clock)


@pytest.fixture
async def cache(store, clock):
    await store.status("opens it", issued_at=clock.now())
    clock.advance(timedelta(minutes=1))
    return RevocationCache(store, max_age=AGE, clock=clock)


def service(replay, clock, keys):
    return TokenService(issuer="i", keys=keys, replay=replay, clock=clock)


@pytest.fixture
def keys(clock):
    return MemoryKeyProvider(clock=clock)


@pytest.fixture
def tokens(cache, clock, keys):
    return service(cache, clock, keys)


@pytest.fixture
def others(store, clock, keys):
    """Another process."""
    return service(store, clock, keys)


async def test_the_store_is_asked_once_in_the_bound_however_many_requests_come(tokens, store, clock):
    token = await tokens.mint(SESSION, subject="20")
    for _ in range(3):
        for _ in range(100):
            await tokens.verify(token, SESSION)
            await tokens.peek(token, SESSION)
        clock.advance(AGE)
    assert store.looks == 3


@pytest.mark.parametrize("what", ["token", "subject"])
async def test_what_another_process_revokes_is_refused_after_the_bound_at_the_latest(
    tokens, others, store, clock, what
):
    token = await tokens.mint(SESSION, subject="20")
    await tokens.verify(token, SESSION)
    await (others.revoke(token, SESSION) if what == "token" else others.revoke_subject("20", SESSION))
    clock.advance(AGE - INSTANT)
    assert await tokens.verify(token, SESSION)
    clock.advance(INSTANT)
    with pytest.raises(TokenRevokedError):
        await tokens.verify(token, SESSION)


@pytest.mark.parametrize("what", ["token", "id", "subject"])
async def test_what_this_process_revokes_is_refused_at_once(tokens, clock, what):
    token, other = [await tokens.mint(SESSION, subject=subject) for subject in ("20", "21")]
    for known in (token, other):
        await tokens.verify(known, SESSION)
    if what == "token":
        await tokens.revoke(token, SESSION)
    elif what == "id":
        await tokens.revoke_id(token.id, SESSION, expires_at=token.expires_at)
    else:
        await tokens.revoke_subject("20", SESSION)
    with pytest.raises(TokenRevokedError):
        await tokens.verify(token, SESSION)
    assert await tokens.verify(other, SESSION)


async def test_services_that_share_a_cache_hear_one_another_at_once(cache, tokens, clock, keys):
    token = await tokens.mint(SESSION, subject="20")
    await tokens.verify(token, SESSION)
    await service(cache, clock, keys).revoke(token, SESSION)
    with pytest.raises(TokenRevokedError):
        await tokens.verify(token, SESSION)


async def test_the_bound_counts_from_when_the_store_was_asked(cache, store, clock):
    """However long its answer took: the store may have been asked before somebody revoked."""
    held = Held()
    store.held.append(held)
    looking = asyncio.create_task(cache.look("token", "subject", issued_at=clock.now()))
    await held.is_there.wait()
    issued_at = clock.now()
    await store.revoke("token", expires_at=clock.now() + LIFETIME)
    clock.advance(AGE)
    held.let_go.set()
    assert await looking == Look(ClaimStatus.UNUSED, None)
    assert await cache.look("token", "subject", issued_at=issued_at) == Look(ClaimStatus.REVOKED, None)


@pytest.mark.parametrize("what", ["token", "subject", "spent"])
async def test_an_answer_that_was_on_its_way_does_not_hide_what_was_done_here_meanwhile(cache, store, clock, what):
    held, now = Held(), clock.now()
    store.held.append(held)
    looking = asyncio.create_task(cache.look("token", "subject", issued_at=now))
    await held.is_there.wait()
    if what == "token":
        await cache.revoke("token", expires_at=now + LIFETIME)
    elif what == "subject":
        await cache.cut_off("subject", before=now + INSTANT, expires_at=now + LIFETIME)
    else:
        await cache.claim("token", owner="me", issued_at=now, expires_at=now + LIFETIME)
    held.let_go.set()
    assert await looking == Look(ClaimStatus.UNUSED, None)
    assert await cache.look("token", "subject", issued_at=now) != Look(ClaimStatus.UNUSED, None)


async def test_answers_that_overtake_each_other_leave_the_newer_one(cache, store, clock):
    early, late = Held(), Held()
    store.held += [early, late]
    now = clock.now()
    first = asyncio.create_task(cache.look("one", "subject", issued_at=now))
    await early.is_there.wait()
    clock.advance(AGE / 2)
    await store.cut_off("subject", before=now, expires_at=now + LIFETIME)
    second = asyncio.create_task(cache.look("two", "subject", issued_at=now))
    await late.is_there.wait()
    late.let_go.set()
    assert await second == Look(ClaimStatus.UNUSED, now)
    early.let_go.set()
    assert await first == Look(ClaimStatus.UNUSED, None)
    assert await cache.look("one", "subject", issued_at=now) == Look(ClaimStatus.UNUSED, now)
    assert store.looks == 2


async def test_only_good_news_is_kept(cache, store, clock):
    now, until = clock.now(), clock.now() + LIFETIME
    await store.revoke("revoked", expires_at=until)
    await store.claim("spent", owner="me", issued_at=now, expires_at=until)
    await store.claim("reserved", owner="me", issued_at=now, expires_at=until, lease=LIFETIME)
    await store.cut_off("cut", before=now + INSTANT, expires_at=until)
    looks = [("revoked", "s", now), ("spent", "s", now), ("reserved", "s", now), ("fine", "cut", now)]
    for key, subject, issued_at in [*looks, ("old", "s", now - LIFETIME)]:
        asked = store.looks
        for _ in range(2):
            await cache.look(key, subject, issued_at=issued_at)
        assert store.looks == asked + 2


async def test_an_error_is_no_answer_and_what_is_known_to_be_good_stays_good_for_the_bound(tokens, store, clock):
    known, unknown = [await tokens.mint(SESSION, subject="20") for _ in range(2)]
    await tokens.verify(known, SESSION)
    store.is_away = True
    assert await tokens.verify(known, SESSION)
    for _ in range(2):
        with pytest.raises(ReplayStoreError):
            await tokens.verify(unknown, SESSION)
    clock.advance(AGE)
    with pytest.raises(ReplayStoreError):
        await tokens.verify(known, SESSION)
    store.is_away = False
    assert await tokens.verify(unknown, SESSION)


async def test_a_subject_with_a_cut_off_is_remembered_for_tokens_that_came_after_it(tokens, store, clock):
    old = await tokens.mint(SESSION, subject="20")
    await tokens.revoke_subject("20", SESSION)
    clock.advance(timedelta(seconds=1))
    new = await tokens.mint(SESSION, subject="20")
    for _ in range(3):
        assert await tokens.verify(new, SESSION)
        with pytest.raises(TokenRevokedError):
            await tokens.verify(old, SESSION)
    assert store.looks == 1 + 3


async def test_an_older_token_is_refused_as_soon_as_a_newer_one_of_its_subject_shows_the_cut_off(
    tokens, others, store, clock
):
    old = await tokens.mint(SESSION, subject="20")
    clock.advance(timedelta(seconds=2))
    await tokens.verify(old, SESSION)
    await others.revoke_subject("20", SESSION)
    clock.advance(timedelta(seconds=1))
    new = await tokens.mint(SESSION, subject="20")
    assert await tokens.verify(new, SESSION)
    with pytest.raises(TokenRevokedError):
        await tokens.verify(old, SESSION)
    assert store.looks == 2


async def test_spending_always_asks_the_store(tokens, others, store):
    token = await tokens.mint(BOTH, subject="20")
    await tokens.peek(token, BOTH)
    await others.verify(token, BOTH)
    assert await tokens.peek(token, BOTH)  # a look may miss it for the bound
    with pytest.raises(TokenReplayedError):
        await tokens.verify(token, BOTH)
    with pytest.raises(TokenReplayedError):
        await tokens.peek(token, BOTH)


async def test_the_cut_off_of_a_token_to_be_spent_is_not_taken_from_memory(tokens, others):
    token = await tokens.mint(BOTH, subject="20")
    await tokens.peek(token, BOTH)
    await others.revoke_subject("20", BOTH)
    with pytest.raises(TokenRevokedError):
        await tokens.verify(token, BOTH)


@pytest.mark.parametrize("call", ["claim", "commit"])
async def test_a_look_after_an_own_spending_asks_again(cache, store, clock, call):
    now, until = clock.now(), clock.now() + LIFETIME
    await cache.look("token", "subject", issued_at=now)
    if call == "claim":
        await cache.claim("token", owner="me", issued_at=now, expires_at=until)
    else:
        await cache.commit("token", owner="me", expires_at=until)
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.SPENT, None)


async def test_the_oldest_make_room(store, clock):
    cache, now = RevocationCache(store, max_age=AGE, max_entries=3, clock=clock), clock.now()

    async def is_remembered(name):
        asked = store.looks
        await cache.look(name, name, issued_at=now)
        return store.looks == asked

    for name in "abc":
        assert not await is_remembered(name)
    assert not await is_remembered("d")
    assert [await is_remembered(name) for name in "bcd"] == [True] * 3
    clock.advance(AGE)
    assert not await is_remembered("b")  # renewed, so that it is the youngest now
    assert not await is_remembered("e")
    assert not await is_remembered("f")
    assert await is_remembered("b")


class Plain:
    """A store of somebody else: cut-offs, but nothing else beyond a replay store, and no context manager."""

    def __init__(self, store):
        self.claim, self.status, self.revoke = store.claim, store.status, store.revoke
        self.commit, self.release = store.commit, store.release
        self.cut_off, self.cut_off_before = store.cut_off, store.cut_off_before
        self.closed = 0

    async def aclose(self):
        self.closed += 1


async def test_a_store_without_joint_looks_is_asked_twice_and_cached_too(store, clock):
    plain = Plain(store)
    assert not isinstance(plain, JointLookStore)
    cache = RevocationCache(plain, max_age=AGE, clock=clock)
    now = clock.now()
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.UNUSED, None)
    await store.revoke("token", expires_at=now + LIFETIME)
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.UNUSED, None)
    clock.advance(AGE)
    assert await cache.look("token", "subject", issued_at=now) == Look(ClaimStatus.REVOKED, None)


async def test_a_store_without_families_says_so_when_it_is_asked(store, clock):
    cache, now = RevocationCache(Plain(store), clock=clock), clock.now()
    with pytest.raises(UnsupportedOperationError, match="Plain keeps no families"):
        await cache.family("family", issued_at=now)
    with pytest.raises(UnsupportedOperationError, match="Plain keeps no families"):
        await cache.swap_family("family", expected=None, document=b"1", expires_at=now)


async def test_it_opens_and_closes_its_store_and_no_opening_of_others(store, clock):
    cache = RevocationCache(store, clock=clock)
    async with store:
        async with cache, cache:
            assert store.opened == {"open": 1}
        await cache.aclose()
        assert store.opened == {"open": 1}
    assert store.opened == {"open": 1, "close": 1}
    async with cache:
        assert store.opened["open"] == 2
    assert store.opened["close"] == 2


async def test_without_being_entered_it_lets_go_of_what_its_store_took(store, clock):
    cache = RevocationCache(store, clock=clock)
    await cache.status("key", issued_at=clock.now())
    await cache.aclose()
    assert store.opened == {"close": 1}
    plain = Plain(store)
    async with RevocationCache(plain, clock=clock):
        assert plain.closed == 0
    assert plain.closed == 1


async def test_a_store_that_cannot_be_opened_is_tried_again(clock):
    class Broken(Store):
        async def _open(self):
            await super()._open()
            if self.opened["open"] == 1:
                raise ReplayStoreError("away")

    store = Broken(clock)
    cache = RevocationCache(store, clock=clock)
    with suppress(ReplayStoreError):
        await cache.__aenter__()
    async with cache:
        assert store.opened["open"] == 2
    assert store.opened["close"] == 1


async def test_health_is_that_of_the_store(store, clock, tokens):
    class Telling(Store):
        async def checks(self):
            return {"role": Check(ok=True, word="master", figure=0)}

    cache = RevocationCache(Telling(clock), clock=clock)
    assert isinstance(cache, SelfChecking)
    assert set(await cache.checks()) == {"role"}
    assert await RevocationCache(store, clock=clock).checks() == {}
    assert (await tokens.health()).ok


def test_wrong_settings_are_told_all_at_once(store):
    class NoCutOffs:
        pass

    with pytest.raises(ConfigurationError) as caught:
        RevocationCache(NoCutOffs(), max_age=timedelta(0), max_entries=0)
    assert len(caught.value.details["problems"]) == 3
    with pytest.raises(ConfigurationError, match="at most a minute"):
        RevocationCache(store, max_age=timedelta(minutes=1) + INSTANT)
    assert RevocationCache(store, max_age=timedelta(minutes=1), max_entries=1).max_age == timedelta(minutes=1)


def test_it_says_its_bound_and_nothing_it_holds(store):
    assert repr(RevocationCache(store)) == "RevocationCache(max_age=5.0 s, max_entries=10000)"
