"""The SQL backends for the contract suites: one database, a new store or provider on it each time."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.clock import Clock
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.sealing import Sealer
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.schema import CUT_OFFS, FAMILIES, MARKS, RINGS
from mintkey.testing.contracts.providers import ContractProvider
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.polling import PATIENCE
from tests.support.postgres import PostgresDatabase

__all__ = ["SQLReplayHarness", "engine_of", "engine_on", "postgresql", "postgresql_engine", "sqlite", "sqlite_engine"]


class _Closable(Protocol):
    def aclose(self) -> Awaitable[None]: ...


C = TypeVar("C", bound=_Closable)


@dataclass
class SQLHarness:
    """What the processes of a fleet share: a database."""

    database: AsyncEngine | str
    engine: AsyncEngine
    stack: AsyncExitStack
    sealer: Sealer = field(default_factory=lambda: Sealer([Sealer.generate_key()]))

    def store(self) -> KeyRingStore:
        return self._closed_at_the_end(SQLKeyRingStore(self.database, timeout=PATIENCE))

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        from mintkey.keys.sql import SQLKeyProvider

        return self._closed_at_the_end(SQLKeyProvider(self.database, clock=clock, policy=policy, sealer=self.sealer))

    async def lose_ring(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(delete(RINGS))

    def _closed_at_the_end(self, closable: C) -> C:
        self.stack.push_async_callback(closable.aclose)
        return closable


def engine_of(path: Path) -> AsyncEngine:
    """An engine as an application has one."""
    return create_async_engine(f"sqlite+aiosqlite:///{path}")


def engine_on(database: PostgresDatabase, *, port: int | None = None) -> AsyncEngine:
    """An engine as an application has one, on PostgreSQL, perhaps by way of a proxy at a port."""
    url = database.url if port is None else database.url_at(port)
    return create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))


@asynccontextmanager
async def sqlite(directory: Path) -> AsyncIterator[SQLHarness]:
    path = directory / "mintkey.db"
    async with AsyncExitStack() as stack:
        engine = engine_of(path)
        stack.push_async_callback(engine.dispose)
        yield SQLHarness(f"sqlite:///{path}", engine, stack)


@asynccontextmanager
async def sqlite_engine(directory: Path) -> AsyncIterator[SQLHarness]:
    async with AsyncExitStack() as stack:
        engine = engine_of(directory / "app.db")
        stack.push_async_callback(engine.dispose)
        yield SQLHarness(engine, engine, stack)


@asynccontextmanager
async def postgresql(database: PostgresDatabase) -> AsyncIterator[SQLHarness]:
    async with AsyncExitStack() as stack:
        engine = engine_on(database)
        stack.push_async_callback(engine.dispose)
        yield SQLHarness(database.url, engine, stack)


@asynccontextmanager
async def postgresql_engine(database: PostgresDatabase) -> AsyncIterator[SQLHarness]:
    async with AsyncExitStack() as stack:
        engine = engine_on(database)
        stack.push_async_callback(engine.dispose)
        yield SQLHarness(engine, engine, stack)


class SQLReplayHarness(ReplayStoreHarness):
    """Stores on one database: by URL, or on an engine of the application."""

    def __init__(self, place: Path | PostgresDatabase, *, is_foreign: bool) -> None:
        super().__init__()
        if isinstance(place, PostgresDatabase):
            self._engine, url = engine_on(place), place.url
        else:
            self._engine, url = engine_of(place), f"sqlite:///{place}"
        self._database = self._engine if is_foreign else url
        self._stores: list[SQLReplayStore] = []

    async def __aexit__(self, *exc_info: object) -> None:
        for store in self._stores:
            await store.aclose()
        await self._engine.dispose()

    async def store(self, *, fence: bool = True) -> SQLReplayStore:
        self._stores.append(SQLReplayStore(self._database, clock=self.clock, fence=fence, timeout=PATIENCE))
        return self._stores[-1]

    async def lose_memory(self) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(MARKS))
            await connection.execute(delete(CUT_OFFS))
            await connection.execute(delete(FAMILIES))
