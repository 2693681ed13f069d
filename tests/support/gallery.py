"""One of everything that holds a secret, or could show one, and the secrets that are in it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from mintkey import MintRequest, Purpose, TokenService, VerificationCache, presets
from mintkey.bus import EventBus
from mintkey.integrations.settings import MintkeySettings
from mintkey.jose import base64url
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.keys import (
    EnvKeyProvider,
    FileKeyProvider,
    FirstOfKeyResolver,
    MemoryKeyProvider,
    Plaintext,
    Sealer,
    StaticKeyProvider,
    StaticKeyResolver,
)
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.key_sources import key_source
from mintkey.keys.redis import RedisKeyProvider
from mintkey.keys.sql import SQLKeyProvider
from mintkey.oauth import ClientCredentials, PrivateKeyJWT
from mintkey.oauth.client_authentication import ClientSecretBasic
from mintkey.oauth.lease import Grant
from mintkey.oauth.state import State
from mintkey.refresh import RefreshFlow
from mintkey.replay import MemoryReplayStore
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.sql import SQLReplayStore
from tests.support.needles import Needles, bearing_members, private_members
from tests.support.signing_keys import jwk_of, key_for

__all__ = ["gallery"]

PASSWORD = "correct-horse-battery-staple"
PERSON = "alice.of.wonderland@example.com"
KEK = Sealer.generate_key()
ALGORITHMS = ("EdDSA", "ES256", "ES384", "ES512", "RS256", "PS256", "HS256")

Exhibits = dict[str, Any]


@asynccontextmanager
async def gallery(directory: Path, /) -> AsyncIterator[tuple[Exhibits, Needles]]:
    """Everything, in use and closed afterwards, and what must not be seen of it."""
    needles = Needles({"password": PASSWORD, "person": PERSON, "KEK": KEK, "KEK, decoded": base64url.decode(KEK)})
    async with AsyncExitStack() as stack:
        everything = {**_keys(), **_stores(), **_clients()}
        for algorithm in ALGORITHMS:
            _add(needles, private_members(jwk_of(algorithm)))
        for name, keys in {
            "rotating in memory": MemoryKeyProvider(),
            "rotating secrets": MemoryKeyProvider(algorithm="HS256"),
            "rotating in a file": FileKeyProvider(directory / "keys", sealer=Sealer([KEK])),
            "rotating in SQLite": SQLKeyProvider(f"sqlite:///{directory / 'keys.db'}", sealer=Sealer([KEK])),
            "rotating in plain SQLite": SQLKeyProvider(f"sqlite:///{directory / 'plain.db'}", sealer=Plaintext()),
        }.items():
            everything |= await _service(needles, name, await stack.enter_async_context(keys), stack)
        yield everything, needles


def _keys() -> Exhibits:
    found: Exhibits = {"sealer": Sealer([KEK]), "custodian": SealedCustodian(Sealer([KEK]), ring="default")}
    for algorithm in ALGORITHMS:
        key, jwk = key_for(algorithm), jwk_of(algorithm)
        found |= {
            f"loaded {algorithm}": key,
            f"signing {algorithm}": signing_key(key),
            f"verifying {algorithm}": verification_key(key),
            f"static {algorithm}": StaticKeyProvider({"keys": [jwk]}),
            f"environment {algorithm}": EnvKeyProvider({"MINTKEY_KEYS": json.dumps(jwk)}),
            f"source {algorithm}": key_source("KEYS", json.dumps(jwk), may_be_path=False),
        }
    found["resolver"] = StaticKeyResolver({"keys": [key_for("ES256").public_jwk]})
    found["first of"] = FirstOfKeyResolver(found["resolver"], found["static EdDSA"])
    return found


def _stores() -> Exhibits:
    sealer = Sealer([KEK])
    redis = f"redis://user:{PASSWORD}@127.0.0.1/0"
    sentinel = f"redis+sentinel://:{PASSWORD}@127.0.0.1/main?sentinel_password={PASSWORD}"
    postgres = f"postgresql://user:{PASSWORD}@127.0.0.1/database"
    return {
        "keys in Redis": RedisKeyProvider(redis, sealer=sealer),
        "keys at sentinels": RedisKeyProvider(sentinel, sealer=sealer),
        "marks in Redis": RedisReplayStore(redis),
        "marks in a cluster": RedisReplayStore(f"redis+cluster://:{PASSWORD}@127.0.0.1:7000,127.0.0.1:7001"),
        "marks in Redis, by a parameter": RedisReplayStore(f"redis://127.0.0.1/0?password={PASSWORD}"),
        "keys in PostgreSQL": SQLKeyProvider(postgres, sealer=sealer),
        "marks in PostgreSQL": SQLReplayStore(postgres),
        "marks in PostgreSQL, by a certificate": SQLReplayStore(
            f"postgresql://user@127.0.0.1/database?sslmode=require&sslpassword={PASSWORD}"
        ),
        "bus": EventBus(redis, sealer=sealer),
        "service of a URL": TokenService.from_url(redis, issuer="https://myapp.example", sealer=sealer),
        "settings": MintkeySettings(
            issuer="https://myapp.example", store=SecretStr(redis), seal_keys=SecretStr(KEK), keys=None
        ),
        "settings with keys": MintkeySettings(
            issuer="https://myapp.example", keys=SecretStr(json.dumps(jwk_of("EdDSA")))
        ),
    }


def _clients() -> Exhibits:
    basic = ClientCredentials("https://login.example/token", "me", PASSWORD)
    basic._cache._lease = None
    return {
        "client": basic,
        "client that posts": ClientCredentials(
            "https://login.example/token", "me", PASSWORD, authentication="client_secret_post"
        ),
        "authentication": ClientSecretBasic(PASSWORD),
        "authorization": basic.auth,
        "grant": Grant(PASSWORD, 60.0),
        "state": State(browser=PASSWORD, next=f"/inbox?of={PERSON}"),
    }


async def _service(needles: Needles, name: str, keys: Any, stack: AsyncExitStack) -> Exhibits:
    """A service over these keys, and what comes out of it."""
    cache, marks = VerificationCache(), MemoryReplayStore()
    tokens = TokenService(issuer="https://myapp.example", keys=keys, replay=marks, cache=cache)
    await stack.enter_async_context(tokens)
    access = Purpose("access", lifetime=timedelta(minutes=5))
    token = await tokens.mint(access, subject=PERSON, claims={"email": PERSON})
    verified = await tokens.verify(str(token), access)
    api, session = (one.replace(audience="myapp.web") for one in (presets.ACCESS, presets.REFRESH))
    flow = RefreshFlow(tokens, access=api, refresh=session)
    pair = await flow.issue(PERSON)
    for what, minted in {"token": token, "access": pair.access, "refresh": pair.refresh}.items():
        _add(needles, bearing_members(f"{what}, {name}", minted))
    for version in keys.workings.keeper.snapshot.ring.versions:
        if version.material.handle.startswith("plain1."):
            _add(needles, private_members(json.loads(Plaintext().open(version.material.handle, aad=b""))))
    return {
        f"keys, {name}": keys,
        f"service, {name}": tokens,
        f"cache, {name}": cache,
        f"marks, {name}": marks,
        f"flow, {name}": flow,
        f"pair, {name}": pair,
        f"token, {name}": token,
        f"verified, {name}": verified,
        f"peeked, {name}": await tokens.peek(token, access),
        f"request, {name}": MintRequest(subject=PERSON, claims={"email": PERSON}),
        f"versions, {name}": await keys.versions(),
        f"grant, {name}": await keys.acquire(),
        f"assertion, {name}": PrivateKeyJWT(tokens),
        f"health, {name}": await tokens.health(),
    }


def _add(needles: Needles, secrets: Mapping[str, str | bytes]) -> None:
    for name, secret in secrets.items():
        needles.add(name, secret)
