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
from mintkey.events import Event, Minted
from mintkey.keys import KeyState, MemoryKeyProvider, RotationPolicy
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.sealing import Plaintext
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.pace import Pace
from tests.support.turns import Hurrying, longest_run

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


# --- many


LARGE = RotationPolicy(every=None, max_mints=None)


def requests(count):
    return [MintRequest(subject=str(number)) for number in range(count)]


def subjects(tokens):
    return [decode(token)[1]["sub"] for token in tokens]


class KeptElsewhere:
    """A custodian whose keys sign one by one, like one behind a network, and fail when they are told to."""

    def __init__(self):
        self._real = SealedCustodian(Plaintext(), ring="default")
        self.create, self.destroy = self._real.create, self._real.destroy
        self.signed = 0
        self.under_way = 0
        self.fails_at = None
        self.held = None
        self.begun = asyncio.Event()

    async def open(self, material):
        return _Remote(self, await self._real.open(material))


class _Remote:
    def __init__(self, custodian, key):
        self.kid, self.algorithm = key.kid, key.algorithm
        self._custodian, self._key = custodian, key

    async def sign(self, signing_input, /):
        custodian = self._custodian
        custodian.signed += 1
        if custodian.signed == custodian.fails_at:
            raise KeyProviderError("away", reason=Reason.SIGNING_FAILED)
        custodian.under_way += 1
        custodian.begun.set()
        try:
            await (asyncio.sleep(0) if custodian.held is None else custodian.held.wait())
            return await self._key.sign(signing_input)
        finally:
            custodian.under_way -= 1


@pytest.fixture
def custodian():
    return KeptElsewhere()


@pytest.fixture
def remote_tokens(mintkey_clock, custodian):
    keys = RotatingKeyProvider(MemoryKeyRingStore(), policy=LARGE, clock=mintkey_clock, custodian=custodian)
    return TokenService(issuer="i", keys=keys, clock=mintkey_clock)


async def mints(tokens):
    return sum(version.mints for version in await tokens._provider.versions())


async def test_more_tokens_than_are_signed_together_come_in_order(mintkey_tokens):
    tokens = await mintkey_tokens.mint_many(LOGIN, requests(2500))
    assert subjects(tokens) == [str(number) for number in range(2500)]
    assert len({token.id for token in tokens}) == len(set(tokens)) == 2500
    assert {token.purpose for token in tokens} == {"login"}
    assert (await mintkey_tokens.verify(tokens[-1], LOGIN)).subject == "2499"
    assert await mints(mintkey_tokens) == 2500


async def test_each_of_many_says_what_its_request_asked_for(mintkey_tokens, mintkey_clock):
    now = int(mintkey_clock.time())
    full = MintRequest(
        subject="20",
        claims={"email": "a@b"},
        scopes=["read"],
        audience=["a", "b"],
        lifetime=MINUTE,
        not_before=mintkey_clock.now(),
        token_id="my-id",
    )
    first, second = await mintkey_tokens.mint_many(LOGIN, [full, MintRequest()])
    assert (first.id, decode(first)[1]) == (
        "my-id",
        {
            "iss": "https://issuer.test",
            "aud": ["a", "b"],
            "sub": "20",
            "iat": now,
            "exp": now + 60,
            "jti": "my-id",
            "scope": "read",
            "nbf": now,
            "email": "a@b",
        },
    )
    assert first.expires_at == mintkey_clock.now() + MINUTE
    assert decode(second)[1]["aud"] == "web"


async def test_requests_may_come_from_anything_that_yields_them(mintkey_tokens):
    some = (MintRequest(subject=str(number)) for number in range(30))
    assert subjects(await mintkey_tokens.mint_many(LOGIN, some)) == [str(number) for number in range(30)]
    assert await mintkey_tokens.mint_many(LOGIN, iter(())) == []


async def test_requests_that_break_off_mint_nothing(mintkey_tokens):
    def broken():
        yield MintRequest()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await mintkey_tokens.mint_many(LOGIN, broken())
    assert await mints(mintkey_tokens) == 0


async def test_progress_is_told_now_and_then_and_at_the_end(mintkey_tokens):
    told = []
    await mintkey_tokens.mint_many(LOGIN, requests(2500), progress=lambda done, total: told.append((done, total)))
    done = [count for count, _ in told]
    assert done == sorted(set(done))
    assert {total for _, total in told} == {2500}
    assert told[-1] == (2500, 2500)
    assert len(told) > 1


