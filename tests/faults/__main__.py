"""Plays every call with everything that can go wrong, and prints what became of it: `python -m tests.faults`."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from tests.faults import postgresql_states, redis_states
from tests.faults.ground import Fate, redis_stores, sql_stores
from tests.faults.paths import PATHS
from tests.faults.plays import LONG, over_postgresql, over_redis, while_in_state
from tests.faults.wire import Mishap
from tests.support.postgres import PostgresDatabase, running_postgres
from tests.support.servers import RedisServer, running

Play = Callable[[str], Awaitable[list[Fate]]]


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words).rstrip() + "\n")
    sys.stdout.flush()


def _on_the_way_to_redis(server: RedisServer, mishap: Mishap) -> Play:
    async def play(name: str) -> list[Fate]:
        return await over_redis(server, name, mishap)

    return play


def _on_the_way_to_postgresql(database: PostgresDatabase, mishap: Mishap) -> Play:
    async def play(name: str) -> list[Fate]:
        return await over_postgresql(database, name, mishap)

    return play


def _redis_is(server: RedisServer, state: str) -> Play:
    async def play(name: str) -> list[Fate]:
        being_so, may_be = redis_states.STATES[state]
        connect = partial(redis_stores, server.url)
        patience = 0.4 if state in redis_states.WAITED_OUT else LONG
        return [await while_in_state("redis", connect, name, being_so(server), may_be, patience=patience)]

    return play


def _postgresql_is(database: PostgresDatabase, state: str) -> Play:
    async def play(name: str) -> list[Fate]:
        being_so, may_be = postgresql_states.STATES[state]
        connect = partial(sql_stores, database.url)
        patience = 0.7 if state in postgresql_states.WAITED_OUT else LONG
        return [await while_in_state("postgresql", connect, name, being_so(database), may_be, patience=patience)]

    return play


async def _print(backend: str, plays: Iterable[tuple[str, Play]]) -> None:
    """One line a fault, one column a call."""
    names, seen = list(PATHS[backend]), Counter[Fate]()
    widths = [max(len(name), 20) for name in names]
    _say(f"\n{backend:18}", *(f"{name:{width}}" for name, width in zip(names, widths, strict=True)))
    for fault, play in plays:
        cells: list[str] = []
        for name in names:
            fates = Counter(await play(name))
            seen += fates
            cells.append(" ".join(f"{count} {fate}" for fate, count in sorted(fates.items())))
        _say(f"{fault:18}", *(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)))
    _say(f"{seen.total()} calls:", ", ".join(f"{count} {fate}" for fate, count in seen.items()))


async def _main() -> None:
    with running("valkey", *redis_states.keeping) as server:
        plays = [(str(mishap), _on_the_way_to_redis(server, mishap)) for mishap in Mishap]
        plays += [(state, _redis_is(server, state)) for state in redis_states.STATES]
        await _print("redis", plays)
    with running_postgres() as postgres:
        database = PostgresDatabase(postgres, postgres.create())
        plays = [(str(mishap), _on_the_way_to_postgresql(database, mishap)) for mishap in Mishap]
        plays += [(state, _postgresql_is(database, state)) for state in postgresql_states.STATES]
        await _print("postgresql", plays)


if __name__ == "__main__":
    asyncio.run(_main())
