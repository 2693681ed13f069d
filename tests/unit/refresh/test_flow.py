"""Sessions: what a sign-in gives, what a refresh token is good for, and what becomes of one that comes again."""

import asyncio
import dataclasses
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import pytest

from mintkey import (
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    KeyProviderError,
    NotYetValidError,
    Purpose,
    PurposeMismatchError,
    Reason,
    ReplayStoreError,
    SignatureError,
    TokenReplayedError,
    TokenRevokedError,
    TokenService,
    presets,
)
from mintkey.events import Minted, Rejected, ReuseDetected, Revoked, Verified
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from mintkey.refresh import RefreshFlow
from mintkey.replay import MemoryReplayStore
from mintkey.replay.revocation_cache import RevocationCache
from mintkey.testing import FakeClock, FaultyReplayStore
from tests.support.families import FaultyFamilies
from tests.support.turns import Hurrying, longest_run

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
ACCESS = presets.ACCESS.replace(audience="https://api.test")
REFRESH = presets.REFRESH
ISSUER = "https://issuer.test"


@pytest.fixture
def clock():
    return FakeClock(datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC))


@pytest.fixture
def events():
    return []


@pytest.fixture
def store(clock):
    return FaultyFamilies(clock=clock)


@pytest.fixture
def keys(clock):
    return MemoryKeyProvider(clock=clock)


@pytest.fixture
async def tokens(clock, events, store, keys):
    async with TokenService(issuer=ISSUER, keys=keys, replay=store, clock=clock, hooks=[events.append]) as tokens:
        yield tokens


@pytest.fixture
def flow(tokens):
    return RefreshFlow(tokens, access=ACCESS, refresh=REFRESH)


def claims(token):
    return json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))


def says(pair):
    """What must be the same when a pair is minted once more."""
    return claims(pair.access), claims(pair.refresh), pair.family


def told(events, *kinds):
    return [event for event in events if isinstance(event, kinds)]


async def refused(call, error, reason):
    with pytest.raises(error) as caught:
        await call
    assert caught.value.reason is reason


# Signing in


async def test_a_sign_in_gives_a_pair(flow, tokens, clock):
    pair = await flow.issue("20", claims={"role": "editor"}, scopes=["write", "read"])
    access = await tokens.verify(pair.access, ACCESS, scopes=["read"])
    assert (access.subject, access.claims, access.scopes) == ("20", {"role": "editor"}, {"read", "write"})
    assert pair.access.purpose == "access"
    assert pair.refresh.purpose == "refresh"
    now = int(clock.time())
    assert (pair.access.exp, pair.refresh.exp) == (now + 600, now + 12 * 3600)
    assert claims(pair.refresh)["iat"] == claims(pair.access)["iat"] == now


async def test_neither_token_passes_for_the_other(flow, tokens):
    pair = await flow.issue("20")
    with pytest.raises(PurposeMismatchError):
        await tokens.verify(pair.refresh, ACCESS)
    with pytest.raises(PurposeMismatchError):
        await flow.refresh(pair.access)


async def test_a_pair_shows_no_token(flow):
    pair = await flow.issue("20")
    assert pair.access not in repr(pair)
    assert pair.refresh not in repr(pair)


async def test_every_sign_in_is_a_family_of_its_own(flow):
    one, two = await flow.issue("20"), await flow.issue("20")
    assert one.family != two.family
    await flow.revoke(one.refresh)
    await flow.refresh(two.refresh)


async def test_the_store_learns_nothing_of_a_person_and_no_token(flow, store):
    pair = await flow.issue("alice", claims={"email": "alice@example.com"})
    second = await flow.refresh(pair.refresh)
    ((key, documents),) = store.documents.items()
    for text in (key, *map(bytes.decode, documents)):
        for secret in ("alice", pair.family, second.access.id, second.refresh, second.access):
            assert secret not in text


async def test_one_scope_is_one_scope_and_not_its_letters(flow, tokens):
    pair = await flow.issue("20", scopes="read")
    assert (await tokens.verify(pair.access, ACCESS)).scopes == {"read"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"subject": ""},
        {"claims": {"iss": "x"}},
        {"claims": {"a": float("nan")}},
        {"claims": {"a": "x" * 15_000}},
        {"claims": [1]},
        {"scopes": ["a b"]},
    ],
    ids=str,
)
async def test_a_request_that_does_not_fit_begins_no_session(flow, store, arguments):
    with pytest.raises(ConfigurationError):
        await flow.issue(**{"subject": "20", **arguments})
    assert not store.documents


