"""The Redis store around the moment in which a server lost its memory, or before anybody opened the store."""

from datetime import UTC, datetime, timedelta

import pytest

from mintkey.redis.calls import Call
from mintkey.redis.link import Link
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

OLD = datetime(2000, 1, 1, tzinfo=UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)
MARK = Keys("mk").mark("name")[1]
EPOCH = Keys("mk").mark("name")[0].epoch


async def claim(store: RedisReplayStore, *, issued_at: datetime = BEGIN) -> ClaimOutcome:
    return await store.claim("name", owner="me", issued_at=issued_at, expires_at=END)


async def test_what_cannot_be_taken_back_is_refused_all_the_same(own_valkey: RedisServer) -> None:
    """And who has written the mark can be told from it: its tag is not that of the memory that begins then."""
    async with RedisReplayStore(own_valkey.url, clock=FakeClock(BEGIN)) as store:
        own_valkey.flush()
        own_valkey.command("ACL", "SETUSER", "default", "-eval", "-evalsha")
        assert await claim(store) is ClaimOutcome.UNPROVABLE


async def test_a_mark_that_was_there_before_is_not_taken_back(valkey: RedisServer) -> None:
    """The owner asks again, and only the beginning of memory is lost: what he spent stays spent."""
    async with RedisReplayStore(valkey.url, clock=FakeClock(BEGIN)) as store:
        assert await claim(store) is ClaimOutcome.ACCEPTED
        valkey.command("DEL", EPOCH)
        assert await claim(store) is ClaimOutcome.UNPROVABLE
    assert valkey.command("EXISTS", MARK) == 1


async def test_what_a_store_spends_before_it_was_opened_proves_the_use_of_an_old_token_too(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url, clock=FakeClock(BEGIN)) as other:
        store = RedisReplayStore(valkey.url, clock=FakeClock(BEGIN))
        assert await store.commit("name", owner="me", expires_at=END)
        assert await other.status("name", issued_at=OLD) is ClaimStatus.SPENT
        await store.aclose()


async def test_without_a_fence_a_claim_is_one_round_trip_however_old_the_token_is(
    valkey: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Call] = []
    answer = Link.answer

    async def noted(link: Link, bucket: int, call: Call, /) -> Call:
        sent.append(call)
        return await answer(link, bucket, call)

    async with RedisReplayStore(valkey.url, fence=False) as store:
        monkeypatch.setattr(Link, "answer", noted)
        assert await claim(store, issued_at=OLD) is ClaimOutcome.ACCEPTED
    assert len(sent) == 1


async def test_without_a_fence_the_server_is_looked_at_all_the_same(valkey: RedisServer) -> None:
    """Nobody entered the store, so its first claim looks whether the server evicts marks."""
    valkey.command("CONFIG", "RESETSTAT")
    store = RedisReplayStore(valkey.url, fence=False)
    assert await claim(store) is ClaimOutcome.ACCEPTED
    assert "cmdstat_info" in await valkey.send("INFO", "commandstats")
    await store.aclose()


@pytest.mark.parametrize("ask", ["look", "claim"])
async def test_a_mark_proves_nothing_where_the_beginning_of_its_memory_is_gone(valkey: RedisServer, ask: str) -> None:
    async with RedisReplayStore(valkey.url, clock=FakeClock(BEGIN)) as store:
        await store.claim("name", owner="another", issued_at=BEGIN, expires_at=END)
        valkey.command("DEL", EPOCH)
        if ask == "look":
            assert await store.status("name", issued_at=BEGIN) is ClaimStatus.UNPROVABLE
        else:
            assert await claim(store) is ClaimOutcome.UNPROVABLE
