"""One call, one deadline: whatever a call of the Redis store has to ask the server for, all of it ends in time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.redis.calls import Call
from mintkey.redis.link import Link
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)
LEASE = timedelta(minutes=1)
BUCKETS = Keys("mk").buckets
EPOCH = Keys("mk").mark("name")[0].epoch


@pytest.fixture
async def store(valkey: RedisServer) -> AsyncIterator[RedisReplayStore]:
    async with RedisReplayStore(valkey.url, clock=FakeClock(BEGIN)) as store:
        yield store


@pytest.fixture
def deadlines(store: RedisReplayStore, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those of everything that is sent from now on, in the time of the event loop."""
    found: list[float] = []
    answer = Link.answer

    async def noted(link: Link, bucket: int, call: Call, /) -> Call:
        answered = await answer(link, bucket, call)
        found.append(answered.deadline)
        return answered

    monkeypatch.setattr(Link, "answer", noted)
    return found


async def claim(
    store: RedisReplayStore, *, issued_at: datetime = BEGIN, lease: timedelta | None = None
) -> ClaimOutcome:
    return await store.claim("name", owner="me", issued_at=issued_at, expires_at=END, lease=lease)


async def test_a_claim_that_spends_what_its_owner_reserved(store: RedisReplayStore, deadlines: list[float]) -> None:
    await claim(store, lease=LEASE)
    deadlines.clear()
    assert await claim(store) is ClaimOutcome.ACCEPTED
    assert len(deadlines) >= 2  # the claim, and what turns a reservation into a spent mark
    assert len(set(deadlines)) == 1


async def test_a_claim_that_looks_first(valkey: RedisServer, store: RedisReplayStore, deadlines: list[float]) -> None:
    """As far as the store knows the token is too old; in fact the memory begins earlier than it knows."""
    valkey.command("SET", EPOCH, f"{(BEGIN - LEASE).timestamp():.0f}")
    assert await claim(store, issued_at=BEGIN - LEASE) is ClaimOutcome.ACCEPTED
    assert len(deadlines) == 2
    assert len(set(deadlines)) == 1


async def test_a_claim_that_meets_lost_memory(
    valkey: RedisServer, store: RedisReplayStore, deadlines: list[float]
) -> None:
    valkey.flush()
    assert await claim(store) is ClaimOutcome.UNPROVABLE
    assert len(deadlines) >= 2 + len(BUCKETS)  # the claim, taking it back, and beginning anew
    assert len(set(deadlines)) == 1


async def test_a_look_that_meets_lost_memory(
    valkey: RedisServer, store: RedisReplayStore, deadlines: list[float]
) -> None:
    valkey.flush()
    assert await store.status("name", issued_at=BEGIN) is ClaimStatus.UNPROVABLE
    assert len(deadlines) == 1 + len(BUCKETS)
    assert len(set(deadlines)) == 1


async def test_the_next_call_has_a_deadline_of_its_own(store: RedisReplayStore, deadlines: list[float]) -> None:
    for _ in range(2):
        assert await claim(store) is ClaimOutcome.ACCEPTED
    assert len(set(deadlines)) == len(deadlines)