class Ticking(FakeClock):
    """A clock by which a second has gone by whenever somebody looks."""

    def time(self):
        self.advance(SECOND)
        return super().time()


@pytest.mark.parametrize("revocable", [True, False])
async def test_a_service_that_nobody_entered_opens_what_a_session_needs(revocable):
    """Its store first of all: what is issued before its memory begins could never be exchanged."""
    clock = Ticking()
    tokens = TokenService(
        issuer=ISSUER, keys=MemoryKeyProvider(clock=clock), replay=MemoryReplayStore(clock=clock), clock=clock
    )
    refresh = Purpose("refresh", lifetime=HOUR, revocable=revocable)
    flow = RefreshFlow(tokens, access=ACCESS, refresh=refresh)
    pair = await flow.refresh((await flow.issue("20")).refresh)
    await tokens.aclose()
    await flow.revoke(pair.refresh)
    await tokens.aclose()


async def test_a_store_that_has_such_a_family_already_is_not_believed(flow, store):
    store.refuses = True
    await refused(flow.issue("20"), ReplayStoreError, Reason.REPLAY_UNAVAILABLE)


# Refreshing


async def test_a_refresh_token_is_exchanged_for_the_next_pair(flow, tokens, clock):
    first = await flow.issue("20", claims={"role": "editor"}, scopes=["write", "read"])
    clock.advance(10 * MINUTE)
    second = await flow.refresh(first.refresh)
    for kind in ("access", "refresh"):
        before, after = claims(getattr(first, kind)), claims(getattr(second, kind))
        assert {name for name in before if before[name] != after[name]} <= {"iat", "exp", "jti", "generation"}
    access = await tokens.verify(second.access, ACCESS, scopes=["read"])
    assert (access.subject, access.claims) == ("20", {"role": "editor"})
    assert second.family == first.family
    assert len({token.id for pair in (first, second) for token in (pair.access, pair.refresh)}) == 4
    assert second.access.expires_at == first.access.expires_at + 10 * MINUTE
    third = await flow.refresh(second.refresh)
    assert (await tokens.verify(third.access, ACCESS)).claims == {"role": "editor"}


class Member(TypedDict):
    role: str


@dataclasses.dataclass
class Clerk:
    role: str
    desk: int = 1


@pytest.mark.parametrize("who", [Member(role="editor"), Clerk("editor", 7)], ids=["TypedDict", "dataclass"])
async def test_typed_claims_survive(tokens, who):
    access = Purpose("access", lifetime=MINUTE, claims=type(who) if isinstance(who, Clerk) else Member)
    flow = RefreshFlow(tokens, access=access, refresh=REFRESH)
    second = await flow.refresh((await flow.issue("20", claims=who)).refresh)
    assert (await tokens.verify(second.access, access)).claims == who


async def test_claims_that_fit_no_more_need_a_new_sign_in(tokens, events):
    """The access tokens of a new version of the application say more than those of the old one."""
    old = RefreshFlow(tokens, access=Purpose("access", lifetime=MINUTE, claims=Member), refresh=REFRESH)
    new = RefreshFlow(tokens, access=Purpose("access", lifetime=MINUTE, claims=Clerk), refresh=REFRESH)
    much_newer = Purpose("access", lifetime=MINUTE, claims=TypedDict("Needy", {"tenant": str}))
    pair = await new.refresh((await old.issue("20", claims=Member(role="editor"))).refresh)
    await refused(
        RefreshFlow(tokens, access=much_newer, refresh=REFRESH).refresh(pair.refresh), ClaimError, Reason.CLAIM_INVALID
    )
    assert told(events, Rejected)[-1].reason is Reason.CLAIM_INVALID
    await new.refresh(pair.refresh)


async def test_other_claims_and_fewer_scopes_are_for_one_access_token_alone(flow, tokens):
    first = await flow.issue("20", claims={"role": "editor"}, scopes=["read", "write"])
    second = await flow.refresh(first.refresh, claims={"role": "reader"}, scopes=["read"])
    seen = await tokens.verify(second.access, ACCESS)
    assert (seen.claims, seen.scopes) == ({"role": "reader"}, {"read"})
    again = await flow.refresh(first.refresh)
    assert again.refresh.id == second.refresh.id
    assert claims(again.refresh) == claims(second.refresh)
    assert again.access.id != second.access.id
    third = await flow.refresh(second.refresh)
    seen = await tokens.verify(third.access, ACCESS)
    assert (seen.claims, seen.scopes) == ({"role": "editor"}, {"read", "write"})
    fourth = await flow.refresh(third.refresh, scopes=())
    assert (await tokens.verify(fourth.access, ACCESS)).scopes == set()


