"""Real processes on one real server: every token is spent once."""

import asyncio
import multiprocessing
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier

from mintkey.ids import new_id
from mintkey.replay.redis import RedisReplayStore
from tests.support.servers import RedisServer

PROCESSES = 8
KEYS = 50


def test_of_eight_processes_one_wins_each_of_fifty_keys(valkey: RedisServer) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(PROCESSES), context.Queue()
    processes = [context.Process(target=_spend_all, args=(valkey.url, barrier, queue)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    outcomes: list[list[str]] = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for of_one_key in zip(*outcomes, strict=True):
        assert sorted(of_one_key) == ["accepted"] + ["spent"] * (PROCESSES - 1)


def _spend_all(url: str, barrier: "Barrier", queue: "multiprocessing.Queue[list[str]]") -> None:
    queue.put(asyncio.run(_spend(url, barrier)))


async def _spend(url: str, barrier: "Barrier") -> list[str]:
    async with RedisReplayStore(url, timeout=timedelta(seconds=20)) as store:
        barrier.wait(60)
        now = datetime.now(UTC)
        issued_at, expires_at = now + timedelta(seconds=30), now + timedelta(minutes=5)
        claims = [
            store.claim(f"key {index}", owner=new_id(), issued_at=issued_at, expires_at=expires_at)
            for index in range(KEYS)
        ]
        return [outcome.value for outcome in await asyncio.gather(*claims)]
