"""The Redis replay store's first call."""

from datetime import UTC, datetime

import anyio

from mintkey.replay.base import ClaimStatus, Look
from mintkey.replay.redis import RedisReplayStore
from tests.support.servers import RedisServer


async def test_callers_who_come_first_together_open_it_once(valkey: RedisServer) -> None:
    store, seen = RedisReplayStore(valkey.url), list[ClaimStatus]()
    later = datetime(2100, 1, 1, tzinfo=UTC)

    async def look(number: int) -> None:
        seen.append(await store.status(f"key {number}", issued_at=later))

    valkey.command("CONFIG", "RESETSTAT")
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(look, number)
    assert seen == [ClaimStatus.UNUSED] * 10
    begun = (await valkey.send("INFO", "commandstats"))["cmdstat_set"]["calls"]
    assert begun == 16  # one beginning for each bucket
    await store.aclose()


async def test_a_joint_look_may_be_the_first_call_of_all(valkey: RedisServer) -> None:
    """Its memory begins with it."""
    store = RedisReplayStore(valkey.url)
    issued_at = datetime(2100, 1, 1, tzinfo=UTC)
    assert await store.look("a token", "a subject", issued_at=issued_at) == Look(ClaimStatus.UNUSED, None)
    old = datetime(2020, 1, 1, tzinfo=UTC)
    assert await store.look("a token", "a subject", issued_at=old) == Look(ClaimStatus.UNPROVABLE, None)
    await store.aclose()