async def test_scopes_never_grow(flow):
    pair = await flow.issue("20", scopes=["read"])
    for asked in (["read", "write"], ["rea"]):
        await refused(flow.refresh(pair.refresh, scopes=asked), InsufficientScopeError, Reason.INSUFFICIENT_SCOPE)
    with pytest.raises(ConfigurationError):
        await flow.refresh(pair.refresh, scopes="read")
    await flow.refresh(pair.refresh)


async def test_what_a_caller_may_not_ask_costs_no_session(flow):
    pair = await flow.issue("20")
    with pytest.raises(ConfigurationError):
        await flow.refresh(pair.refresh, claims={"iss": "x"})
    await flow.refresh(pair.refresh)


async def test_a_success_is_told_after_the_last_check(flow, events):
    pair = await flow.issue("20")
    events.clear()
    await flow.refresh(pair.refresh)
    assert [type(event) for event in events] == [Minted, Minted, Verified]
    assert {event.purpose for event in told(events, Minted)} == {"access", "refresh"}
    assert events[-1].purpose == "refresh"


# A token that comes again


async def test_within_the_window_the_same_pair_comes_back(flow, clock, events):
    first = await flow.issue("20", claims={"role": "editor"}, scopes=["b", "a"])
    clock.advance(MINUTE)
    second = await flow.refresh(first.refresh)
    for _ in range(3):
        clock.advance(3 * SECOND)
        assert says(await flow.refresh(first.refresh)) == says(second)
    assert not told(events, ReuseDetected, Rejected)
    await flow.refresh(second.refresh)


async def test_the_same_pair_comes_back_from_another_key(flow, tokens, clock, keys):
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    await keys.rotate()
    again = await flow.refresh(first.refresh)
    assert says(again) == says(second)
    assert again.refresh.key_id != second.refresh.key_id
    assert (await flow.refresh(again.refresh)).family == first.family


async def test_at_the_very_end_of_the_window_it_is_reuse(flow, clock):
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    clock.advance(timedelta(seconds=9.75))
    assert says(await flow.refresh(first.refresh)) == says(second)
    clock.advance(timedelta(seconds=0.25))
    await refused(flow.refresh(first.refresh), TokenReplayedError, Reason.REPLAYED)


async def test_reuse_ends_the_whole_family_and_is_told_once(flow, clock, events):
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    clock.advance(MINUTE)
    third = await flow.refresh(second.refresh)
    events.clear()
    await refused(flow.refresh(first.refresh), TokenReplayedError, Reason.REPLAYED)
    assert [type(event) for event in events] == [ReuseDetected, Rejected]
    assert events[0] == ReuseDetected(purpose="refresh")
    assert events[1].reason is Reason.REPLAYED
    for pair in (first, second, third):
        await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)
    assert len(told(events, ReuseDetected)) == 1


async def test_other_sessions_of_the_same_subject_go_on_after_reuse(flow, clock):
    stolen, other = await flow.issue("20"), await flow.issue("20")
    await flow.refresh(stolen.refresh)
    clock.advance(MINUTE)
    await refused(flow.refresh(stolen.refresh), TokenReplayedError, Reason.REPLAYED)
    await flow.refresh(other.refresh)


async def test_a_client_that_lost_an_answer_goes_on_though_another_tab_was_quicker(flow, clock):
    """One tab lost the answer to the first token; another one got it, and refreshed again meanwhile."""
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    clock.advance(4 * SECOND)
    third = await flow.refresh(second.refresh)
    clock.advance(4 * SECOND)
    late = await flow.refresh(first.refresh)
    assert says(late) == says(third)
    clock.advance(HOUR)
    assert (await flow.refresh(late.refresh)).family == first.family


async def test_exchanging_again_and_again_opens_no_window_for_longer(flow, clock):
    """Whoever has an old token gets nothing by it when its own window is over, however busy the family is."""
    first = await flow.issue("20")
    pair = first
    for _ in range(6):
        pair = await flow.refresh(pair.refresh)
        clock.advance(2 * SECOND)
    await refused(flow.refresh(first.refresh), TokenReplayedError, Reason.REPLAYED)
    await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)


