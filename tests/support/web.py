"""A web application, called as a server calls it, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from mintkey import Purpose, TokenService
from mintkey.clock import Clock
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock

__all__ = ["BASE", "bearer_header", "client_of", "service"]

BASE = "https://app.example"


def service(clock: Clock | None = None) -> TokenService:
    """A service with everything in memory."""
    clock = FakeClock() if clock is None else clock
    return TokenService(
        issuer=BASE, keys=MemoryKeyProvider(clock=clock), replay=MemoryReplayStore(clock=clock), clock=clock
    )


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application whose lifespan has begun."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client,
    ):
        yield client


async def bearer_header(tokens: TokenService, purpose: Purpose[Any], *scopes: str) -> dict[str, str]:
    """The header of a request with a new token."""
    return {"Authorization": f"Bearer {await tokens.mint(purpose, subject='20', scopes=scopes)}"}
