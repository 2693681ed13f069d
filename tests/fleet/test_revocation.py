"""An emergency: a key is refused everywhere at once, and nobody waits for a new one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import anyio
import pytest

from mintkey import KeyRevokedError, TokenService
from mintkey.keys import RedisKeyProvider, RotatingKeyProvider, RotationPolicy, SQLKeyProvider
from tests.support.fleet_workers import ISSUER, LASTING, SEALER

FLEET = 5
LOOKS = timedelta(minutes=10)  # between two looks: whoever hears of anything before was told

Start = Callable[[], Awaitable[tuple[TokenService, RotatingKeyProvider]]]


@pytest.fixture(params=["valkey", "debian_redis", "redis_cluster", "redis_sentinel", "postgres"])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Starts a process of the fleet: a service, and its keys."""
    url: str = request.getfixturevalue(request.param).url

    def keys() -> RotatingKeyProvider:
        provider = SQLKeyProvider if url.startswith("postgresql") else RedisKeyProvider
        return provider(
            url, sealer=SEALER, policy=RotationPolicy(), refresh_interval=LOOKS, outage_tolerance=timedelta(hours=1)
        )

    async with AsyncExitStack() as stack:

        async def start() -> tuple[TokenService, RotatingKeyProvider]:
            provider = keys()
            return await stack.enter_async_context(TokenService(issuer=ISSUER, keys=provider)), provider

        yield start


async def test_a_revoked_version_is_refused_everywhere_at_once(start: Start) -> None:
    """Ten minutes lie between two looks at the store, so that what is known at once was pushed."""
    fleet = [(await start())[0] for _ in range(FLEET)]
    token = await fleet[0].mint(LASTING)
    for tokens in fleet:
        assert (await tokens.verify(token, LASTING)).key_id == token.key_id
    successors = [key["kid"] for key in (await fleet[1].jwks()).as_dict()["keys"] if key["kid"] != token.key_id]

    _, keys = await start()
    await keys.revoke(token.key_id, reason="seen in a log")
    for tokens in fleet:
        await until_refused(tokens, token)
        # The successor was public before, so that nobody has to learn of a new key in the middle of an emergency.
        assert [(await tokens.mint(LASTING)).key_id] == successors
        assert token.key_id not in [key["kid"] for key in (await tokens.jwks()).as_dict()["keys"]]


async def until_refused(tokens: TokenService, token: str) -> None:
    """Wait until a process heard of it."""
    with anyio.fail_after(30):
        while True:
            try:
                await tokens.verify(token, LASTING)
            except KeyRevokedError:
                return
            await anyio.sleep(0.01)
