"""The servers that fleets are soaked on, each behind a proxy, and what may befall them."""

import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync

from mintkey.testing import Fate, Fault, FaultyProxy
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.servers import RedisServer, running

__all__ = ["Befalls", "Ground", "postgres_ground", "redis_ground"]

Befalls = Callable[[float], AbstractAsyncContextManager[None]]
"""Something bad, for as long as the block lasts; told for how many seconds that will be."""


@dataclass
class Ground:
    """Where a fleet keeps keys and marks.

    Attributes:
        name: What it is called.
        url: By way of the proxy.
        proxy: What the fleet's packets pass through.
        faults: By name. Nothing is forgotten through any of them.
        losses: By name. The server forgets everything.
    """

    name: str
    url: str
    proxy: FaultyProxy
    faults: dict[str, Befalls] = field(default_factory=dict)
    losses: dict[str, Befalls] = field(default_factory=dict)


def _wire_faults(proxy: FaultyProxy) -> dict[str, Befalls]:
    dice = random.Random(proxy.port)  # noqa: S311 - not for secrets

    @asynccontextmanager
    async def cut(_: float) -> AsyncIterator[None]:
        proxy.cut()
        yield

    @asynccontextmanager
    async def refuse(_: float) -> AsyncIterator[None]:
        proxy.refuse = True
        proxy.cut()
        try:
            yield
        finally:
            proxy.refuse = False

    @asynccontextmanager
    async def swallow(_: float) -> AsyncIterator[None]:
        proxy.black_hole = True
        try:
            yield
        finally:
            # TCP loses connections, but nothing out of their middle.
            proxy.cut()
            proxy.black_hole = False

    @asynccontextmanager
    async def script(_: float, *, fate: Fate) -> AsyncIterator[None]:
        for _number in range(12):
            proxy.script(Fault(fate, skip=dice.randrange(3, 30), delay=dice.uniform(0.1, 1.5)))
        proxy.cut()
        yield

    scripted = (Fate.LOSE, Fate.SWALLOW, Fate.DELAY, Fate.TRUNCATE, Fate.REFUSE)
    return {
        "connections cut": cut,
        "connections refused": refuse,
        "black hole": swallow,
        **{f"replies: {fate.name.lower()}": partial(script, fate=fate) for fate in scripted},
    }


def _while(begin: Callable[[], object], end: Callable[[], object]) -> Befalls:
    """Both are blocking; the end comes whatever happens."""

    @asynccontextmanager
    async def befalls(_: float) -> AsyncIterator[None]:
        await run_sync(begin)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(end)

    return befalls


def _at_once(act: Callable[[], object]) -> Befalls:
    return _while(act, lambda: None)


@asynccontextmanager
async def redis_ground() -> AsyncIterator[Ground]:
    """A Valkey server that writes down everything before it answers: what it loses, we took from it."""
    async with AsyncExitStack() as stack:
        kept = Path(await run_sync(stack.enter_context, _directory()))
        options = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(kept))
        server: RedisServer = await run_sync(stack.enter_context, running("valkey", *options))
        proxy = await stack.enter_async_context(FaultyProxy("127.0.0.1", server.port))
        send: Callable[..., Callable[[], Any]] = lambda *words: partial(server.command, *words)  # noqa: E731

        def start() -> None:
            port = server.port
            server.start()
            assert server.port == port

        def wipe() -> None:
            server.kill()
            for path in kept.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()

        @asynccontextmanager
        async def pause(seconds: float) -> AsyncIterator[None]:
            await run_sync(send("CLIENT", "PAUSE", str(int(seconds * 1000)), "WRITE"))
            yield

        faults = {
            "server frozen": _while(server.freeze, server.thaw),
            "server killed": _while(server.kill, start),
            "clients killed": _at_once(send("CLIENT", "KILL", "TYPE", "normal")),
            "scripts forgotten": _at_once(send("SCRIPT", "FLUSH")),
            "writes paused": pause,
            "out of memory": _while(send("CONFIG", "SET", "maxmemory", "1"), send("CONFIG", "SET", "maxmemory", "0")),
            "no replicas": _while(
                send("CONFIG", "SET", "min-replicas-to-write", "1"), send("CONFIG", "SET", "min-replicas-to-write", "0")
            ),
            "read-only": _while(send("REPLICAOF", "127.0.0.1", "1"), send("REPLICAOF", "NO", "ONE")),
        }
        losses = {"flushed": _at_once(server.flush), "wiped": _while(wipe, start)}
        url = f"redis://127.0.0.1:{proxy.port}/0"
        yield Ground("redis", url, proxy, {**_wire_faults(proxy), **faults}, losses)


@asynccontextmanager
async def postgres_ground() -> AsyncIterator[Ground]:
    """A PostgreSQL server."""
    async with AsyncExitStack() as stack:
        server: PostgresServer = await run_sync(stack.enter_context, running_postgres())
        name = await run_sync(server.create)
        proxy = await stack.enter_async_context(FaultyProxy("127.0.0.1", server.port))
        dice = random.Random(proxy.port)  # noqa: S311 - not for secrets
        sql: Callable[[str], Callable[[], Any]] = lambda text: partial(server.sql, text, name)  # noqa: E731

        def set_to(value: str) -> None:
            server.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            server.sql("SELECT pg_reload_conf()")

        @asynccontextmanager
        async def lock(seconds: float) -> AsyncIterator[None]:
            # One, and not all: two that wait for each other's tables would be told so, and we might be the one.
            table = dice.choice(await server.send(_TABLES, name))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run_sync, sql(f"BEGIN; LOCK TABLE {table}; SELECT pg_sleep({seconds}); COMMIT"))
                yield

        faults = {
            "server frozen": _while(server.freeze, server.thaw),
            "server killed": _while(server.kill, server.restart),
            "backends ended": _at_once(
                sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            ),
            "read-only": _while(partial(set_to, "on"), partial(set_to, "off")),
            "table locked": lock,
        }
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}"
        yield Ground("postgresql", url, proxy, {**_wire_faults(proxy), **faults})


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def _directory():
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="mintkey-soak-", ignore_cleanup_errors=True)
