"""Tokens of swarmauri's rotating service stay valid while new ones are minted here.

What stands for it writes tokens and key sets as its release 0.11.0.dev1 does with a `LocalKeyProvider`.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import mintkey
import mintkey.keys
from mintkey import ConfigurationError, InvalidTokenError, TokenService, TokenVerifier
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.support.http_server import HttpServer, json_reply

PAGE = Page("migrate-from-swarmauri")
ALGORITHMS = jwt.algorithms.get_default_algorithms()


class OldService:
    """One process, with keys of its own."""

    def __init__(self, name: str, algorithm: str, key: Any) -> None:
        self.kid, self.algorithm, self.key = f"{name}.1", algorithm, key

    def token(self, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        now = int(time.time())
        claims = {
            "role": "editor",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "iss": "https://auth.example",
            "sub": "20",
            "aud": "https://api.example",
            "scope": "orders:read",
            **changed,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.key, self.algorithm, {**(headers or {}), "alg": self.algorithm, "kid": self.kid})

    def jwks(self) -> str:
        jwk: dict[str, Any] = ALGORITHMS[self.algorithm].to_jwk(self.key.public_key(), as_dict=True)
        members = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
        # Its provider lists whatever it holds, keys for other things included.
        others = [
            {"kty": "oct", "alg": "A256GCM", "kid": "b.1"},
            {"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "c.1"},
        ]
        return json.dumps({"keys": [*others, {**members, "kid": self.kid}]})


@cache
def rsa_key() -> Any:
    return rsa.generate_private_key(65537, 2048)


KEYS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": rsa_key,
    "PS256": rsa_key,
}


@cache
def service_of(algorithm: str) -> OldService:
    return OldService(f"a070a472e969{algorithm}", algorithm, KEYS[algorithm]())


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def tokens(guide: SimpleNamespace, tmp_path: Path) -> AsyncIterator[TokenService]:
    async with guide.service(f"sqlite:///{tmp_path / 'app.db'}", Sealer.generate_key()) as tokens:
        yield tokens


@pytest.mark.parametrize("algorithm", KEYS)
async def test_both_kinds_of_tokens_are_accepted(guide: Any, tokens: TokenService, algorithm: str) -> None:
    service = service_of(algorithm)
    old = guide.old_verifier(guide.old_keys(service.jwks(), rsa="PS256" if algorithm == "PS256" else "RS256"))
    assert await guide.role_of_both(tokens, old, service.token()) == "editor"
    assert await guide.role_of_both(tokens, old, await guide.token_for(tokens, "21", "owner")) == "owner"
    forged = OldService(service.kid[:-2], "ES256", ec.generate_private_key(ec.SECP256R1())).token()
    for token in (forged, service.token(headers={"typ": "at+jwt"}, jti="1"), service.token(scope="orders")):
        with pytest.raises(InvalidTokenError):
            await guide.role_of_both(tokens, old, token)


async def test_the_sets_of_several_processes_are_one(guide: Any, tokens: TokenService) -> None:
    services = [service_of("ES256"), service_of("EdDSA"), service_of("ES256")]
    saved = guide.old_keys(*(service.jwks() for service in services))
    old = guide.old_verifier(saved)
    for service in services:
        assert await guide.role_of_both(tokens, old, service.token()) == "editor"
    kids = [key["kid"] for key in (await guide.both_sets(tokens, saved))["keys"]]
    assert len(kids) == len(set(kids)) == 4  # the active one, the next one, and two old ones


async def test_an_old_service_that_runs_on(guide: Any, tokens: TokenService, server: HttpServer) -> None:
    saved, newer = service_of("EdDSA"), service_of("ES256")

    async def jwks(_request: object) -> Any:
        return json_reply(json.loads(newer.jwks()))

    server.route("/jwks.json", jwks)
    async with guide.old_verifier_of_url(server.url("/jwks.json"), guide.old_keys(saved.jwks())) as old:
        for service in (saved, newer):
            assert await guide.role_of_both(tokens, old, service.token()) == "editor"
        assert await guide.role_of_both(tokens, old, await guide.token_for(tokens, "21", "owner")) == "owner"


async def test_secrets_go_into_a_provider() -> None:
    jwk = {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0",
        "kid": "7edeb7eb8a030951.1",
        "alg": "HS256",
    }
    provider = mintkey.keys.StaticKeyProvider({"keys": [jwk]})
    assert (await provider.resolve("7edeb7eb8a030951.1")).algorithm == "HS256"
    with pytest.raises(ConfigurationError, match="StaticKeyProvider"):
        mintkey.keys.StaticKeyResolver({"keys": [jwk]})


REFUSED: dict[str, dict[str, Any]] = {
    "no `exp` (`lifetime_s=None`)": {"exp": None},
    "no `iss` (no `default_issuer`)": {"iss": None},
    "no `aud`, with a purpose that names one": {"aud": None},
    "an `aud`, with a purpose that names none": {},
    "header members of your own": {"headers": {"tenant": "a"}},
}


@pytest.mark.parametrize(("what", "told"), PAGE.rows("What is refused")[1:], ids=range(5))
async def test_what_is_refused(guide: Any, what: str, told: str) -> None:
    service = service_of("EdDSA")
    old: TokenVerifier = guide.old_verifier(guide.old_keys(service.jwks()))
    lax = mintkey.Purpose("lax", typ="JWT", optional=["jti"], lifetime=guide.OLD.lifetime)
    with pytest.raises(InvalidTokenError) as caught:
        await old.verify(service.token(**REFUSED[what]), lax if "names none" in what else guide.OLD)
    assert f"`{caught.value.reason}`" in told


async def test_registered_claims_are_no_private_ones(guide: Any, tokens: TokenService) -> None:
    with pytest.raises(ConfigurationError):
        await tokens.mint(guide.ACCESS, subject="20", claims={"exp": 1})
    with pytest.raises(ConfigurationError):
        await tokens.mint(guide.ACCESS, subject="20", kid="another")


def test_every_name_of_ours_in_the_first_table_exists() -> None:
    for _, ours in PAGE.rows("What it is called here")[1:]:
        for name in re.findall(r"`([A-Z][a-z]\w+)[`(.]", ours):
            assert hasattr(mintkey, name) or hasattr(mintkey.keys, name), name


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
