"""Nothing is fetched because a token says so: one real server to be tempted by, and one that has the keys."""

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection

import pytest

from mintkey import Reason, TokenVerifier
from mintkey.keys import JWKSKeyResolver
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.security.attacks.case import CALLS, LOGIN
from tests.security.attacks.corpus import cases, forge_of
from tests.security.attacks.forge import ISSUER, NOW
from tests.security.attacks.trial import Trial
from tests.support.http_server import HttpServer, json_reply, serving

ASYMMETRIC = ["EdDSA", "ES256", "RS256"]


@pytest.fixture(scope="module")
def listener() -> Iterator[HttpServer]:
    """Notices everybody who comes, and would have the attacker's key for him."""
    with serving() as server:
        yield server


@pytest.mark.parametrize("algorithm", [*ASYMMETRIC, "HS256"])
async def test_no_url_in_a_token_is_ever_asked_for(listener: HttpServer, algorithm: str) -> None:
    forge = forge_of(algorithm, listener.url())
    published = dict(forge.other.public_jwk or {}) | {"kid": forge.key.kid}
    for path in ("/jwks.json", "/jwk.json", "/"):
        listener.route(path, json_reply({"keys": [published]}))
    tempting = [
        case
        for family in ("embedded", "critical", "kids")
        for case in cases(algorithm, family, listener.url())
        if isinstance(case.token, str)
    ]
    assert sum(f":{listener.port}" in str(header_of(case.token)) for case in tempting) > 30
    before = listener.connections
    assert await Trial(forge).objections(tempting, CALLS) == []
    await asyncio.to_thread(come_by, listener)  # who comes is counted: the silence before was no deafness
    assert listener.connections == before + 1


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
async def test_remote_keys_come_from_where_the_verifier_says(listener: HttpServer, algorithm: str) -> None:
    """With a resolver that does fetch: once, from its own URL, whatever thousands of tokens say."""
    forge = forge_of(algorithm, listener.url())
    before = listener.connections
    async with HttpServer() as issuer:
        issuer.route("/jwks.json", json_reply({"keys": [forge.key.public_jwk, forge.other.public_jwk]}))
        keys = JWKSKeyResolver(issuer.url("/jwks.json"), clock=FakeClock())
        trial = Trial(forge, keys)
        async with keys, trial.tokens:
            await keys.resolve(forge.key.kid)
            for family in ("embedded", "critical", "kids", "algorithms", "signature-bytes"):
                attacks = cases(algorithm, family, listener.url())
                assert await trial.objections(attacks, ("verify", "peek")) == []
        # One to begin with, and one for the first of all unknown kids: the cool-down stands still with its clock.
        assert [request.path for request in issuer.requests] == ["/jwks.json"] * 2
        assert all(dict(request.query) == {} and request.body == b"" for request in issuer.requests)
    assert listener.connections == before


async def test_an_issuer_in_a_token_is_not_discovered(listener: HttpServer) -> None:
    """`iss` names a server, too: it is compared, and nobody goes there."""
    forge = forge_of("EdDSA", listener.url())
    listener.route("/.well-known/openid-configuration", json_reply({"jwks_uri": listener.url("/jwks.json")}))
    before = listener.connections
    trial = Trial(forge)
    for issuer in (listener.url(), listener.url("/"), f"{ISSUER}@127.0.0.1:{listener.port}"):
        claims = {**forge.claims, "iss": issuer}
        attacks = [*forge.both("iss", Reason.ISSUER_MISMATCH, "its own keys", claims=claims)]
        assert await trial.objections(attacks, CALLS) == []
    assert listener.connections == before


async def test_a_token_that_is_good_is_good_with_remote_keys(listener: HttpServer) -> None:
    """Else all of the above would be refused for want of keys."""
    forge = forge_of("ES256", listener.url())
    clock = FakeClock(datetime.fromtimestamp(NOW, UTC))
    async with HttpServer() as issuer:
        issuer.route("/jwks.json", json_reply({"keys": [forge.key.public_jwk]}))
        keys = JWKSKeyResolver(issuer.url("/jwks.json"), clock=clock)
        store = MemoryReplayStore(clock=clock, fence=False)
        async with TokenVerifier(issuer=ISSUER, keys=keys, replay=store, clock=clock) as tokens:
            assert (await tokens.verify(forge.good, LOGIN)).key_id == forge.key.kid


def come_by(listener: HttpServer) -> None:
    request = HTTPConnection("127.0.0.1", listener.port, timeout=20)
    request.request("GET", "/jwks.json")
    assert request.getresponse().status == 200
    request.close()


def header_of(token: str) -> bytes:
    """What the header of a token says."""
    segment = token.split(".", 1)[0].encode()
    return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
