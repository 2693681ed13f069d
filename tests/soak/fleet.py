"""The fleet that is soaked: what it mints, how it rotates, and where it keeps keys and marks."""

from datetime import timedelta
from typing import Any

import anyio

from mintkey import BackendError, Purpose, TokenService
from mintkey.keys import RedisKeyProvider, RotationPolicy, Sealer, SQLKeyProvider
from mintkey.refresh import RefreshFlow
from mintkey.replay import RedisReplayStore, SQLReplayStore

__all__ = [
    "ACCESS",
    "CAP",
    "GRACE",
    "LEASE",
    "LEEWAY",
    "LIFETIME",
    "LOOKS_EVERY",
    "ONCE",
    "PASS",
    "REFRESH",
    "TOLERANCE",
    "flow_on",
    "opened_at",
]

LIFETIME = timedelta(seconds=12)
LEEWAY = timedelta(seconds=1)
LEASE = timedelta(seconds=2)
GRACE = timedelta(seconds=10)
LOOKS_EVERY = timedelta(seconds=0.25)
TOLERANCE = timedelta(seconds=8)
"""For so long keys work without their store; also for how long one may go on that was revoked meanwhile."""

CAP = 16
"""Mints of one key version, by the whole fleet: some keys sign so many within their second, and some do not."""

ONCE = Purpose[dict[str, Any]]("once", lifetime=LIFETIME, leeway=LEEWAY, single_use=True)
PASS = Purpose[dict[str, Any]]("pass", lifetime=LIFETIME, leeway=LEEWAY, revocable=True)
ACCESS = Purpose[dict[str, Any]]("access", lifetime=LIFETIME, leeway=LEEWAY)
REFRESH = Purpose[dict[str, Any]]("refresh", lifetime=LIFETIME, leeway=LEEWAY)

_POLICY = RotationPolicy(
    every=timedelta(seconds=1),
    max_mints=CAP,
    # Who cannot reach the server goes on for a while with a key that others may have retired: what it signs at the last
    # moment is to be good for its whole life, too.
    previous_ttl=LIFETIME + LEEWAY + TOLERANCE,
    publish_ahead=timedelta(seconds=0.6),
)
_SEALER = Sealer([bytes(range(32))])
_TIMEOUT = timedelta(seconds=1)


async def opened_at(url: str) -> TokenService:
    """A process's own service on what the fleet shares, as soon as the servers let it."""
    while True:
        tokens = _service_at(url)
        try:
            await tokens.__aenter__()
            await tokens.jwks()
        except BackendError:
            await tokens.aclose()
            await anyio.sleep(0.1)
        else:
            return tokens


def _service_at(url: str) -> TokenService:
    provider, store = (
        (SQLKeyProvider, SQLReplayStore) if url.startswith("postgresql") else (RedisKeyProvider, RedisReplayStore)
    )
    keys = provider(
        url,
        policy=_POLICY,
        sealer=_SEALER,
        refresh_interval=LOOKS_EVERY,
        outage_tolerance=TOLERANCE,
        max_clock_skew=timedelta(seconds=0.1),
    )
    return TokenService(issuer="https://soak.example", keys=keys, replay=store(url, timeout=_TIMEOUT))


def flow_on(tokens: TokenService) -> RefreshFlow[dict[str, Any]]:
    """Sessions that live as long as a token; an answer that was lost may be asked for again for nearly as long."""
    return RefreshFlow(tokens, access=ACCESS, refresh=REFRESH, grace=GRACE)
