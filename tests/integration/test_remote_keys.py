"""Remote keys over a real HTTP server that misbehaves."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from mintkey import Purpose, TokenService, TokenVerifier, VerifiedToken
from mintkey.errors import KeyNotFoundError, MintkeyError, Reason, RemoteKeysError
from mintkey.http.httpx import HttpxTransport
from mintkey.ids import new_id
from mintkey.jose.jwk import generate
from mintkey.keys import FirstOfKeyResolver, JWKSKeyResolver, MemoryKeyProvider, RotationPolicy, StaticKeyProvider
from mintkey.keys.base import Algorithm, VerificationKey
from mintkey.testing import FakeClock
from tests.support.http_server import (
    DROP,
    HANG,
    HttpServer,
    Reply,
    drip,
    endless,
    json_reply,
    raw,
    redirect,
    status,
)
from tests.support.remote import public

ISSUER = "https://issuer.example"
CALL = Purpose[dict[str, Any]]("call", lifetime=timedelta(hours=1), audience="api")
MINUTE = timedelta(minutes=1)


async def serve(server: HttpServer, tokens: TokenService) -> None:
    """Serve the key set of a service as an application would."""
    jwks = await tokens.jwks()
    cache = f"public, max-age={int(jwks.max_age.total_seconds())}"
    server.route("/jwks", json_reply(jwks.as_dict(), headers={"ETag": jwks.etag, "Cache-Control": cache}))


async def outcomes(*calls: Awaitable[object]) -> list[object]:
    """What each of them returned, or the reason of its error, all of them at once."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, MintkeyError) for each in found if isinstance(each, BaseException))
    return [each.reason if isinstance(each, MintkeyError) else each for each in found]


# From one service to another


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "PS256"])
async def test_tokens_of_a_service_verify_by_its_served_set(server: HttpServer, algorithm: Algorithm):
    async with TokenService(issuer=ISSUER, keys=MemoryKeyProvider(algorithm=algorithm)) as tokens:
        await serve(server, tokens)
        token = await tokens.mint(CALL, subject="20", claims={"plan": 5})
        async with TokenVerifier(issuer=ISSUER, keys=JWKSKeyResolver(server.url("/jwks"))) as verifier:
            for _ in range(3):
                verified = await verifier.verify(token, CALL)
                assert (verified.subject, verified.claims, verified.key_id) == ("20", {"plan": 5}, token.key_id)
    assert server.count() == 1