async def test_a_thief_and_a_client_who_share_a_family_both_lose_it(flow, clock):
    """The thief came within the window; as soon as both went on, nobody can know who is who."""
    stolen = await flow.issue("20")
    at_the_client = await flow.refresh(stolen.refresh)
    at_the_thief = await flow.refresh(stolen.refresh)
    clock.advance(5 * MINUTE)
    ahead = await flow.refresh(at_the_thief.refresh)
    clock.advance(5 * MINUTE)
    await refused(flow.refresh(at_the_client.refresh), TokenReplayedError, Reason.REPLAYED)
    await refused(flow.refresh(ahead.refresh), TokenRevokedError, Reason.REVOKED)


async def test_fifty_at_once_get_one_successor(flow, events):
    first = await flow.issue("20")
    pairs = await asyncio.gather(*(flow.refresh(first.refresh) for _ in range(50)))
    assert all(says(pair) == says(pairs[0]) for pair in pairs)
    assert not told(events, ReuseDetected, Rejected)


async def test_without_grace_the_second_of_two_ends_the_family(tokens, events):
    flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH, grace=timedelta(0))
    first = await flow.issue("20")
    outcomes = await asyncio.gather(*(flow.refresh(first.refresh) for _ in range(3)), return_exceptions=True)
    (second,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert {type(error) for error in outcomes} - {type(second)} <= {TokenReplayedError, TokenRevokedError}
    assert len(told(events, ReuseDetected)) == 1
    await refused(flow.refresh(second.refresh), TokenRevokedError, Reason.REVOKED)


async def test_who_loses_the_race_gets_what_the_winner_got(flow, store, events):
    first = await flow.issue("20")
    quicker = []

    async def another():
        quicker.append(await flow.refresh(first.refresh))

    store.before_swap = another
    slower = await flow.refresh(first.refresh)
    assert says(slower) == says(quicker[0])
    assert len(store.documents[next(iter(store.documents))]) == 2
    assert not told(events, Rejected)


# Revoking


async def test_signing_out_ends_the_session(flow, clock, events):
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    await flow.revoke(second.refresh)
    for pair in (first, second):
        await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)
    assert told(events, Revoked) == [Revoked(purpose="refresh", what="family")]
    await flow.revoke(second.refresh)
    assert len(told(events, Revoked)) == 1
    assert not told(events, ReuseDetected)


async def test_any_token_of_the_session_will_do(tokens, clock):
    """An exchanged one, and one that expired in a session that goes on."""
    flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH, family_lifetime=3 * DAY)
    first = await flow.issue("20")
    clock.advance(11 * HOUR)
    second = await flow.refresh(first.refresh)
    clock.advance(2 * HOUR)
    await refused(flow.refresh(first.refresh), ExpiredTokenError, Reason.EXPIRED)
    await flow.revoke(first.refresh)
    await refused(flow.refresh(second.refresh), TokenRevokedError, Reason.REVOKED)


async def test_a_device_is_signed_out_by_the_id_of_its_session(flow):
    pair = await flow.issue("20")
    await flow.revoke_family(pair.family)
    await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)
    await flow.revoke_family("no-such-family")


async def test_issuers_and_purposes_that_share_a_store_end_no_session_of_one_another(flow, store, keys, clock):
    pair = await flow.issue("20")
    other = TokenService(issuer="https://other.test", keys=keys, replay=store, clock=clock)
    await RefreshFlow(other, access=ACCESS, refresh=REFRESH).revoke_family(pair.family)
    same = TokenService(issuer=ISSUER, keys=keys, replay=store, clock=clock)
    await RefreshFlow(same, access=ACCESS, refresh=REFRESH.replace(name="long")).revoke_family(pair.family)
    await flow.refresh(pair.refresh)
    for tokens in (other, same):
        await tokens.aclose()


async def test_nobody_signs_out_whom_he_does_not_hold(flow, tokens, events):
    pair = await flow.issue("20")
    header, payload, signature = pair.refresh.split(".")
    forged = f"{header}.{payload}.{signature[::-1]}"
    with pytest.raises(InvalidTokenError):
        await flow.revoke(forged)
    assert isinstance(events[-1], Rejected)
    await refused(flow.revoke(pair.access), PurposeMismatchError, Reason.PURPOSE_MISMATCH)
    by_hand = await tokens.mint(REFRESH, subject="20")
    await refused(flow.revoke(by_hand), ClaimError, Reason.CLAIM_MISSING)
    await flow.refresh(pair.refresh)


