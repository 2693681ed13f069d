"""The Redis ring for the contract suites: a new store or provider on the same servers each time."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import anyio.to_thread

from mintkey.clock import Clock
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.redis import RedisKeyProvider
from mintkey.keys.sealing import Sealer
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.testing.contracts.providers import ContractProvider
from tests.support.polling import PATIENCE

__all__ = ["RedisServers", "redis_ring"]


class _Closable(Protocol):
    def aclose(self) -> Awaitable[None]: ...


C = TypeVar("C", bound=_Closable)


class RedisServers(Protocol):
    """A lone server, or several behind one URL."""

    @property
    def url(self) -> str: ...

    def flush(self) -> None: ...

    def life_of(self, key: bytes) -> int: ...


@dataclass
class RedisRingHarness:
    """What the processes of a fleet share: the servers."""

    servers: RedisServers
    stack: AsyncExitStack
    sealer: Sealer = field(default_factory=lambda: Sealer([Sealer.generate_key()]))

    def store(self) -> KeyRingStore:
        return self._closed_at_the_end(RedisKeyRingStore(self.servers.url, timeout=PATIENCE))

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        provider = RedisKeyProvider(self.servers.url, clock=clock, policy=policy, sealer=self.sealer)
        return self._closed_at_the_end(provider)

    async def lose_ring(self) -> None:
        await anyio.to_thread.run_sync(self.servers.flush)

    def _closed_at_the_end(self, closable: C) -> C:
        self.stack.push_async_callback(closable.aclose)
        return closable


@asynccontextmanager
async def redis_ring(servers: RedisServers) -> AsyncIterator[RedisRingHarness]:
    async with AsyncExitStack() as stack:
        yield RedisRingHarness(servers, stack)
