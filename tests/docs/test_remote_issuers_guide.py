"""What the guide to other issuers shows runs against an issuer on loopback, and its tokens fare as the page says."""

import inspect
import json
import time
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

from mintkey import (
    ExpiredTokenError,
    InsufficientScopeError,
    KeyNotFoundError,
    MintkeyError,
    Reason,
    RemoteKeysError,
    TokenVerifier,
)
from mintkey.jose.base64url import encode
from mintkey.keys import JWKSKeyResolver
from tests.docs.page import Page
from tests.support.http_server import DROP, HttpServer, json_reply
from tests.support.signing_keys import jwk_of, other_key_for

PAGE = Page("remote-issuers")
AUDIENCE = "https://api.myapp.example"


class Issuer:
    """Publishes metadata and RSA keys at a path of a server, and signs whatever it is told to."""

    def __init__(self, server: HttpServer, path: str = "/realms/one") -> None:
        self.url = server.url(path)
        self._server = server
        self._path = path
        self._jwk: Mapping[str, Any] = jwk_of("RS256")
        server.route(
            f"{path}/.well-known/openid-configuration",
            json_reply({"issuer": self.url, "jwks_uri": server.url(f"{path}/keys")}),
        )
        self.publish()

    def publish(self) -> None:
        """The keys as Entra publishes them, without `alg`, and one for encryption as Keycloak does."""
        public = {name: self._jwk[name] for name in ("kty", "kid", "n", "e")}
        encryption = {**public, "kid": "for-encryption", "use": "enc", "alg": "RSA-OAEP"}
        self._server.route(f"{self._path}/keys", json_reply({"keys": [{**public, "use": "sig"}, encryption]}))

    def rotate(self) -> None:
        self._jwk = other_key_for("RS256").private_jwk
        self.publish()

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token by RFC 9068, changed; None leaves a member out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "sub": "20",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "jti": "1",
            "client_id": "web",
            "scope": "openid orders:read",
            **claims,
        }
        head = {"alg": "RS256", "kid": self._jwk["kid"], "typ": "at+jwt", **(header or {})}
        text = f"{segment(head)}.{segment(said)}"
        key = RSAKey.import_key(dict(self._jwk)).private_key
        assert key is not None
        return f"{text}.{encode(key.sign(text.encode(), PKCS1v15(), SHA256()))}"


def segment(members: Mapping[str, Any]) -> str:
    return encode(json.dumps({name: value for name, value in members.items() if value is not None}).encode())


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def issuer(server: HttpServer) -> Issuer:
    return Issuer(server)


@pytest.fixture
async def verifier(guide, issuer) -> AsyncIterator[TokenVerifier]:
    async with await guide.verifier_for(issuer.url) as verifier:
        yield verifier


async def refusal(call) -> Reason:
    with pytest.raises(MintkeyError) as caught:
        await call
    return caught.value.reason


async def test_an_access_token_by_rfc_9068(guide, issuer, verifier):
    assert await guide.caller_of(verifier, issuer.token()) == "20"
    assert await guide.caller_of(verifier, issuer.token(aud=[f"{issuer.url}/userinfo", AUDIENCE])) == "20"
    assert await refusal(guide.caller_of(verifier, issuer.token(scope="orders:reader"))) is Reason.INSUFFICIENT_SCOPE
    assert await refusal(guide.caller_of(verifier, issuer.token(aud="account"))) is Reason.AUDIENCE_MISMATCH


async def test_an_issuer_without_keys_and_one_that_is_away(guide, server, issuer):
    metadata = "/realms/one/.well-known/openid-configuration"
    server.route(metadata, json_reply({"issuer": issuer.url}))
    with pytest.raises(LookupError):
        await guide.verifier_for(issuer.url)
    server.route(metadata, json_reply({"issuer": f"{issuer.url}/"}))
    assert await refusal(guide.verifier_for(issuer.url)) is Reason.JWKS_INVALID
    server.route(metadata, DROP)
    with pytest.raises(RemoteKeysError) as caught:
        await guide.verifier_for(issuer.url)
    assert caught.value.status_code == 503