async def test_signing_out_wins_against_a_refresh_under_way(flow, store):
    first = await flow.issue("20")
    store.before_swap = lambda: flow.revoke(first.refresh)
    await refused(flow.refresh(first.refresh), TokenRevokedError, Reason.REVOKED)


async def test_signing_out_wins_against_a_refresh_that_was_quicker(flow, store):
    first = await flow.issue("20")
    got = []

    async def quicker():
        got.append(await flow.refresh(first.refresh))

    store.before_swap = quicker
    await flow.revoke(first.refresh)
    await refused(flow.refresh(got[0].refresh), TokenRevokedError, Reason.REVOKED)


async def test_of_two_who_meet_the_same_reuse_one_tells(flow, clock, store, events):
    first = await flow.issue("20")
    await flow.refresh(first.refresh)
    clock.advance(MINUTE)

    async def another():
        await refused(flow.refresh(first.refresh), TokenReplayedError, Reason.REPLAYED)

    store.before_swap = another
    await refused(flow.refresh(first.refresh), TokenRevokedError, Reason.REVOKED)
    assert len(told(events, ReuseDetected)) == 1


async def test_a_revoked_token_and_a_revoked_subject_are_refused(flow, tokens, clock):
    pair, other = await flow.issue("20"), await flow.issue("20")
    await tokens.revoke(pair.refresh, REFRESH)
    await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)
    await tokens.revoke_subject("20", REFRESH)
    await refused(flow.refresh(other.refresh), TokenRevokedError, Reason.REVOKED)
    clock.advance(2 * SECOND)
    await flow.refresh((await flow.issue("20")).refresh)


@pytest.mark.parametrize("when", ["before_look", "before_swap"])
async def test_who_is_signed_out_everywhere_during_a_refresh_is_signed_out(flow, tokens, clock, store, when):
    """The refresh passed the check before; what it gives out must not be younger than the revocation."""
    first = await flow.issue("20")

    async def everywhere():
        await tokens.revoke_subject("20", REFRESH)
        clock.advance(2 * SECOND)

    setattr(store, when, everywhere)
    second = await flow.refresh(first.refresh)
    await refused(flow.refresh(second.refresh), TokenRevokedError, Reason.REVOKED)


async def test_an_old_answer_from_a_cache_is_not_good_enough(clock, keys, store):
    """The tokens that it would let out are younger than the revocation: they would be good for ever."""
    cached, elsewhere = (
        TokenService(issuer=ISSUER, keys=keys, replay=replay, clock=clock)
        for replay in (RevocationCache(store, max_age=MINUTE, clock=clock), store)
    )
    flow = RefreshFlow(cached, access=ACCESS, refresh=REFRESH)
    one, two = await flow.issue("20"), await flow.issue("21")
    for pair in (one, two):
        await cached.peek(pair.refresh, REFRESH)
    await elsewhere.revoke_subject("20", REFRESH)
    await elsewhere.revoke(two.refresh, REFRESH)
    clock.advance(2 * SECOND)
    for pair in (one, two):
        await cached.peek(pair.refresh, REFRESH)
        await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)
    for tokens in (cached, elsewhere):
        await tokens.aclose()


# What a token is not good for


async def test_a_token_that_no_flow_minted_is_refused(flow, tokens, events):
    by_hand = await tokens.mint(REFRESH, subject="20")
    await refused(flow.refresh(by_hand), ClaimError, Reason.CLAIM_MISSING)
    assert isinstance(events[-1], Rejected)


async def test_a_refresh_token_leads_to_access_tokens_of_its_own_purpose_only(flow, tokens):
    """Two flows share a refresh purpose; the tokens of one must not be worth those of the other."""
    admin = RefreshFlow(tokens, access=Purpose("admin", lifetime=MINUTE), refresh=REFRESH)
    pair = await flow.issue("20")
    await refused(admin.refresh(pair.refresh), PurposeMismatchError, Reason.PURPOSE_MISMATCH)
    await refused(admin.revoke(pair.refresh), PurposeMismatchError, Reason.PURPOSE_MISMATCH)
    await flow.refresh(pair.refresh)


async def test_a_token_that_names_another_family_is_refused(flow, tokens):
    """Only who has the keys can mint one; still it must be the one that was given out."""
    pair = await flow.issue("20")
    odd = await tokens.mint(REFRESH, subject="20", claims={"family": pair.family, "generation": 0, "access": "access"})
    await refused(flow.refresh(odd), TokenReplayedError, Reason.REPLAYED)
    await refused(flow.refresh(pair.refresh), TokenRevokedError, Reason.REVOKED)


