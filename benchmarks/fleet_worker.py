"""One process of the fleet: `python -m benchmarks.fleet_worker TASKS`."""

import logging
from datetime import timedelta
from typing import Any

from mintkey import Purpose, TokenService
from mintkey.keys import RedisKeyProvider, RotationPolicy, Sealer
from tests.support.processes import perform

__all__ = ["CAP", "mint"]

CAP = 1_000_000
SEALER = Sealer([bytes(range(32))])
SERVICE = Purpose[dict[str, Any]]("service", lifetime=timedelta(minutes=5))


async def mint(url: str, count: str) -> object:
    """Mint so many tokens; how many that were."""
    # Many more processes than cores wait for each other longer than a look may take, and say so. What counts here is
    # what the server was asked.
    logging.getLogger("mintkey").addHandler(logging.NullHandler())
    keys = RedisKeyProvider(url, algorithm="HS256", policy=RotationPolicy(max_mints=CAP), sealer=SEALER)
    async with TokenService(issuer="https://fleet.example", keys=keys) as tokens:
        for _ in range(int(count)):
            await tokens.mint(SERVICE, subject="20")
    return int(count)


if __name__ == "__main__":
    perform({"mint": mint})
