"""Every path to a server goes through its one coalescer: what is asked in one turn of the loop is one write."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.ids import new_id
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.redis.buckets import Buckets
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.protocol import pack
from mintkey.redis.rings import RESERVE
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.testing.proxy import FaultyProxy
from tests.support.servers import RedisServer

LATER = datetime(2100, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def proxy(valkey: RedisServer) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


async def test_everything_a_replay_store_does_in_one_turn_is_one_write(proxy: FaultyProxy) -> None:
    """Claims, reservations, commits, releases, revocations, look-ups, families, and the beginning of memory."""
    expires_at, owner, taken = datetime.now(UTC) + MINUTE, new_id(), new_id()

    def all_of_it(store: RedisReplayStore, turn: int) -> "asyncio.Future[list[object]]":
        return asyncio.gather(
            store.claim(f"claimed {turn}", owner=owner, issued_at=LATER, expires_at=expires_at),
            store.claim(f"reserved {turn}", owner=owner, issued_at=LATER, expires_at=expires_at, lease=MINUTE),
            store.claim(taken, owner=new_id(), issued_at=LATER, expires_at=expires_at),
            store.commit(f"committed {turn}", owner=owner, expires_at=expires_at),
            store.release(f"released {turn}", owner=owner),
            store.revoke(f"revoked {turn}", expires_at=expires_at),
            store.status(f"looked at {turn}", issued_at=LATER),
            store.cut_off("subject", before=LATER, expires_at=expires_at),
            store.cut_off_before("another subject"),
            store.family(f"family {turn}", issued_at=LATER),
            store.swap_family(f"new family {turn}", expected=None, document=b"{}", expires_at=expires_at),
        )

    async with RedisReplayStore(f"redis://127.0.0.1:{proxy.port}") as store:
        await store.claim(taken, owner=new_id(), issued_at=LATER, expires_at=expires_at)
        await all_of_it(store, 1)  # teaches the server our scripts
        writes = proxy.requests
        claimed, reserved, refused, committed, released, _, status, *_ = await all_of_it(store, 2)
        assert proxy.requests == writes + 1
        assert (claimed, reserved, refused) == (ClaimOutcome.ACCEPTED, ClaimOutcome.ACCEPTED, ClaimOutcome.SPENT)
        assert (committed, released, status) == (True, False, ClaimStatus.UNUSED)


async def test_what_one_client_asks_for_rings_and_for_marks_is_one_write_too(proxy: FaultyProxy) -> None:
    client = Client(f"redis://127.0.0.1:{proxy.port}", prefix="mk", timeout=MINUTE, replicas=0)
    (mark_bucket, mark), (bucket, ring) = Buckets("mk").key("mark", b""), Buckets("mk").key("ring", b"#")
    await client.run(RESERVE, bucket, ring, "kid", 5, 10)
    writes = proxy.requests
    await asyncio.gather(
        client.send(mark_bucket, Call(pack("SET", mark, b"x", "NX"), 1)),
        client.send(mark_bucket, Call(pack("GET", mark), 1, mark_bucket.epoch)),
        client.run(RESERVE, bucket, ring, "kid", 5, 10),
    )
    assert proxy.requests == writes + 1
    await client.aclose()


async def test_all_that_a_ring_store_does_in_one_turn_is_one_write(proxy: FaultyProxy) -> None:
    async with RedisKeyRingStore(f"redis://127.0.0.1:{proxy.port}") as store:
        await store.compare_and_swap("ring", expected=0, document=b"{}")
        await store.reserve("ring", "kid", want=1, limit=10)
        writes = proxy.requests
        stored, granted, more = await asyncio.gather(
            store.load("ring"),
            store.reserve("ring", "kid", want=2, limit=10),
            store.reserve("ring", "other", want=3, limit=10),
        )
        assert proxy.requests == writes + 1
        assert stored is not None
        assert (granted, more) == (2, 3)