async def test_a_verifier_follows_rotations(server: HttpServer):
    """Nobody refuses a good token, whether the next key was public ahead or not."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    keys = MemoryKeyProvider(clock=clock, policy=RotationPolicy(every=timedelta(days=1)))
    tokens = TokenService(issuer=ISSUER, keys=keys, clock=clock)
    remote = JWKSKeyResolver(server.url("/jwks"), clock=clock)
    async with tokens, TokenVerifier(issuer=ISSUER, keys=remote, clock=clock) as verifier:
        kids = set[str]()
        for hour in range(0, 96, 6):
            await serve(server, tokens)
            token = await tokens.mint(CALL)
            verified: VerifiedToken[dict[str, Any]] = await verifier.verify(token, CALL)
            kids.add(verified.key_id)
            if hour % 24 == 0:
                await keys.rotate()
                await serve(server, tokens)
                kids.add((await verifier.verify(await tokens.mint(CALL), CALL)).key_id)
            clock.advance(timedelta(hours=6))
    assert len(kids) >= 4


async def test_a_set_that_did_not_change_is_not_sent_again(server: HttpServer):
    clock = FakeClock()
    tokens = TokenService(issuer=ISSUER, keys=MemoryKeyProvider(clock=clock), clock=clock)
    async with tokens, JWKSKeyResolver(server.url("/jwks"), clock=clock) as remote:
        await serve(server, tokens)
        kid = (await tokens.mint(CALL)).key_id
        await remote.resolve(kid)
        before = server.sent
        clock.advance(timedelta(hours=1))
        await remote.resolve(kid)
        await server.arrived(2)
        with pytest.raises(KeyNotFoundError):
            await remote.resolve("unknown")  # waits for the fetch that runs, or begins another
        assert remote.state.word == "fresh"
    assert server.sent == before
    assert all("if-none-match" in request.headers for request in server.requests[1:])


# The flood


async def test_a_flood_of_random_kids_while_the_endpoint_hangs(server: HttpServer):
    """2,000 of each at once: few fetches, no good token refused, and none that waits for a bad one."""
    tokens = TokenService(issuer=ISSUER, keys=MemoryKeyProvider())
    await serve(server, tokens)
    good = [str(await tokens.mint(CALL, subject=str(number))) for number in range(2000)]
    forger = generate("EdDSA")
    bad: list[str] = []
    for _ in range(2000):
        jwk = {**(forger.private_jwk or {}), "kid": new_id()}
        bad.append(await TokenService(issuer=ISSUER, keys=StaticKeyProvider({"keys": [jwk]})).mint(CALL))
    remote = JWKSKeyResolver(server.url("/jwks"), timeout=timedelta(seconds=60))
    async with TokenVerifier(issuer=ISSUER, keys=remote) as verifier:
        await verifier.verify(good[0], CALL)
        server.route("/jwks", HANG)
        calls = [verifier.verify(text, CALL) for pair in zip(bad, good, strict=True) for text in pair]
        running = [asyncio.ensure_future(call) for call in calls]
        with anyio.fail_after(50):  # the good ones are through while all bad ones still wait for an answer
            verified = await asyncio.gather(*running[1::2])
        assert [int(each.subject or "") for each in verified] == list(range(2000))
        assert not any(one.done() for one in running[0::2])
        await server.arrived(2)
        server.release()
        assert set(await outcomes(*running[0::2])) == {Reason.JWKS_UNAVAILABLE}
        # And once more within the cool-down: nobody asks, nobody waits, and good tokens are good.
        both = await outcomes(*(verifier.verify(text, CALL) for text in bad[:500] + good[:500]))
        assert both[:500] == [Reason.JWKS_UNAVAILABLE] * 500
        assert all(isinstance(each, VerifiedToken) for each in both[500:])
    assert server.count() == 2


async def test_with_nothing_known_yet_all_of_them_share_one_fetch(server: HttpServer):
    tokens = TokenService(issuer=ISSUER, keys=MemoryKeyProvider())
    await serve(server, tokens)
    good = str(await tokens.mint(CALL))
    remote = JWKSKeyResolver(server.url("/jwks"))
    async with TokenVerifier(issuer=ISSUER, keys=remote) as verifier:
        found = await outcomes(*(verifier.verify(good, CALL) for _ in range(50)))
        assert all(isinstance(each, VerifiedToken) for each in found)
        assert server.count() == 1
        found = await outcomes(*(remote.resolve(new_id()) for _ in range(50)))
        assert set(found) == {Reason.KEY_UNKNOWN}
    assert server.count() == 2


# Hostile answers


async def recovered(keys: JWKSKeyResolver, kid: str, clock: FakeClock, *, attempts: int) -> VerificationKey:
    """The key, once the endpoint is well again."""
    for _ in range(attempts):
        clock.advance(timedelta(hours=1))
        with suppress(RemoteKeysError):
            return await keys.resolve(kid)
    pytest.fail("the resolver does not recover")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (DROP, Reason.JWKS_UNAVAILABLE),
        (HANG, Reason.JWKS_UNAVAILABLE),
        (Reply(hangs="body", body=b"{}"), Reason.JWKS_UNAVAILABLE),
        (drip(), Reason.JWKS_UNAVAILABLE),
        (status(500), Reason.JWKS_UNAVAILABLE),
        (status(429, headers={"Retry-After": "1"}), Reason.JWKS_UNAVAILABLE),
        (redirect("/jwks"), Reason.JWKS_UNAVAILABLE),
        (redirect("https://evil.example/jwks"), Reason.JWKS_UNAVAILABLE),
        (redirect("http://169.254.169.254/latest/meta-data"), Reason.JWKS_UNAVAILABLE),
        (raw(b"\x00" * 1000), Reason.JWKS_UNAVAILABLE),
        (endless(), Reason.JWKS_INVALID),
        (Reply(200, {}, b"[" * 10_000_000), Reason.JWKS_INVALID),
        (Reply(200, {}, b"[" * 400_000), Reason.JWKS_INVALID),
        (Reply(200, {}, b"<html>Please log in</html>"), Reason.JWKS_INVALID),
        (json_reply({"keys": []}), Reason.JWKS_INVALID),
        (json_reply({"keys": [{}] * 100_000}), Reason.JWKS_INVALID),
    ],
    ids="reset hang body drip 500 429 loop cross-host metadata bytes endless 10-MB deep html empty useless".split(),
)
async def test_whatever_it_answers_good_keys_stay_good(
    server: HttpServer, reply: Reply, reason: Reason, request: pytest.FixtureRequest
):
    # Only those that never end are waited for in vain; a busy machine may take its time with all others.
    never_ends = request.node.callspec.id in {"hang", "body", "drip"}
    patience = 0.2 if never_ends else 30.0
    clock, key = FakeClock(), generate("EdDSA")
    transport = HttpxTransport()
    server.route("/jwks", json_reply({"keys": [public(key)]}))
    options: dict[str, Any] = {"clock": clock, "transport": transport}
    async with JWKSKeyResolver(server.url("/jwks"), **options) as known:
        await known.resolve(key.kid)
        empty = JWKSKeyResolver(server.url("/jwks"), timeout=timedelta(seconds=patience), **options)
        server.route("/jwks", reply)
        with pytest.raises(RemoteKeysError) as caught:
            await empty.resolve(key.kid)
        assert caught.value.reason is reason
        assert empty.state.word == "cooling down"
        clock.advance(timedelta(hours=1))
        assert (await known.resolve(key.kid)).kid == key.kid
        server.route("/jwks", json_reply({"keys": [public(key)]}))
        # All others recover with the first fetch; these have 0.2 seconds of real time for it.
        assert (await recovered(empty, key.kid, clock, attempts=50 if never_ends else 1)).kid == key.kid
    await transport.aclose()


async def test_an_outage_of_one_issuer_is_none_of_another(server: HttpServer):
    ours, theirs = (TokenService(issuer=ISSUER, keys=MemoryKeyProvider()) for _ in range(2))
    await serve(server, ours)
    server.route("/hangs", HANG)
    hanging = JWKSKeyResolver(server.url("/hangs"), timeout=timedelta(seconds=0.2))
    keys = FirstOfKeyResolver(hanging, JWKSKeyResolver(server.url("/jwks")))
    async with TokenVerifier(issuer=ISSUER, keys=keys) as verifier:
        good = await ours.mint(CALL, subject="20")
        assert (await verifier.verify(good, CALL)).subject == "20"
        with pytest.raises(RemoteKeysError):
            await verifier.verify(await theirs.mint(CALL), CALL)
        assert (await verifier.verify(good, CALL)).subject == "20"
    assert hanging.state.failures == 1