@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025])
async def test_progress_ends_with_all_however_many_they_are(mintkey_tokens, count):
    told = []
    await mintkey_tokens.mint_many(LOGIN, requests(count), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (count, count)
    assert told.count((count, count)) == 1


async def test_no_progress_is_told_about_nothing_and_none_when_a_request_does_not_fit(mintkey_tokens):
    told = []
    await mintkey_tokens.mint_many(LOGIN, [], progress=lambda *how_far: told.append(how_far))
    with pytest.raises(ConfigurationError):
        await mintkey_tokens.mint_many(
            LOGIN, [MintRequest(), MintRequest(subject="")], progress=lambda *how_far: told.append(how_far)
        )
    assert told == []


async def test_what_progress_raises_ends_the_call(mintkey_tokens):
    told = []

    def give_up(done, total):
        told.append(done)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await mintkey_tokens.mint_many(LOGIN, requests(2500), progress=give_up)
    assert len(told) == 1
    assert 0 < told[0] < 2500
    assert len(await mintkey_tokens.mint_many(LOGIN, requests(3))) == 3


async def test_the_loop_goes_on_while_many_are_minted(mintkey_tokens):
    turns: list[int] = []
    done = 0

    async def another_task():
        while True:
            turns.append(done)
            await asyncio.sleep(0)

    def note(count, _total):
        nonlocal done
        done = count

    other = asyncio.create_task(another_task())
    await mintkey_tokens.mint_many(LOGIN, requests(5000), progress=note)
    other.cancel()
    # It had turns after every batch but the last, whatever the machine does.
    assert {0, 1024, 2048, 3072, 4096} <= set(turns)


async def test_hooks_are_told_how_many(mintkey_clock):
    events: list[Event] = []
    keys = MemoryKeyProvider(policy=RotationPolicy(max_mints=2000), clock=mintkey_clock)
    tokens = TokenService(issuer="i", keys=keys, clock=mintkey_clock, hooks=[events.append])
    minted = await tokens.mint_many(LOGIN, requests(4500))
    told: Counter[str] = Counter()
    for event in events:
        if isinstance(event, Minted):
            told[event.key_id] += event.count
    assert told == Counter(token.key_id for token in minted)
    assert [type(event).__name__ for event in events if not isinstance(event, Minted)] == ["Rotated", "Rotated"]
    events.clear()
    await tokens.mint_many(LOGIN, [])
    assert events == []


async def test_a_cap_that_is_reached_in_the_middle_rotates_the_key_and_all_tokens_verify(mintkey_clock):
    keys = MemoryKeyProvider(policy=RotationPolicy(max_mints=1500), clock=mintkey_clock)
    tokens = TokenService(issuer="i", keys=keys, clock=mintkey_clock)
    told = []
    minted = await tokens.mint_many(LOGIN, requests(4000), progress=lambda done, _: told.append(done))
    assert subjects(minted) == [str(number) for number in range(4000)]
    assert sorted(Counter(token.key_id for token in minted).values()) == [1000, 1500, 1500]
    assert told == sorted(set(told))
    assert told[-1] == 4000
    for token in minted[::97]:
        seen = await tokens.verify(token, LOGIN)
        assert (seen.key_id, decode(token)[0]["kid"]) == (token.key_id, token.key_id)


async def test_a_rotation_between_two_batches_disturbs_nobody(mintkey_tokens):
    rotations: list[asyncio.Task[object]] = []

    def rotate(_done, _total):
        if not rotations:
            rotations.append(asyncio.create_task(mintkey_tokens._provider.rotate()))

    minted = await mintkey_tokens.mint_many(LOGIN, requests(3000), progress=rotate)
    await asyncio.gather(*rotations)
    after = await mintkey_tokens.mint(LOGIN)
    assert after.key_id not in {token.key_id for token in minted}
    for token in [*minted[::100], minted[-1], after]:
        assert await mintkey_tokens.verify(token, LOGIN)


async def test_a_key_that_signs_one_by_one_mints_many_too(remote_tokens, custodian):
    minted = await remote_tokens.mint_many(LOGIN, requests(100))
    assert subjects(minted) == [str(number) for number in range(100)]
    for token in minted:
        assert await remote_tokens.verify(token, LOGIN)
    assert (custodian.signed, custodian.under_way) == (100, 0)


@pytest.mark.parametrize("fails_at", [1, 50, 1025, 1500])
async def test_a_key_that_fails_in_the_middle_mints_none(remote_tokens, custodian, fails_at):
    custodian.fails_at = fails_at
    told = []
    with pytest.raises(KeyProviderError) as caught:
        await remote_tokens.mint_many(LOGIN, requests(1500), progress=lambda done, _: told.append(done))
    assert caught.value.reason is Reason.SIGNING_FAILED
    assert told == ([] if fails_at < 1025 else [1024])
    assert custodian.under_way == 0
    assert len(await remote_tokens.mint_many(LOGIN, requests(10))) == 10


async def test_whoever_is_cancelled_while_many_are_signed_leaves_nothing_running(remote_tokens, custodian):
    await remote_tokens.mint(LOGIN)
    custodian.held, custodian.begun = asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()
    minting = asyncio.create_task(remote_tokens.mint_many(LOGIN, requests(500)))
    await custodian.begun.wait()
    minting.cancel()
    await asyncio.wait([minting])
    assert minting.cancelled()
    assert (custodian.under_way, asyncio.all_tasks()) == (0, before)
    custodian.held = None
    assert len(await remote_tokens.mint_many(LOGIN, requests(10))) == 10


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13])
async def test_many_may_be_cancelled_at_any_moment(mintkey_tokens, turns):
    await mintkey_tokens.mint(LOGIN)
    minting = asyncio.create_task(mintkey_tokens.mint_many(LOGIN, requests(5000)))
    for _ in range(turns):
        await asyncio.sleep(0)
    minting.cancel()
    await asyncio.wait([minting])
    assert minting.cancelled()
    assert subjects(await mintkey_tokens.mint_many(LOGIN, requests(40))) == [str(number) for number in range(40)]