async def test_tokens_of_another_issuer_are_refused(flow, store, keys, clock):
    other = TokenService(issuer="https://other.test", keys=keys, replay=store, clock=clock)
    pair = await RefreshFlow(other, access=ACCESS, refresh=REFRESH).issue("20")
    await refused(flow.refresh(pair.refresh), ClaimError, Reason.ISSUER_MISMATCH)
    await other.aclose()


async def test_a_forged_token_never_reaches_the_family(flow, clock):
    first = await flow.issue("20")
    await flow.refresh(first.refresh)
    clock.advance(MINUTE)
    header, payload, signature = first.refresh.split(".")
    with pytest.raises(SignatureError):
        await flow.refresh(f"{header}.{payload}.{'A' * len(signature)}")


# How long a session lives


async def test_a_session_ends_as_long_after_the_sign_in_as_a_refresh_token_lives(flow, clock):
    first = await flow.issue("20")
    clock.advance(11 * HOUR)
    second = await flow.refresh(first.refresh)
    assert second.refresh.expires_at == first.refresh.expires_at
    clock.advance(HOUR - 5 * MINUTE)
    third = await flow.refresh(second.refresh)
    assert third.access.expires_at == third.refresh.expires_at == first.refresh.expires_at
    clock.advance(5 * MINUTE)
    await refused(flow.refresh(third.refresh), ExpiredTokenError, Reason.EXPIRED)


async def test_the_leeway_is_for_clocks_and_lengthens_no_session(flow, clock, events):
    pair = await flow.issue("20")
    clock.advance(12 * HOUR + 5 * SECOND)
    await refused(flow.refresh(pair.refresh), ExpiredTokenError, Reason.EXPIRED)
    assert told(events, Rejected)[-1].reason is Reason.EXPIRED


async def test_a_session_may_go_on_for_as_long_as_it_is_used(tokens, clock):
    flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH, family_lifetime=2 * DAY)
    pair = first = await flow.issue("20")
    for _ in range(4):
        clock.advance(11 * HOUR)
        pair = await flow.refresh(pair.refresh)
    assert pair.refresh.expires_at == first.refresh.expires_at - 12 * HOUR + 2 * DAY
    clock.advance(4 * HOUR)
    await refused(flow.refresh(pair.refresh), ExpiredTokenError, Reason.EXPIRED)


async def test_a_session_that_may_go_on_ends_when_nobody_uses_it(tokens, clock, store):
    flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH, family_lifetime=2 * DAY)
    pair = await flow.issue("20")
    clock.advance(12 * HOUR + 10 * SECOND)
    await refused(flow.refresh(pair.refresh), ExpiredTokenError, Reason.EXPIRED)
    clock.advance(MINUTE)
    await flow.issue("21")
    assert len(store._families) == 1


# What may fail


async def test_a_store_that_is_away_logs_nobody_out(flow, store, events):
    first = await flow.issue("20")
    store.is_away = True
    for call in (flow.issue("20"), flow.refresh(first.refresh), flow.revoke(first.refresh)):
        await refused(call, ReplayStoreError, Reason.REPLAY_UNAVAILABLE)
    assert told(events, Rejected)[-1].reason is Reason.REPLAY_UNAVAILABLE
    store.is_away = False
    await flow.refresh(first.refresh)


async def test_whoever_loses_the_answer_of_the_store_comes_again(flow, store, clock):
    first = await flow.issue("20")
    store.loses_answers = True
    await refused(flow.refresh(first.refresh), ReplayStoreError, Reason.REPLAY_OUTCOME_UNKNOWN)
    store.loses_answers = False
    clock.advance(5 * SECOND)
    second = await flow.refresh(first.refresh)
    assert len(store.documents[next(iter(store.documents))]) == 2
    await flow.refresh(second.refresh)


async def test_a_store_that_lost_its_memory_refuses_what_it_lost(flow, store, clock, events):
    pair = await flow.issue("20")
    clock.advance(MINUTE)
    store.__init__(clock=clock)
    await refused(flow.refresh(pair.refresh), TokenReplayedError, Reason.REPLAY_UNPROVABLE)
    assert told(events, Rejected)[-1].reason is Reason.REPLAY_UNPROVABLE
    await flow.revoke(pair.refresh)
    await flow.refresh((await flow.issue("20")).refresh)


