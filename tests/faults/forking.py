"""A process that used stores and then became two: `python -m tests.faults.forking PLACE`."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta

from mintkey.ids import new_id
from mintkey.keys import RedisKeyProvider, RotationPolicy, SQLKeyProvider
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.sealing import Plaintext
from tests.faults.ground import Fate, Ground, Stores, attempt, redis_stores, sql_stores
from tests.faults.paths import PATHS
from tests.support.processes import copy, say

_PATIENCE = 20.0
_CAP = 100_000


def stores_on(place: str) -> Stores:
    return redis_stores(place, _PATIENCE) if place.startswith("redis") else sql_stores(place, _PATIENCE)


def provider_on(place: str) -> RotatingKeyProvider:
    policy = RotationPolicy(every=None, max_mints=_CAP, publish_ahead=timedelta(0))
    made = RedisKeyProvider if place.startswith("redis") else SQLKeyProvider
    return made(place, policy=policy, sealer=Plaintext())


async def claim_all(stores: Stores, names: list[str]) -> list[str]:
    """The names that this process was granted."""
    granted: list[str] = []
    for name in names:
        fate, answer = await attempt(PATHS["postgresql"]["claim"].call(Ground(stores, stores, name)))
        assert fate is Fate.DONE, repr(answer)
        if answer == "accepted":
            granted.append(name)
    return granted


def spend(place: str) -> None:
    """Spend, with a loop that ended before the fork, or one that goes on in the parent."""
    stores = stores_on(place)
    names = [new_id() for _ in range(30)]
    _say("granted", asyncio.run(claim_all(stores, names[:10])))
    before, work = (lambda: claim_all(stores, names[:20])), (lambda: claim_all(stores, names))
    asyncio.run(_both("granted", before, work, stores.aclose))


def mint(place: str) -> None:
    """Sign from what was set aside before the fork, as far as that is allowed; then what is counted in all."""
    provider = provider_on(place)

    async def use(count: int) -> int:
        return sum([(await provider.acquire()).count for _ in range(count)])

    _say("used", asyncio.run(use(2000)))
    asyncio.run(_both("used", lambda: use(1), lambda: use(400), provider.aclose))

    async def counted() -> int:
        stored = await stores_on(place).rings.load("default")
        assert stored is not None
        return sum(stored.mints.values())

    _say("counted", asyncio.run(counted()))


Work = Callable[[], Awaitable[object]]


async def _both(what: str, before: Work, work: Work, leave: Work) -> None:
    """In this process and in a copy of it, which is made behind some work, with the connections that this took."""
    _say(what, await before())

    async def do() -> None:
        _say(what, await work())
        await leave()

    child = copy(do)
    _say(what, await work())
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert status == 0
    _say(what, await work())
    await leave()


def _say(what: str, answer: object) -> None:
    say(json.dumps([what, answer]))


if __name__ == "__main__":
    spend(sys.argv[1])
    mint(sys.argv[1])