async def test_many_that_are_minted_together_do_not_mix(mintkey_tokens):
    batches = [[MintRequest(subject=f"{batch} {number}") for number in range(700)] for batch in range(5)]
    minted = await asyncio.gather(*(mintkey_tokens.mint_many(LOGIN, batch) for batch in batches))
    assert [subjects(tokens) for tokens in minted] == [[request.subject for request in batch] for batch in batches]
    assert len({token.id for tokens in minted for token in tokens}) == 3500
    assert await mints(mintkey_tokens) == 3500


async def test_every_request_that_does_not_fit_is_named_with_all_its_problems(mintkey_tokens):
    wrong = [*requests(2000), MintRequest(subject="", token_id=""), MintRequest(), MintRequest(claims={"exp": 1})]
    with pytest.raises(ConfigurationError) as caught:
        await mintkey_tokens.mint_many(LOGIN, wrong)
    problems = caught.value.details["problems"]
    assert [problem.partition(":")[0] for problem in problems] == ["request 2000", "request 2002"]
    assert "subject" in problems[0]
    assert "token_id" in problems[0]
    assert await mints(mintkey_tokens) == 0


async def test_a_request_for_a_token_that_would_be_too_long_mints_none(mintkey_tokens):
    with pytest.raises(ConfigurationError, match="max_token_bytes"):
        await mintkey_tokens.mint_many(LOGIN, [*requests(3), MintRequest(claims={"a": "x" * 20_000})])


@pytest.mark.parametrize("at_once", [1, 3, 7, 8, 20])
async def test_minting_again_and_again_gives_way_to_other_tasks(mintkey_tokens, at_once):
    mintkey_tokens._pace = Pace(Hurrying())

    async def mint():
        if at_once == 1:
            await mintkey_tokens.mint(LOGIN, subject="20")
        else:
            assert len(await mintkey_tokens.mint_many(LOGIN, requests(at_once))) == at_once

    longest = await longest_run(mint, calls=64)
    assert longest <= 8


async def test_many_who_mint_when_time_is_short_all_get_their_token(mintkey_tokens):
    mintkey_tokens._pace = Pace(Hurrying())
    minted = await asyncio.gather(
        *(mintkey_tokens.mint(LOGIN, subject=str(number)) for number in range(100)),
        *(mintkey_tokens.mint_many(LOGIN, requests(5)) for _ in range(20)),
    )
    assert subjects(minted[:100]) == [str(number) for number in range(100)]
    assert all(subjects(tokens) == ["0", "1", "2", "3", "4"] for tokens in minted[100:])
