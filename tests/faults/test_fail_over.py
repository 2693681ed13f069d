"""A replica takes over: whatever was answered is known there, and whatever it has not heard of was never granted."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.faults.ground import Fate, Ground, Stores, attempt, opened, redis_stores
from tests.faults.matrix import cells
from tests.faults.paths import PATHS
from tests.faults.wire import Way
from tests.support.redis_groups import wait_until
from tests.support.servers import RedisServer, running

PATIENCE, LONG = 1.0, 20.0


@dataclass
class Pair:
    """A master and its replica."""

    master: RedisServer
    replica: RedisServer

    def join(self) -> None:
        """Have the one follow the other."""
        self.replica.command("REPLICAOF", "127.0.0.1", str(self.master.port))
        wait_until(lambda: self.replica.command("INFO", "replication")["master_link_status"] == "up")
        wait_until(lambda: self.master.command("WAIT", "1", "100") == 1)

    def part(self) -> None:
        """The replica hears of nothing any more, and is a master of its own."""
        self.replica.command("REPLICAOF", "NO", "ONE")


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    options = ("--repl-diskless-sync-delay", "0")
    with running("valkey", *options) as master, running("valkey", *options) as replica:
        yield Pair(master, replica)


@pytest.fixture
async def way(servers: Pair) -> AsyncIterator[Way]:
    async with Way(servers.master.port) as way:
        yield way


def behind(way: Way, patience: float = PATIENCE, *, replicas: int = 0) -> Stores:
    return redis_stores(f"redis://127.0.0.1:{way.port}", patience, replicas=replicas)


@pytest.mark.parametrize(("name", "lags"), cells("redis", [False, True]))
async def test_a_replica_takes_over(servers: Pair, way: Way, lags: bool, name: str) -> None:
    path = PATHS["redis"][name]
    servers.join()
    tried, sure = behind(way, replicas=1), behind(way, LONG)
    async with opened(tried, sure):
        ground = Ground(tried, sure)
        await path.before(ground)
        await tried.warm(path.kind, ground.name)
        wait_until(lambda: servers.master.command("WAIT", "1", "100") == 1)
        if lags:
            servers.part()
        fate, answer = await attempt(path.call(ground))
        assert fate is (Fate.UNKNOWN if lags else Fate.DONE), repr(answer)
        servers.part()
        way.lead_to(servers.replica.port)
        await path.after(ground, fate, answer)
