"""One store and several event loops: one after the other without a farewell, and two at once in threads."""

import asyncio
import gc
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mintkey.errors import ConfigurationError
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from tests.faults.ground import Fate, Ground, Stores, attempt, redis_stores, sql_stores
from tests.faults.paths import PATHS
from tests.support.postgres import PostgresDatabase
from tests.support.servers import RedisServer

PATIENCE = 20.0


@pytest.fixture(params=["redis", "sqlite", "postgresql"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Stores]:
    """Makes the stores of a process, on one server or file."""
    match request.param:
        case "redis":
            server: RedisServer = request.getfixturevalue("valkey")
            return lambda: redis_stores(server.url, PATIENCE)
        case "sqlite":
            return lambda: sql_stores(f"sqlite:///{tmp_path / 'marks.db'}", PATIENCE)
        case _:
            database: PostgresDatabase = request.getfixturevalue("postgres")
            return lambda: sql_stores(database.url, PATIENCE)


def backend_of(stores: Stores) -> str:
    return "sqlite" if stores.bus is None else "redis"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_one_loop_after_the_other_without_a_farewell(connect: Callable[[], Stores]) -> None:
    """As scripts do that call `asyncio.run` again and again."""
    stores, sure = connect(), connect()
    paths = PATHS[backend_of(stores)]

    async def use(name: str) -> tuple[Fate, object]:
        ground = Ground(stores, sure)
        await paths[name].before(ground)
        fate, answer = await attempt(paths[name].call(ground))
        await paths[name].after(ground, fate, answer)
        await sure.aclose()
        return fate, answer

    async def end() -> None:
        await stores.aclose()

    for name in paths:
        fate, answer = asyncio.run(use(name))
        assert fate is Fate.DONE, f"{name}: {answer!r}"
    asyncio.run(end())
    gc.collect()  # here, where nobody minds that connections were left open


def in_threads(*work: Callable[[], Awaitable[None]]) -> None:
    """Each in an event loop of its own, at once."""
    failed: list[BaseException] = []

    async def do(one: Callable[[], Awaitable[None]]) -> None:
        together.wait()
        await one()

    def run(one: Callable[[], Awaitable[None]]) -> None:
        try:
            asyncio.run(do(one))
        except BaseException as error:  # noqa: BLE001 - a thread's exception is nobody's
            failed.append(error)

    together = threading.Barrier(len(work))
    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def test_two_loops_at_once_have_one_winner(connect: Callable[[], Stores]) -> None:
    """And whoever closes in one of them disturbs nobody in the other."""
    stores = connect()
    grounds = [Ground(stores, stores) for _ in range(20)]
    outcomes: Counter[str] = Counter()
    names: Counter[tuple[str, object]] = Counter()

    async def claim_all() -> None:
        for ground in grounds:
            mine = Ground(stores, stores, ground.name)
            fate, answer = await attempt(PATHS["sqlite"]["claim"].call(mine))
            assert fate is Fate.DONE, repr(answer)
            outcomes[str(answer)] += 1
            names[ground.name, answer] += 1
        await stores.aclose()

    in_threads(claim_all, claim_all, claim_all)
    assert outcomes == {"accepted": 20, "spent": 40}
    assert all(names[ground.name, ClaimOutcome.ACCEPTED] == 1 for ground in grounds)


def test_a_database_in_memory_belongs_to_one_loop() -> None:
    """A second one would have marks of its own, and spend every token once more."""
    store, claimed, refused = SQLReplayStore("sqlite://"), threading.Event(), threading.Event()
    stores = Stores(store, sql_stores("sqlite://", PATIENCE).rings)
    name = Ground(stores, stores).name

    async def have() -> None:
        assert await attempt(PATHS["sqlite"]["claim"].call(Ground(stores, stores, name))) == (Fate.DONE, "accepted")
        claimed.set()
        await asyncio.to_thread(refused.wait)

    async def want() -> None:
        try:
            await asyncio.to_thread(claimed.wait)
            with pytest.raises(ConfigurationError, match="belongs to one event loop"):
                await PATHS["sqlite"]["claim"].call(Ground(stores, stores, name))
            await store.aclose()  # what is not ours stays open
        finally:
            refused.set()

    async def have_later() -> None:
        assert await attempt(PATHS["sqlite"]["claim"].call(Ground(stores, stores, name))) == (Fate.DONE, "spent")
        await stores.aclose()

    in_threads(have, want)
    asyncio.run(have_later())
