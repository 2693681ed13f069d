"""How long a Redis server keeps what it was told: in milliseconds, as long as was asked for, and never longer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.replay.marks import SKEW
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=60)
LIFE = timedelta(seconds=1000)
END = NOW + LIFE
A_MOMENT = timedelta(seconds=60)
"""So much may go by on the server until it is asked; seconds taken for milliseconds are a thousand times as many."""

KEYS = Keys("mk")


@pytest.fixture
async def store(valkey: RedisServer) -> AsyncIterator[RedisReplayStore]:
    store = RedisReplayStore(valkey.url, clock=FakeClock(NOW))
    yield store
    await store.aclose()


async def spend(store: RedisReplayStore) -> None:
    await store.claim("name", owner="me", issued_at=NOW, expires_at=END)


async def reserve(store: RedisReplayStore) -> None:
    await store.claim("name", owner="me", issued_at=NOW, expires_at=END, lease=LEASE)


async def commit(store: RedisReplayStore) -> None:
    await reserve(store)
    assert await store.commit("name", owner="me", expires_at=END)


async def spend_what_was_reserved(store: RedisReplayStore) -> None:
    await reserve(store)
    await spend(store)


async def revoke(store: RedisReplayStore) -> None:
    await store.revoke("name", expires_at=END)


async def revoke_what_lives_longer(store: RedisReplayStore) -> None:
    await spend(store)
    await store.revoke("name", expires_at=NOW + LEASE)


async def cut_off(store: RedisReplayStore) -> None:
    await store.cut_off("name", before=NOW, expires_at=END)


async def swap(store: RedisReplayStore) -> None:
    assert await store.swap_family("name", expected=None, document=b"new", expires_at=END)


MARK, CUT_OFF, FAMILY = (make("name")[1] for make in (KEYS.mark, KEYS.cut_off, KEYS.family))
CALLS: dict[str, tuple[Callable[[RedisReplayStore], Awaitable[None]], bytes, timedelta]] = {
    "spent": (spend, MARK, LIFE + SKEW),
    "reserved": (reserve, MARK, LEASE),
    "committed": (commit, MARK, LIFE + SKEW),
    "reserved, then spent": (spend_what_was_reserved, MARK, LIFE + SKEW),
    "revoked": (revoke, MARK, LIFE + SKEW),
    "spent, then revoked": (revoke_what_lives_longer, MARK, LIFE + SKEW),
    "cut off": (cut_off, CUT_OFF, LIFE + SKEW),
    "swapped": (swap, FAMILY, LIFE + SKEW),
}


@pytest.mark.parametrize("call", CALLS)
async def test_what_is_remembered_lives_as_long_as_was_asked_for(
    valkey: RedisServer, store: RedisReplayStore, call: str
) -> None:
    act, key, life = CALLS[call]
    await act(store)
    left = valkey.command("PTTL", key)
    assert isinstance(left, int)
    assert life - A_MOMENT < timedelta(milliseconds=left) <= life
