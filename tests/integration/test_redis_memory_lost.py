"""A server that forgot everything, and everybody who comes to it at once: nobody gets in or is told of a use."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.ids import new_id
from mintkey.replay import ClaimOutcome, ClaimStatus, RedisReplayStore
from tests.support.servers import RedisServer

LEASES = (None, timedelta(seconds=30))


async def claim(store: RedisReplayStore, key: str, lease: timedelta | None = None) -> ClaimOutcome:
    # Issued a little ahead, so that a second that begins meanwhile does not matter.
    issued_at = datetime.now(UTC) + timedelta(seconds=2)
    expires_at = issued_at + timedelta(minutes=5)
    return await store.claim(key, owner=new_id(), issued_at=issued_at, expires_at=expires_at, lease=lease)


async def test_of_many_who_come_first_nobody_is_told_of_a_use(valkey: RedisServer) -> None:
    """Each of them writes before he can know of the loss, and reads what another one wrote: none of it was granted."""
    async with RedisReplayStore(valkey.url) as one, RedisReplayStore(valkey.url) as other:
        for lease in LEASES:
            await claim(one, new_id())
            await valkey.send("FLUSHALL")
            claims = [claim(store, "key", lease) for store in (one, other) * 25]
            looks = [store.status("key", issued_at=datetime.now(UTC)) for store in (one, other) * 5]
            assert set(await asyncio.gather(*claims, *looks)) == {ClaimOutcome.UNPROVABLE}


@pytest.mark.parametrize("lease", LEASES, ids=["spent", "reserved"])
async def test_a_mark_that_nobody_took_back_is_no_use_either(valkey: RedisServer, lease: timedelta | None) -> None:
    """Its process was killed before it could, or is not allowed to."""
    async with RedisReplayStore(valkey.url) as killed, RedisReplayStore(valkey.url) as other:
        await valkey.send("FLUSHALL")
        await valkey.send("ACL", "SETUSER", "default", "-eval", "-evalsha")
        try:
            assert await claim(killed, "key", lease) is ClaimOutcome.UNPROVABLE
        finally:
            await valkey.send("ACL", "SETUSER", "default", "+eval", "+evalsha")
        assert await valkey.send("EXISTS", killed._keys.mark("key")[1]) == 1
        assert await claim(other, "key") is ClaimOutcome.UNPROVABLE
        assert await other.status("key", issued_at=datetime.now(UTC)) is ClaimStatus.UNPROVABLE
