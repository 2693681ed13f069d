"""The cache of "not revoked" between threads, and when it is full."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from blockbuster import BlockBuster

from mintkey.replay import revocation_cache
from mintkey.replay.base import ClaimStatus, Look
from mintkey.replay.memory import MemoryReplayStore
from mintkey.replay.revocation_cache import RevocationCache
from mintkey.testing.clock import FakeClock


class CountedStore(MemoryReplayStore):
    looks = 0

    async def look(self, key, cut_off, /, *, issued_at):
        self.looks += 1
        return await super().look(key, cut_off, issued_at=issued_at)


CLOCK = FakeClock()
LATER = CLOCK.now() + timedelta(hours=1)


async def forget(cache: RevocationCache) -> None:
    cache.forget()


# What another thread does, and whether the store, too, knows of it.
CHANGES: dict[str, tuple[Callable[[RevocationCache], Coroutine[Any, Any, None]], bool]] = {
    "revoke": (lambda cache: cache.revoke("token", expires_at=LATER), True),
    "forget": (forget, False),
}


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What happens between the look at what changed and the moment in which an answer is kept."""
    turns: list[Callable[[], None]] = []
    put = revocation_cache._Recent.put

    def interrupted_put(recent, name, entry, /):
        if turns:
            turns.pop()()
        put(recent, name, entry)

    monkeypatch.setattr(revocation_cache._Recent, "put", interrupted_put)
    return turns


@pytest.mark.parametrize("change", CHANGES)
async def test_what_another_thread_changes_while_an_answer_is_kept_is_not_hidden_by_it(
    between, change: str, no_blocking_calls: BlockBuster
) -> None:
    no_blocking_calls.deactivate()  # we do block, to see who waits
    store = CountedStore(clock=CLOCK)
    cache = RevocationCache(store, clock=CLOCK)
    act, is_revoked = CHANGES[change]
    other = threading.Thread(target=lambda: asyncio.run(act(cache)))

    def others_turn() -> None:
        other.start()
        other.join(0.1)  # it waits for the lock, or has been here

    between.append(others_turn)
    await cache.look("token", "subject", issued_at=CLOCK.now())
    await asyncio.to_thread(other.join)
    looks = store.looks
    found = await cache.look("token", "subject", issued_at=CLOCK.now())
    assert found == Look(ClaimStatus.REVOKED if is_revoked else ClaimStatus.UNUSED, None)
    assert store.looks == looks + 1, "nothing was kept of the answer from before"


async def test_a_full_cache_lets_the_oldest_go_and_keeps_the_others() -> None:
    store = CountedStore(clock=CLOCK)
    cache = RevocationCache(store, max_entries=2, clock=CLOCK)

    async def asks(name: str) -> bool:
        looks = store.looks
        await cache.look(name, "subject", issued_at=CLOCK.now())
        return store.looks > looks

    assert [await asks(name) for name in ("first", "second", "third")] == [True] * 3
    assert [await asks(name) for name in ("second", "third")] == [False] * 2
    assert await asks("first")
