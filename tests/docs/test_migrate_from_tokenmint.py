"""Tokens of tokenmint stay valid while new ones are minted here, on a real server with its marks.

What stands for tokenmint writes tokens and marks byte by byte as its release 0.1.2 does.
"""

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from redis.asyncio import Redis

from mintkey import (
    ClaimError,
    ConfigurationError,
    InvalidTokenError,
    Purpose,
    PurposeMismatchError,
    TokenReplayedError,
    TokenService,
    presets,
)
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.support.servers import RedisServer

PAGE = Page("migrate-from-tokenmint")
KID = "2025-08-rot-1"
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ENVIRON = {"TOKEN_ACTIVE_KEY_ID": KID, f"TOKEN_PRIVATE_KEY_{KID}": PEM}


def old_token(token_id: str = "an-id", *, kid: str = KID, **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "myapp.io",
        "aud": "myapp.web",
        "pur": "magic-login",
        "sub": "20",
        "jti": token_id,
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "ext": {"email": "alice@example.com"},
    }
    return jwt.encode({**claims, **changed}, KEY, algorithm="EdDSA", headers={"kid": kid, "typ": "JWT", "alg": "EdDSA"})


async def tokenmint_passes(redis: Redis, token_id: str) -> bool:
    """Its check of an id: look, then mark."""
    if await redis.exists(f"token:jti:{token_id}"):
        return False
    await redis.set(f"token:jti:{token_id}", 1, ex=900, nx=True)
    return True


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def tokens(guide: SimpleNamespace, valkey: RedisServer) -> AsyncIterator[TokenService]:
    async with guide.service(valkey.url, Sealer.generate_key()) as tokens:
        yield tokens


@pytest.fixture
async def redis(valkey: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as redis:
        yield redis


@pytest.fixture
def email_of(guide: Any, tokens: TokenService, redis: Redis) -> Any:
    old = guide.old_verifier(ENVIRON)

    async def email_of(token: str) -> str:
        email: str = await guide.email_of_both(tokens, old, redis, token)
        return email

    return email_of


async def test_both_kinds_of_tokens_are_accepted_once(guide: Any, tokens: TokenService, email_of: Any) -> None:
    new = await guide.token_for(tokens, "21", "bob@example.com")
    pairs = [(old_token(), "alice@example.com"), (new, "bob@example.com")]
    for token, email in pairs:
        assert await email_of(token) == email
        with pytest.raises(TokenReplayedError):
            await email_of(token)


async def test_of_fifty_at_once_one_gets_in(redis: Redis, email_of: Any) -> None:
    token, let_in = old_token(), []

    async def enter() -> None:
        with suppress(TokenReplayedError):
            let_in.append(await email_of(token))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(enter)
    assert len(let_in) == 1


async def test_both_libraries_know_what_the_other_one_spent(redis: Redis, email_of: Any) -> None:
    assert await tokenmint_passes(redis, "there")
    with pytest.raises(TokenReplayedError):
        await email_of(old_token("there"))
    await email_of(old_token("here"))
    assert not await tokenmint_passes(redis, "here")


async def test_a_mark_outlives_its_token(redis: Redis, email_of: Any) -> None:
    now = int(time.time())
    await email_of(old_token(iat=now - 899, nbf=now - 899, exp=now - 5))  # within the leeway
    assert 5 <= await redis.ttl("token:jti:an-id") <= 11


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"pur": "password-reset"}, ClaimError),
        ({"aud": "elsewhere"}, ClaimError),
        ({"iss": "elsewhere"}, ClaimError),
        ({"exp": 1}, InvalidTokenError),
        ({"iat": 1}, InvalidTokenError),
        ({"ext": "none"}, ClaimError),
        ({"kid": "2025/08"}, InvalidTokenError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_others_are_refused_and_not_spent(
    redis: Redis, email_of: Any, changed: dict[str, Any], error: type[InvalidTokenError]
) -> None:
    with pytest.raises(error):
        await email_of(old_token(**changed))
    assert await tokenmint_passes(redis, "an-id")


async def test_who_keeps_the_variables_tells_tokens_apart_by_their_type(guide: Any, valkey: RedisServer) -> None:
    old = guide.old_verifier(ENVIRON)
    async with guide.service_with_your_keys(ENVIRON, valkey.url) as tokens:
        token = await guide.token_for(tokens, "20", "alice@example.com")
        assert token.key_id == KID
        with pytest.raises(PurposeMismatchError):
            await old.verify(token, guide.OLD)
        assert await guide.email_of(tokens, token) == "alice@example.com"
        with pytest.raises(PurposeMismatchError):
            await tokens.verify(old_token(), guide.LOGIN)


def test_a_long_leeway_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="leeway"):
        Purpose("magic-login", lifetime=timedelta(minutes=15), leeway=timedelta(minutes=11))


def test_the_presets_are_those_that_the_page_names() -> None:
    named = {cell for row in PAGE.rows("What it is called here") for cell in row if cell.startswith("`presets.")}
    assert named == {f"`presets.{name}`" for name in set(presets.__all__) - {"ACCESS", "REFRESH"}}


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