async def test_a_family_that_is_gone_is_refused_by_a_store_without_a_fence_too(clock):
    store = MemoryReplayStore(clock=clock, fence=False)
    tokens = TokenService(issuer=ISSUER, keys=MemoryKeyProvider(clock=clock), replay=store, clock=clock)
    flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH)
    pair = await flow.issue("20")
    store.__init__(clock=clock, fence=False)
    await refused(flow.refresh(pair.refresh), TokenReplayedError, Reason.REPLAY_UNPROVABLE)
    await tokens.aclose()


@pytest.mark.parametrize("refresh", [REFRESH, Purpose("refresh", lifetime=HOUR)], ids=["revocable", "not revocable"])
async def test_a_family_is_not_believed_whose_store_lost_its_beginning(tokens, store, clock, refresh):
    """Restored from somewhere: the document is there, and may be an old one."""
    flow = RefreshFlow(tokens, access=ACCESS, refresh=refresh)
    pair = await flow.issue("20")
    clock.advance(MINUTE)
    store._memory_begins = clock.now()
    await refused(flow.refresh(pair.refresh), TokenReplayedError, Reason.REPLAY_UNPROVABLE)


async def test_a_store_that_went_back_in_time_ends_the_family(flow, store, events):
    """A replica took over that had not heard of the last exchange: whoever holds the token before might go on."""
    first = await flow.issue("20")
    second = await flow.refresh(first.refresh)
    store.roll_back()
    events.clear()
    await refused(flow.refresh(second.refresh), TokenReplayedError, Reason.REPLAY_UNPROVABLE)
    assert told(events, ReuseDetected, Revoked) == [Revoked(purpose="refresh", what="family")]
    await refused(flow.refresh(first.refresh), TokenRevokedError, Reason.REVOKED)


async def test_who_was_quicker_on_a_store_that_went_back_in_time_is_found_out(flow, store, events):
    stolen = await flow.issue("20")
    at_the_client = await flow.refresh(stolen.refresh)
    store.roll_back()
    at_the_thief = await flow.refresh(stolen.refresh)
    assert at_the_thief.refresh.id != at_the_client.refresh.id
    await refused(flow.refresh(at_the_client.refresh), TokenReplayedError, Reason.REPLAYED)
    assert len(told(events, ReuseDetected)) == 1
    await refused(flow.refresh(at_the_thief.refresh), TokenRevokedError, Reason.REVOKED)


async def test_a_document_of_a_later_version_is_an_outage_and_no_bad_token(flow, store, clock):
    pair = await flow.issue("20")
    (key,) = store.documents
    good = store.documents[key][-1]
    now = clock.time()
    store._families.put(key, b'{"v":2}', expires=now + 60, now=now)
    await refused(flow.refresh(pair.refresh), ReplayStoreError, Reason.REPLAY_UNAVAILABLE)
    store._families.put(key, good, expires=now + 60, now=now)
    await flow.refresh(pair.refresh)


async def test_a_store_that_never_swaps_is_given_up_on(flow, store):
    pair = await flow.issue("20")
    store.refuses = True
    for call in (flow.refresh(pair.refresh), flow.revoke(pair.refresh)):
        await refused(call, ReplayStoreError, Reason.REPLAY_UNAVAILABLE)


