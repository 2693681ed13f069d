"""Harnesses that bind `ReplayStoreContract` to our own stores."""

from datetime import timedelta

import anyio.to_thread

from mintkey.replay.memory import MemoryReplayStore
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.replay.revocation_cache import RevocationCache
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.polling import PATIENCE
from tests.support.redis_ring_harness import RedisServers


class MemoryReplayHarness(ReplayStoreHarness):
    """The memory dies with the store: another store is another memory."""

    memory_is_shared = False

    def __init__(self) -> None:
        super().__init__()
        self._stores: dict[bool, MemoryReplayStore] = {}

    async def __aexit__(self, *exc_info: object) -> None:
        for store in self._stores.values():
            await store.aclose()

    async def store(self, *, fence: bool = True) -> MemoryReplayStore:
        return self._stores.setdefault(fence, MemoryReplayStore(clock=self.clock, fence=fence))

    async def lose_memory(self) -> None:
        self._stores.clear()


class CachedReplayHarness(ReplayStoreHarness):
    """A cache of revocation answers before a store in memory."""

    memory_is_shared = False

    def __init__(self) -> None:
        super().__init__()
        self._inside = MemoryReplayHarness()
        self.clock = self._inside.clock

    async def __aexit__(self, *exc_info: object) -> None:
        await self._inside.__aexit__(*exc_info)

    async def store(self, *, fence: bool = True) -> RevocationCache:
        return RevocationCache(await self._inside.store(fence=fence), clock=self.clock)

    async def lose_memory(self) -> None:
        await self._inside.lose_memory()


class RedisReplayHarness(ReplayStoreHarness):
    """Stores on real servers, whose clocks nobody moves."""

    time_is_real = True

    def __init__(self, servers: RedisServers) -> None:
        super().__init__()
        self._servers = servers
        self._stores: list[RedisReplayStore] = []

    async def __aexit__(self, *exc_info: object) -> None:
        for store in self._stores:
            await store.aclose()

    async def store(self, *, fence: bool = True) -> RedisReplayStore:
        self._stores.append(RedisReplayStore(self._servers.url, clock=self.clock, fence=fence, timeout=PATIENCE))
        return self._stores[-1]

    async def lose_memory(self) -> None:
        await anyio.to_thread.run_sync(self._servers.flush)

    async def life_left(self, key: str, /) -> timedelta | None:
        _, name = Keys("mk").mark(key)
        left = await anyio.to_thread.run_sync(self._servers.life_of, name)
        return None if left < 0 else timedelta(milliseconds=left)
