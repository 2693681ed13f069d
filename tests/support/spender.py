"""What one process of a fleet does in a test: verify tokens of single use against a shared store."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from mintkey import Purpose, TokenReplayedError, TokenService
from mintkey.keys import FileKeyProvider
from mintkey.replay import RedisReplayStore

LINK = Purpose("magic-link", lifetime=timedelta(minutes=10), audience="web", single_use=True)
ISSUER = "https://issuer.test"


def service(keys_at: str, redis_url: str) -> TokenService:
    """A process's own service on the shared keys and marks."""
    return TokenService(issuer=ISSUER, keys=FileKeyProvider(keys_at), replay=RedisReplayStore(redis_url))


def spend_all(keys_at: str, redis_url: str, tokens: Sequence[str]) -> tuple[list[int], int]:
    """Try every token at once, in a process of its own: the positions won, and how many were refused as replayed."""

    async def spend() -> tuple[list[int], int]:
        async with service(keys_at, redis_url) as verifier:
            outcomes = await asyncio.gather(*(verifier.verify(token, LINK) for token in tokens), return_exceptions=True)
        won = [position for position, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
        return won, sum(isinstance(outcome, TokenReplayedError) for outcome in outcomes)

    return asyncio.run(spend())