# What their tokens look like


def older(issuer: Issuer, **changes: Any) -> str:
    changes = {"azp": "web", "client_id": None, "scope": None, **changes}
    return issuer.token({"typ": "JWT", "x5t": "dGh1bWI"}, **changes)


@pytest.mark.parametrize("scp", ["openid orders:read", ["openid", "orders:read"]], ids=["text", "list"])
async def test_an_older_access_token(guide, issuer, verifier, scp):
    token = older(issuer, scp=scp)
    caller = await guide.caller_with(verifier, token, "orders:read")
    assert (caller.subject, caller.claims.azp, dict(caller.headers)) == ("20", "web", {})
    with pytest.raises(InsufficientScopeError):
        await guide.caller_with(verifier, token, "orders")


async def test_an_id_token_is_no_access_token(guide, issuer, verifier):
    id_token = issuer.token({"typ": "JWT"}, aud="web", scope=None, nonce="1")
    assert await refusal(guide.caller_with(verifier, id_token, "orders:read")) is Reason.CLAIM_MISSING
    id_token = issuer.token({"typ": "JWT"}, aud="web", azp="web", scope=None, nonce="1")
    assert await refusal(guide.caller_with(verifier, id_token, "orders:read")) is Reason.AUDIENCE_MISMATCH


async def test_what_bounds_their_tokens_is_max_age(guide, issuer, verifier):
    now = int(time.time())
    day = older(issuer, scp="a", iat=now - 5 * 3600, exp=now + 3600)
    assert (await guide.caller_with(verifier, day, "a")).subject == "20"
    with pytest.raises(ExpiredTokenError):
        await guide.caller_with(verifier, older(issuer, scp="a", iat=now - 25 * 3600, exp=now + 3600), "a")


@pytest.mark.parametrize("header", ["jku", "jwk", "x5u", "x5c", "crit"])
async def test_what_a_header_may_never_have(guide, issuer, verifier, header):
    token = issuer.token({"typ": "JWT", header: ["x"]}, azp="web")
    assert await refusal(guide.caller_with(verifier, token, "a")) is Reason.HEADER_UNSUPPORTED


@pytest.mark.parametrize(
    ("what", "header", "claims", "reason"),
    [
        ("jti", {}, {"jti": None, "uti": "1"}, Reason.CLAIM_MISSING),
        ("typ", {"typ": None}, {}, Reason.PURPOSE_MISMATCH),
    ],
)
async def test_what_does_not_fit(guide, verifier, issuer, *, what, header, claims, reason):
    rows = dict(row[:2] for row in PAGE.rows("What their tokens look like"))
    assert f"`{reason}`" in rows[f"no `{what}`"]
    assert await refusal(guide.caller_of(verifier, issuer.token(header, **claims))) is reason


async def test_the_issuers_whose_tokens_verify(guide, verifier, issuer):
    """Shaped as theirs, with the settings that the page tells."""
    auth0 = issuer.token(aud=[AUDIENCE, "https://tenant.auth0.com/userinfo"], permissions=["orders:read"])
    assert await guide.caller_of(verifier, auth0) == "20"
    keycloak = {"azp": "web", "typ": "Bearer", "acr": "1", "realm_access": {"roles": ["editor"]}}
    assert (await verifier.verify(issuer.token({"typ": "JWT"}, **keycloak), guide.OLDER)).claims.azp == "web"
    assert await guide.caller_of(verifier, issuer.token(**keycloak)) == "20"
    entra = issuer.token({"typ": "JWT", "x5t": "dGh1bWJwcmludA"}, azp="web", scp="orders:read", uti="1", jti=None)
    seen = await guide.caller_with(verifier, entra, "orders:read")
    assert (seen.subject, seen.id) == ("20", "")


# The keys


