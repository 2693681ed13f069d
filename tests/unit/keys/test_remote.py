"""Remote keys: who waits, who does not, what is fetched when, and what a bad answer cannot do."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import (
    BackendError,
    ConfigurationError,
    KeyNotFoundError,
    MintkeyError,
    MissingExtraError,
    Reason,
    RemoteKeysError,
)
from mintkey.jose.jwk import generate
from mintkey.keys import JWKSKeyResolver
from mintkey.keys.at_hand import keys_of
from mintkey.keys.base import VerificationKey
from mintkey.testing import FakeClock
from tests.support.remote import Endpoint, at_once, jwks, public
from tests.support.turns import Hurrying

URL = "https://issuer.example/jwks"
OLD, NEW, OTHER = generate("EdDSA"), generate("ES256"), generate("EdDSA")
MINUTE = timedelta(minutes=1)


class Setting:
    """A resolver with a clock and an endpoint that the test moves."""

    def __init__(self, body: bytes | None = None, **options: Any) -> None:
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.endpoint = Endpoint(jwks(OLD) if body is None else body, cache_control="max-age=600")
        self.keys = JWKSKeyResolver(URL, transport=self.endpoint, clock=self.clock, **options)

    @property
    def state(self):
        return self.keys.state

    async def refreshed(self, count: int) -> None:
        """Wait until so many fetches were begun, and what was begun has ended."""
        with anyio.fail_after(20):
            while self.endpoint.count < count or self.keys._fetching.is_running:
                await anyio.lowlevel.checkpoint()


async def refused(work: Awaitable[object]) -> MintkeyError:
    with pytest.raises((BackendError, KeyNotFoundError)) as caught:
        await work
    return caught.value


# The first use


async def test_first_callers_share_one_fetch():
    setting = Setting()
    found = await asyncio.gather(*(setting.keys.resolve(OLD.kid) for _ in range(20)))
    assert {key.kid for key in found} == {OLD.kid}
    assert setting.endpoint.count == 1
    (request,) = setting.endpoint.requests
    assert (request.url, request.method, request.max_bytes) == (URL, "GET", 512 * 1024)
    assert "application/jwk-set+json" in request.headers["Accept"]


async def test_entering_begins_the_first_fetch_and_does_not_wait_for_it():
    setting = Setting()
    setting.endpoint.hang()
    async with setting.keys:
        await setting_began(setting)
        setting.endpoint.go_on()
        assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.count == 1
    async with setting.keys:
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.count == 1


async def setting_began(setting: Setting) -> None:
    with anyio.fail_after(20):
        while not setting.endpoint.count:
            await anyio.lowlevel.checkpoint()


async def test_an_issuer_that_is_away_keeps_nobody_from_starting():
    setting = Setting()
    setting.endpoint.is_away = True
    async with setting.keys:
        error = await refused(setting.keys.resolve(OLD.kid))
    assert isinstance(error, RemoteKeysError)
    assert (error.reason, error.status_code, error.retryable) == (Reason.JWKS_UNAVAILABLE, 503, True)


async def test_a_cancelled_caller_leaves_the_fetch_to_the_others():
    setting = Setting()
    setting.endpoint.hang()
    with anyio.move_on_after(0):
        await setting.keys.resolve(OLD.kid)
    await setting_began(setting)
    setting.endpoint.go_on()
    assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.count == 1


# A known kid never waits


async def test_a_known_kid_waits_for_nothing():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.hang()
    for age in (0, 5, 9, 11, 60, 24 * 60):  # minutes: fresh, to be refreshed, stale
        setting.clock.advance(timedelta(minutes=age) - (setting.clock.now() - datetime(2026, 1, 1, tzinfo=UTC)))
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.count <= 2
    await setting.keys.aclose()


async def test_it_is_at_hand_for_as_long_as_it_is_used():
    setting = Setting()
    find = keys_of(setting.keys)
    assert find(OLD.kid) is None
    key = await setting.keys.resolve(OLD.kid)
    assert find(OLD.kid) is key
    assert find(NEW.kid) is None
    assert not setting.keys._fetching.is_running
    setting.clock.advance(8 * MINUTE)
    assert find(OLD.kid) is key
    await setting.refreshed(2)
    setting.clock.advance(timedelta(days=2))
    assert find(OLD.kid) is None


async def test_from_four_fifths_of_its_lifetime_on_a_set_is_refreshed_behind_its_users():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.clock.advance(8 * MINUTE - timedelta(seconds=1))
    await setting.keys.resolve(OLD.kid)
    assert not setting.keys._fetching.is_running
    setting.clock.advance(timedelta(seconds=1))
    setting.endpoint.body = jwks(OLD, NEW)
    for _ in range(20):
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    await setting.refreshed(2)
    assert at_once(setting.keys.resolve(NEW.kid)).algorithm == "ES256"
    assert setting.endpoint.count == 2


async def test_a_kid_that_left_the_set_is_unknown():
    setting = Setting(jwks(OLD, NEW))
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.body = jwks(NEW)
    setting.clock.advance(10 * MINUTE)
    await setting.keys.resolve(NEW.kid)
    await setting.refreshed(2)
    error = await refused(setting.keys.resolve(OLD.kid))
    assert error.reason is Reason.KEY_UNKNOWN


async def test_past_what_is_safe_a_stale_set_is_not_used():
    setting = Setting(max_stale=timedelta(hours=1))
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.is_away = True
    setting.clock.advance(10 * MINUTE + timedelta(hours=1) - timedelta(seconds=1))
    assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid
    await setting.refreshed(2)
    setting.clock.advance(timedelta(seconds=1))
    error = await refused(setting.keys.resolve(OLD.kid))
    assert isinstance(error, RemoteKeysError)
    assert error.reason is Reason.JWKS_UNAVAILABLE
    assert setting.state.keys == ()
    setting.endpoint.is_away = False
    setting.clock.advance(MINUTE)
    assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid


async def test_who_slept_longer_than_that_asks_first():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.body = jwks(NEW)
    setting.clock.advance(timedelta(days=3))
    assert (await refused(setting.keys.resolve(OLD.kid))).reason is Reason.KEY_UNKNOWN
    assert setting.endpoint.count == 2


# Lifetimes


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({}, timedelta(minutes=10)),
        ({"cache-control": "max-age=120"}, timedelta(minutes=2)),
        ({"cache-control": "max-age=120", "age": "30"}, timedelta(seconds=90)),
        ({"cache-control": "no-store"}, timedelta(minutes=1)),
        ({"cache-control": "max-age=1"}, timedelta(minutes=1)),
        ({"cache-control": "max-age=31536000"}, timedelta(hours=24)),
        ({"expires": "Thu, 01 Jan 2026 00:05:00 GMT"}, timedelta(minutes=5)),
    ],
)
async def test_the_answer_says_how_long_a_set_lives_within_bounds(headers, lifetime):
    setting = Setting()
    setting.endpoint.headers = headers
    await setting.keys.resolve(OLD.kid)
    assert setting.state.fresh_until == setting.clock.now() + lifetime


async def test_the_bounds_are_settings():
    options = {"min_ttl": 2 * MINUTE, "max_ttl": 3 * MINUTE, "default_ttl": 5 * MINUTE}
    for said, lifetime in (("max-age=1", 2), ("max-age=999", 3), ("public", 3)):
        setting = Setting(**options)
        setting.endpoint.headers = {"cache-control": said}
        await setting.keys.resolve(OLD.kid)
        assert setting.state.fresh_until == setting.clock.now() + lifetime * MINUTE


async def test_what_did_not_change_lives_anew():
    setting = Setting()
    setting.endpoint.headers |= {"etag": 'W/"1"'}
    key = await setting.keys.resolve(OLD.kid)
    setting.clock.advance(9 * MINUTE)
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(2)
    assert setting.endpoint.requests[1].headers["If-None-Match"] == 'W/"1"'
    assert await setting.keys.resolve(OLD.kid) is key
    assert setting.state.fetched_at == setting.clock.now()
    assert setting.state.fresh_until == setting.clock.now() + 10 * MINUTE


@pytest.mark.parametrize(("said", "lifetime"), [(None, 10), ("max-age=120", 2)])
async def test_without_being_told_otherwise_for_as_long_as_before(said, lifetime):
    setting = Setting()
    setting.endpoint.headers |= {"etag": '"1"'}
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.headers = {"etag": '"1"'} if said is None else {"etag": '"1"', "cache-control": said}
    setting.clock.advance(9 * MINUTE)
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(2)
    assert setting.state.fresh_until == setting.clock.now() + lifetime * MINUTE


@pytest.mark.parametrize("etag", ["", "1", '"\u00e9"', '"a" "b"', '"' + "x" * 300 + '"', '"a\r\nb"'])
async def test_a_strange_etag_is_not_sent_back(etag):
    setting = Setting()
    setting.endpoint.headers |= {"etag": etag}
    await setting.keys.resolve(OLD.kid)
    setting.clock.advance(9 * MINUTE)
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(2)
    assert "If-None-Match" not in setting.endpoint.requests[1].headers
    assert setting.state.word == "fresh"


# An unknown kid


async def test_a_new_key_is_found_at_once():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.body = jwks(OLD, NEW)
    assert (await setting.keys.resolve(NEW.kid)).kid == NEW.kid
    assert setting.endpoint.count == 2


async def test_unknown_kids_cause_one_fetch_in_a_cool_down():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    for _ in range(2):
        for _ in range(3):
            errors = await asyncio.gather(*(refused(setting.keys.resolve(f"random-{n}")) for n in range(50)))
            assert {error.reason for error in errors} == {Reason.KEY_UNKNOWN}
    assert setting.endpoint.count == 2
    setting.clock.advance(timedelta(seconds=29.9))
    await refused(setting.keys.resolve("random"))
    assert setting.endpoint.count == 2
    setting.clock.advance(timedelta(seconds=0.1))
    await refused(setting.keys.resolve("random"))
    assert setting.endpoint.count == 3


async def test_they_wait_for_a_fetch_that_runs():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.hang()
    setting.endpoint.body = jwks(NEW)
    setting.clock.advance(9 * MINUTE)
    assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    async with anyio.create_task_group() as callers:
        for _ in range(10):
            callers.start_soon(setting.keys.resolve, NEW.kid)
        await anyio.wait_all_tasks_blocked()
        setting.endpoint.go_on()
    assert setting.endpoint.count == 2


async def test_what_ran_already_may_be_older_than_the_key():
    """The fetch began, the issuer rotated, the token was minted, and only then came the answer."""
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.clock.advance(9 * MINUTE)
    setting.endpoint.hang()
    await setting.keys.resolve(OLD.kid)
    found: list[VerificationKey] = []

    async def look() -> None:
        found.append(await setting.keys.resolve(NEW.kid))

    async with anyio.create_task_group() as callers:
        for _ in range(10):
            callers.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        setting.endpoint.body = jwks(OLD, NEW)
        setting.endpoint.go_on()
    assert {key.kid for key in found} == {NEW.kid}
    assert setting.endpoint.count == 3


async def test_a_flood_takes_nothing_from_valid_tokens():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.hang()
    flood = [asyncio.create_task(refused(setting.keys.resolve(f"random-{n}"))) for n in range(500)]
    await anyio.wait_all_tasks_blocked()
    for _ in range(500):
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert not any(task.done() for task in flood)
    setting.endpoint.go_on()
    assert {error.reason for error in await asyncio.gather(*flood)} == {Reason.KEY_UNKNOWN}
    assert setting.endpoint.count == 2


async def test_while_the_last_fetch_failed_nobody_knows_that_a_kid_is_unknown():
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.is_away = True
    for _ in range(2):
        error = await refused(setting.keys.resolve(NEW.kid))
        assert isinstance(error, RemoteKeysError)
        assert error.reason is Reason.JWKS_UNAVAILABLE
        assert error.details == {"url": URL, "failures": 1}
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.count == 2
    setting.endpoint.is_away = False
    setting.clock.advance(timedelta(seconds=30))
    error = await refused(setting.keys.resolve(NEW.kid))
    assert error.reason is Reason.KEY_UNKNOWN
    assert setting.state.failures == 0


# Failing


async def test_who_has_no_keys_tries_again_soon_and_then_less_often():
    setting = Setting()
    setting.endpoint.is_away = True
    await refused(setting.keys.resolve(OLD.kid))
    for number, pause in enumerate([1, 2, 4, 8, 16, 30, 30], start=1):
        setting.clock.advance(timedelta(seconds=pause - 0.01))
        error = await refused(setting.keys.resolve(OLD.kid))
        assert isinstance(error, RemoteKeysError)
        assert setting.endpoint.count == number
        setting.clock.advance(timedelta(seconds=0.01))
        await refused(setting.keys.resolve(OLD.kid))
        assert setting.endpoint.count == number + 1
    assert setting.state.failures == 8
    setting.endpoint.is_away = False
    setting.clock.advance(timedelta(seconds=30))
    assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid


async def test_entering_again_does_not_cut_the_pause_short():
    setting = Setting()
    setting.endpoint.is_away = True
    await refused(setting.keys.resolve(OLD.kid))
    async with setting.keys:
        await refused(setting.keys.resolve(OLD.kid))
    assert setting.endpoint.count == 1


@pytest.mark.parametrize(
    ("said", "pause"), [("5", 30), ("120", 120), ("86400", 900), ("Thu, 01 Jan 2026 00:18:00 GMT", 120), ("soon", 30)]
)
async def test_a_server_may_ask_for_a_longer_pause_within_reason(said, pause):
    setting = Setting()
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.status = 503
    setting.endpoint.headers = {"retry-after": said}
    setting.clock.advance(16 * MINUTE)
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(2)
    setting.clock.advance(timedelta(seconds=pause - 1))
    await setting.keys.resolve(OLD.kid)
    await refused(setting.keys.resolve(NEW.kid))
    assert setting.endpoint.count == 2
    setting.clock.advance(timedelta(seconds=1))
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        jwks(),
        b'{"keys": 1}',
        b'{"keys": [1]}',
        jwks(public(OLD, alg="none")),
        jwks(OLD).ljust(600_000),
    ],
)
async def test_a_bad_answer_takes_no_good_key_away(body):
    setting = Setting()
    setting.endpoint.headers |= {"etag": '"good"'}
    await setting.keys.resolve(OLD.kid)
    setting.endpoint.body = body
    setting.endpoint.headers = {"etag": '"bad"'}
    setting.clock.advance(11 * MINUTE)
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(2)
    assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.state.last_error is Reason.JWKS_INVALID
    assert (await refused(setting.keys.resolve(NEW.kid))).reason is Reason.JWKS_UNAVAILABLE
    setting.endpoint.body = jwks(OLD, NEW)
    setting.clock.advance(timedelta(seconds=30))
    assert (await setting.keys.resolve(NEW.kid)).kid == NEW.kid
    assert setting.endpoint.requests[-1].headers["If-None-Match"] == '"good"'


async def test_only_if_there_is_nothing_else_a_bad_answer_is_the_error():
    setting = Setting(jwks({"kty": "oct", "k": "c2VjcmV0"}))
    for _ in range(2):
        error = await refused(setting.keys.resolve(OLD.kid))
        assert isinstance(error, RemoteKeysError)
        assert error.reason is Reason.JWKS_INVALID
        assert "a secret, which nobody may publish" in str(error)


@pytest.mark.parametrize("code", [204, 301, 304, 401, 404, 429, 500])
async def test_another_status_is_an_outage(code):
    setting = Setting()
    setting.endpoint.status = code
    error = await refused(setting.keys.resolve(OLD.kid))
    assert isinstance(error, RemoteKeysError)
    assert error.reason is Reason.JWKS_UNAVAILABLE


async def test_an_endpoint_that_hangs_is_given_up():
    setting = Setting(timeout=timedelta(seconds=0.02))
    setting.endpoint.hang()
    error = await refused(setting.keys.resolve(OLD.kid))
    assert isinstance(error, RemoteKeysError)
    assert "0.02 s" in str(error)


# One key by itself


async def test_each_key_stands_by_itself():
    rsa = generate("PS256", rsa_bits=2048)
    useless = {"kty": "OKP", "crv": "X25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "x"}
    setting = Setting(jwks(useless, OLD, dict(OTHER.private_jwk or {}), rsa))
    assert (await setting.keys.resolve(rsa.kid)).algorithm == "PS256"
    assert setting.state.keys == (OLD.kid, rsa.kid)
    assert [each.partition(":")[0] for each in setting.state.skipped] == ["key 1", "key 3"]


async def test_the_algorithms_may_be_fewer():
    setting = Setting(jwks(OLD, NEW), algorithms=["ES256"])
    assert (await setting.keys.resolve(NEW.kid)).algorithm == "ES256"
    assert setting.state.keys == (NEW.kid,)


async def test_ed25519_by_either_name():
    setting = Setting(jwks(public(OLD, alg="Ed25519")), algorithms=["Ed25519"])
    assert (await setting.keys.resolve(OLD.kid)).algorithm == "EdDSA"


# What it tells


async def test_its_state():
    setting = Setting()
    assert (setting.state.word, setting.state.keys, setting.state.fetched_at) == ("empty", (), None)
    setting.endpoint.is_away = True
    await refused(setting.keys.resolve(OLD.kid))
    assert (setting.state.word, setting.state.failures) == ("cooling down", 1)
    assert setting.state.last_error is Reason.JWKS_UNAVAILABLE
    setting.clock.advance(timedelta(seconds=1))
    assert setting.state.word == "empty"
    setting.endpoint.is_away = False
    await setting.keys.resolve(OLD.kid)
    assert (setting.state.word, setting.state.keys) == ("fresh", (OLD.kid,))
    assert (setting.state.failures, setting.state.last_error) == (0, None)
    setting.clock.advance(10 * MINUTE)
    assert (setting.state.word, setting.state.keys) == ("stale", (OLD.kid,))
    setting.endpoint.is_away = True
    await setting.keys.resolve(OLD.kid)
    await setting.refreshed(3)
    assert (setting.state.word, setting.state.keys) == ("cooling down", (OLD.kid,))
    setting.clock.advance(timedelta(days=2))
    assert (setting.state.word, setting.state.keys, setting.state.skipped) == ("empty", (), ())


async def test_it_shows_no_query():
    setting = Setting()
    keys = JWKSKeyResolver(URL + "?key=secret", transport=setting.endpoint)
    setting.endpoint.is_away = True
    error = await refused(keys.resolve(OLD.kid))
    assert repr(keys) == f"<JWKSKeyResolver of {URL}, cooling down>"
    assert "secret" not in f"{error!r} {error.details} {keys!r}"


# Bounds of nothing


async def test_a_set_may_be_stale_from_the_beginning():
    setting = Setting(min_ttl=timedelta(0))
    setting.endpoint.headers = {"cache-control": "no-store"}
    await setting.keys.resolve(OLD.kid)
    assert setting.state.word == "stale"
    for count in (2, 3):
        assert at_once(setting.keys.resolve(OLD.kid)).kid == OLD.kid
        await setting.refreshed(count)


async def test_there_need_not_be_a_cool_down():
    setting = Setting(cooldown=timedelta(0))
    await setting.keys.resolve(OLD.kid)
    for _ in range(2):
        await refused(setting.keys.resolve("random"))
    assert setting.endpoint.count == 3


async def test_what_is_past_its_time_at_once_is_an_outage():
    """No token is to blame for such settings."""
    setting = Setting()
    options: dict[str, Any] = {"min_ttl": timedelta(0), "default_ttl": timedelta(0), "max_stale": timedelta.resolution}
    keys = JWKSKeyResolver(URL, transport=setting.endpoint, clock=Hurrying(), **options)
    setting.endpoint.headers = {}
    error = await refused(keys.resolve(OLD.kid))
    assert isinstance(error, RemoteKeysError)
    assert "past their time at once" in str(error)


# Closing


async def test_closing_ends_the_fetch_and_tells_who_waits():
    setting = Setting()
    setting.endpoint.hang()
    async with anyio.create_task_group() as callers:

        async def wait() -> None:
            error = await refused(setting.keys.resolve(OLD.kid))
            assert isinstance(error, RemoteKeysError)

        callers.start_soon(wait)
        await setting_began(setting)
        await setting.keys.aclose()
    setting.endpoint.go_on()
    assert (await setting.keys.resolve(OLD.kid)).kid == OLD.kid
    assert setting.endpoint.closed == 0


async def test_what_was_never_used_can_be_closed():
    for _ in range(2):
        await JWKSKeyResolver(URL).aclose()


# Settings


def test_all_wrong_settings_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        JWKSKeyResolver(
            "http://issuer.example/jwks",
            timeout=timedelta(0),
            default_ttl=timedelta(-1),
            min_ttl=timedelta(-1),
            max_ttl=timedelta(-2),
            max_stale=timedelta(-1),
            cooldown=timedelta(-1),
            max_bytes=0,
            algorithms=[],
        )
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    named = [problem.removeprefix("JWKSKeyResolver: ").partition(" ")[0] for problem in problems]
    assert named == "url timeout default_ttl min_ttl max_stale cooldown max_ttl max_bytes algorithms".split()


def test_keys_must_live_to_be_used():
    with pytest.raises(ConfigurationError, match="min_ttl or max_stale must be positive"):
        JWKSKeyResolver(URL, min_ttl=timedelta(0), max_stale=timedelta(0))


@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["ES256", "HS256"], "ES256", [None]])
def test_only_algorithms_of_public_keys_may_be_named(algorithms):
    with pytest.raises(ConfigurationError, match="algorithms must name some of EdDSA, ES256"):
        JWKSKeyResolver(URL, algorithms=algorithms)


def test_without_a_transport_httpx2_is_needed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r"mintkey\[http\]"):
        JWKSKeyResolver(URL)
    JWKSKeyResolver(URL, transport=Endpoint())