async def test_keys_that_are_away_cost_nobody_his_session(flow, store, keys, clock, monkeypatch):
    first = await flow.issue("20")

    async def away(*_arguments, **_settings):
        raise KeyProviderError("away on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(type(keys), "acquire", away)
        await refused(flow.refresh(first.refresh), KeyProviderError, Reason.KEYS_UNAVAILABLE)
    assert len(store.documents[next(iter(store.documents))]) == 1
    clock.advance(HOUR)
    await flow.refresh(first.refresh)


# Clocks that differ


@pytest.fixture
async def fleet(store, keys):
    """Two processes whose clocks are some seconds apart; the second one is ahead."""
    clocks = [FakeClock(), FakeClock(FakeClock().now() + 4 * SECOND)]
    store._clock = clocks[0]
    services = [TokenService(issuer=ISSUER, keys=keys, replay=store, clock=clock) for clock in clocks]
    yield [RefreshFlow(tokens, access=ACCESS, refresh=REFRESH) for tokens in services], clocks
    for tokens in services:
        await tokens.aclose()


async def test_clocks_that_differ_by_seconds_log_nobody_out(fleet):
    (behind, ahead), clocks = fleet
    first = await ahead.issue("20")
    second = await behind.refresh(first.refresh)
    assert says(await ahead.refresh(first.refresh)) == says(second)
    third = await ahead.refresh(second.refresh)
    assert says(await behind.refresh(second.refresh)) == says(third)
    for clock in clocks:
        clock.advance(HOUR)
    assert (await behind.refresh(third.refresh)).family == first.family


async def test_a_window_is_shorter_or_longer_by_what_clocks_differ(fleet):
    (behind, ahead), clocks = fleet
    first = await behind.issue("20")
    second = await behind.refresh(first.refresh)
    for clock in clocks:
        clock.advance(6 * SECOND)
    assert says(await behind.refresh(first.refresh)) == says(second)
    await refused(ahead.refresh(first.refresh), TokenReplayedError, Reason.REPLAYED)


async def test_a_clock_that_is_wrong_gives_nothing_out_and_logs_nobody_out(fleet):
    (behind, ahead), clocks = fleet
    clocks[1].advance(timedelta(minutes=5))
    first = await behind.issue("20")
    second = await ahead.refresh(first.refresh)
    await refused(behind.refresh(first.refresh), NotYetValidError, Reason.NOT_YET_VALID)
    await refused(behind.refresh(second.refresh), NotYetValidError, Reason.NOT_YET_VALID)
    await ahead.refresh(second.refresh)


# Settings


def settings(**changed):
    return {"access": ACCESS, "refresh": REFRESH, **changed}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"refresh": ACCESS}, "differ in name and typ"),
        ({"refresh": Purpose("refresh", lifetime=HOUR, typ="application/AT+JWT")}, "differ in name and typ"),
        ({"refresh": Purpose("access", lifetime=HOUR)}, "differ in name and typ"),
        ({"access": Purpose("access", lifetime=MINUTE, single_use=True)}, "access must not be for single use"),
        ({"refresh": Purpose("refresh", lifetime=HOUR, single_use=True)}, "refresh must not be for single use"),
        ({"refresh": Purpose("refresh", lifetime=HOUR, claims=Clerk)}, "plain claims"),
        ({"access": ACCESS.replace(lifetime=13 * HOUR)}, r"access\.lifetime"),
        ({"family_lifetime": HOUR}, "family_lifetime"),
        ({"grace": -SECOND}, "grace"),
        ({"grace": 10 * MINUTE}, "grace"),
        ({"refresh": REFRESH.replace(lifetime=DAY)}, "previous_ttl"),
    ],
)
async def test_a_setting_that_does_not_fit_is_told_at_once(tokens, changed, named):
    with pytest.raises(ConfigurationError, match=named):
        RefreshFlow(tokens, **settings(**changed))


async def test_settings_at_their_limits_fit(clock, keys, store):
    tokens = TokenService(issuer=ISSUER, keys=keys, replay=store, clock=clock)
    RefreshFlow(tokens, **settings(grace=10 * MINUTE - SECOND, family_lifetime=12 * HOUR))
    RefreshFlow(tokens, **settings(access=ACCESS.replace(lifetime=12 * HOUR)))
    RefreshFlow(tokens, **settings(refresh=Purpose("refresh", lifetime=DAY, leeway=timedelta(0))))


@pytest.mark.parametrize("kind", ["none", "without families"])
async def test_a_store_that_keeps_no_families_is_told_with_everything_else(clock, keys, kind):
    replay = None if kind == "none" else FaultyReplayStore(MemoryReplayStore(clock=clock))
    tokens = TokenService(issuer=ISSUER, keys=keys, replay=replay, clock=clock)
    with pytest.raises(ConfigurationError) as caught:
        RefreshFlow(tokens, **settings(grace=-SECOND))
    assert len(caught.value.details["problems"]) == 2


async def test_keys_without_a_limit_bear_any_lifetime(clock, store):
    keys = MemoryKeyProvider(clock=clock, policy=RotationPolicy(previous_ttl=90 * DAY))
    tokens = TokenService(issuer=ISSUER, keys=keys, replay=store, clock=clock)
    RefreshFlow(tokens, **settings(refresh=REFRESH.replace(lifetime=30 * DAY)))


# Giving way


async def test_many_refreshes_give_way_to_other_tasks(flow, tokens):
    first = await flow.issue("20")
    await flow.refresh(first.refresh)
    tokens.workings.pace._monotonic = Hurrying().monotonic
    longest = await longest_run(lambda: flow.refresh(first.refresh), calls=32)
    assert longest <= 8
