"""One call and one thing that goes wrong: what became of it, and that everybody was told the truth."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import anyio

from tests.faults.ground import Fate, Ground, Stores, attempt, opened, redis_stores, sql_stores
from tests.faults.matrix import allowed
from tests.faults.paths import PATHS
from tests.faults.wire import Mishap, Way
from tests.support.postgres import PostgresDatabase
from tests.support.servers import RedisServer

__all__ = ["LONG", "over_postgresql", "over_redis", "while_in_state"]

LONG = 30.0
_PATIENCE, _SHORT, _SOON = 2.0, 0.8, 2.0
_SQL_PATIENCE, _SQL_TOO_LATE = 4.0, 2.5  # whoever does not answer for half of it is given up
_AT_ONCE = 6
_SILENT = {Mishap.LOST, Mishap.TOO_LATE, Mishap.BLACK_HOLE}


async def over_redis(
    server: RedisServer, name: str, mishap: Mishap, *, shares: Sequence[float] = (0.5,), is_warm: bool = True
) -> list[Fate]:
    """What became of calls, each of which met a mishap at another one of its exchanges.

    Args:
        server: The server behind the way.
        name: Which call.
        mishap: What happens to an exchange.
        shares: Which parts of it arrive, one call each, of those that are cut.
        is_warm: The stores were used before; else opening everything is part of the call.
    """
    patience = _SHORT if mishap is Mishap.BLACK_HOLE else _PATIENCE
    sure = redis_stores(server.url, LONG)

    def connect(way: Way) -> Stores:
        return redis_stores(f"redis://127.0.0.1:{way.port}", patience)

    async with opened(sure):
        path, once = PATHS["redis"][name], Ground(sure, sure)
        await path.before(once)
        await path.call(once)  # the server knows its script by now
        plays = [_Play("redis", name, server.port, mishap, share, is_warm=is_warm) for share in shares]
        return [fate for play in plays for fate in await play.every(connect, sure)]


async def over_postgresql(database: PostgresDatabase, name: str, mishap: Mishap) -> list[Fate]:
    """As `over_redis`, of calls to a database that was used before.

    What we send to Redis has markers, and bears an answer that comes twice; the protocol of PostgreSQL has none. TCP
    doubles nothing, and asyncpg hangs up where something else did.
    """
    patience = _SOON if mishap is Mishap.BLACK_HOLE else _SQL_PATIENCE if mishap in _SILENT else LONG
    sure = sql_stores(database.url, LONG)
    async with opened(sure):
        play = _Play("postgresql", name, database.server.port, mishap)
        if mishap is Mishap.DOUBLED:
            _expect_complaint("protocol.data_received() call failed")
        return await play.every(lambda way: sql_stores(database.url_at(way.port), patience), sure)


@dataclass(frozen=True, slots=True)
class _Play:
    backend: str
    name: str
    port: int
    mishap: Mishap
    share: float = 0.5
    is_warm: bool = True

    async def every(self, connect: Callable[[Way], Stores], sure: Stores) -> list[Fate]:
        """The fates of calls of which the first, the second, … exchange goes wrong, until they have no more."""
        fates: list[Fate | None] = []
        while None not in fates:
            # Those who wait for answers that never come do so beside one another.
            plays = range(len(fates), len(fates) + (_AT_ONCE if self.mishap in _SILENT else 1))
            fates += await asyncio.gather(*(self._at(exchange, connect, sure) for exchange in plays))
        return [fate for fate in fates if fate is not None]

    async def _at(self, exchange: int, connect: Callable[[Way], Stores], sure: Stores) -> Fate | None:
        path = PATHS[self.backend][self.name]
        delay = {"too_late": _SQL_TOO_LATE} if self.backend == "postgresql" else {}
        async with Way(self.port, **delay) as way, opened(tried := connect(way)):
            ground = Ground(tried, sure)
            await path.before(ground)
            if self.is_warm:
                await _warm(path.kind, ground)
            way.arm(self.mishap, after=exchange, share=self.share)
            fate, answer = await attempt(path.call(ground))
            has_struck = way.has_struck
            way.heal()
            may_be = allowed(self.backend, self.name, self.mishap) if has_struck else frozenset[Fate]()
            if not (has_struck and self.is_warm):
                may_be |= {Fate.DONE}  # of what comes before the call, everything is done again
            assert fate in may_be, f"exchange {exchange}: {fate}: {answer!r}"
            await path.after(ground, fate, answer)
        return fate if has_struck else None


def _expect_complaint(message: str) -> None:
    """Take it for no failure that the event loop has something to say from now on."""
    loop = asyncio.get_running_loop()
    handle = loop.get_exception_handler()

    def pass_on(loop: asyncio.AbstractEventLoop, complaint: dict[str, Any]) -> None:
        if message in complaint["message"]:
            return
        if handle is None:
            loop.default_exception_handler(complaint)
        else:
            handle(loop, complaint)

    loop.set_exception_handler(pass_on)


async def while_in_state(
    backend: str,
    connect: Callable[[float], Stores],
    name: str,
    state: AbstractContextManager[object],
    may_be: frozenset[Fate],
    *,
    patience: float,
) -> Fate:
    """What became of a call to a server that is not itself; then all is well again, and the same stores go on.

    Args:
        backend: Whose.
        connect: Makes stores with so much patience.
        name: Which call.
        state: A block for as long as which the server is in that state.
        may_be: What may become of the call.
        patience: Seconds that it is worth waiting.
    """
    path = PATHS[backend][name]
    tried, sure = connect(LONG if may_be == {Fate.DONE} else patience), connect(LONG)
    async with opened(tried, sure):
        ground = Ground(tried, sure)
        await path.before(ground)
        await _warm(path.kind, ground)
        await anyio.to_thread.run_sync(state.__enter__)
        fate, answer = await attempt(path.call(ground))
        await anyio.to_thread.run_sync(state.__exit__, None, None, None)
        assert fate in may_be, f"{fate}: {answer!r}"
        await path.after(ground, fate, answer)
        await _warm(path.kind, ground)
    return fate


async def _warm(kind: str, ground: Ground) -> None:
    """Use the store, however slow the machine is."""
    while (await attempt(ground.tried.warm(kind, ground.name)))[0] is not Fate.DONE:
        pass