def test_the_settings_are_those_of_the_resolver_with_their_defaults():
    rows = {name: row[1] for row in PAGE.rows("The keys") for name in row[0].split(", ") if row[0].startswith("`")}
    parameters = inspect.signature(JWKSKeyResolver).parameters
    assert {name.strip("`") for name in rows} == set(parameters) - {"url", "clock"}
    defaults = {
        name: parameters[name].default for name in ("timeout", "default_ttl", "max_stale", "cooldown", "max_bytes")
    }
    assert defaults == {
        "timeout": timedelta(seconds=5),
        "default_ttl": timedelta(minutes=10),
        "max_stale": timedelta(hours=24),
        "cooldown": timedelta(seconds=30),
        "max_bytes": 512 * 1024,
    }
    assert (rows["`timeout`"], rows["`default_ttl`"], rows["`max_stale`"]) == ("5 s", "10 min", "24 h")
    assert (rows["`cooldown`"], rows["`max_bytes`"], rows["`min_ttl`"]) == ("30 s", "512 KiB", "1 min, 24 h")
    assert parameters["min_ttl"].default == timedelta(minutes=1)
    assert parameters["max_ttl"].default == timedelta(hours=24)


async def test_a_rotation_is_followed(guide, issuer, verifier, server):
    old = issuer.token()
    assert await guide.caller_of(verifier, old) == "20"
    issuer.rotate()
    assert await guide.caller_of(verifier, issuer.token()) == "20"
    assert await refusal(guide.caller_of(verifier, old)) is Reason.KEY_UNKNOWN
    assert server.count("/realms/one/keys") == 2


async def test_ready_is_who_has_keys(guide, server, issuer):
    async with JWKSKeyResolver(server.url("/realms/one/keys")) as keys:
        assert not guide.is_ready(keys)
        with pytest.raises(KeyNotFoundError):
            await keys.resolve("unknown")
        assert guide.is_ready(keys)
        assert keys.state.word in PAGE.section("The keys")
        assert len(keys.state.skipped) == 1  # the one for encryption


# Several sources, several issuers


async def test_while_an_issuer_moves(guide, server, issuer):
    old = dict(other_key_for("RS256").public_jwk)
    keys = guide.keys_while_moving(server.url("/realms/one/keys"), json.dumps({"keys": [old]}))
    async with TokenVerifier(issuer=issuer.url, keys=keys) as verifier:
        assert await guide.caller_of(verifier, issuer.token()) == "20"
        moved = issuer.token()
        issuer.rotate()
        server.route("/realms/one/keys", DROP)
        assert await guide.caller_of(verifier, issuer.token()) == "20"
        assert await guide.caller_of(verifier, moved) == "20"


async def test_two_issuers_in_turn(guide, server, issuer):
    other = Issuer(server, "/realms/two")
    other.rotate()
    third = Issuer(server, "/realms/three")
    third.rotate()
    async with await guide.verifier_for(issuer.url) as first, await guide.verifier_for(other.url) as second:
        both = [first, second]
        assert (await guide.verify_of_any(other.token(), both)).issuer == other.url
        assert (await guide.verify_of_any(issuer.token(), both)).issuer == issuer.url
        # A key that both publish signs for neither but its own.
        assert await refusal(guide.verify_of_any(third.token(), both)) is Reason.ISSUER_MISMATCH
        assert await refusal(guide.verify_of_any(other.token(exp=1), both)) is Reason.EXPIRED
        forged = issuer.token({"kid": "invented"})
        assert await refusal(guide.verify_of_any(forged, both)) is Reason.KEY_UNKNOWN
    server.route("/realms/one/keys", DROP)
    async with await guide.verifier_for(issuer.url) as first, await guide.verifier_for(other.url) as second:
        assert (await guide.verify_of_any(other.token(), [first, second])).issuer == other.url
        assert await refusal(guide.verify_of_any(forged, [first, second])) is Reason.JWKS_UNAVAILABLE


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
