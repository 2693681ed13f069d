"""Redis servers that belong together: a cluster, and a master watched by sentinels."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from redis.crc import key_slot

from tests.support.servers import RedisServer, running

SLOTS = 16384
_PATIENCE = 60.0
_NEVER = 600_000  # a loaded machine must not look like a dead server where no test kills one
_SENTINEL = """sentinel monitor main 127.0.0.1 {port} {quorum}
sentinel down-after-milliseconds main {milliseconds}
sentinel failover-timeout main 3000
"""


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll, for as long as a slow machine may need."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass
class RedisCluster:
    """Masters that share the slots."""

    masters: Sequence[RedisServer]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.masters)

    def flush(self) -> None:
        """Forget everything."""
        for master in self.masters:
            master.flush()

    def life_of(self, key: bytes) -> int:
        """Milliseconds that a key has left."""
        return self.holder(key_slot(key)).life_of(key)

    def holder(self, slot: int) -> RedisServer:
        """Who serves a slot, by its own word."""
        return next(server for server in self.masters if slot in _slots_of(server))

    def begin_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """From now on the source sends on whoever asks for a key that it does not have."""
        ids = [server.command("CLUSTER", "MYID") for server in (source, target)]
        target.command("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[0])
        source.command("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[1])

    def move_keys(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Hand over the keys that the source has."""
        keys = source.command("CLUSTER", "GETKEYSINSLOT", str(slot), "1000")
        if keys:
            source.command("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *keys)

    def end_move(self, slot: int, target: RedisServer) -> None:
        """The slot is the target's, and everybody knows."""
        target_id = target.command("CLUSTER", "MYID")
        for server in sorted(self.masters, key=lambda server: server is not target):
            server.command("CLUSTER", "SETSLOT", str(slot), "NODE", target_id)


def _slots_of(server: RedisServer) -> set[int]:
    owned: set[int] = set()
    for shard in server.command("CLUSTER", "SLOTS"):
        first, last, master = int(shard[0]), int(shard[1]), shard[2]
        if int(master[1]) == server.port:
            owned |= set(range(first, last + 1))
    return owned


def in_cluster_mode(milliseconds: int) -> Sequence[str]:
    """Options of a node that gives up others after so long."""
    return ("--cluster-enabled", "yes", "--cluster-node-timeout", str(milliseconds))


@contextmanager
def clustered(size: int = 3, *, milliseconds: int = _NEVER) -> Iterator[RedisCluster]:
    """A cluster of masters without replicas, which give one another up after so long."""
    with ExitStack() as stack:
        masters = [stack.enter_context(running("valkey", *in_cluster_mode(milliseconds))) for _ in range(size)]
        cuts = [SLOTS * number // size for number in range(size + 1)]
        for epoch, master in enumerate(masters, start=1):
            master.command("CLUSTER", "SET-CONFIG-EPOCH", str(epoch))
            master.command("CLUSTER", "ADDSLOTSRANGE", str(cuts[epoch - 1]), str(cuts[epoch] - 1))
        for master in masters[1:]:
            masters[0].command("CLUSTER", "MEET", "127.0.0.1", str(master.port))
        wait_until(lambda: all(_is_whole(master, size) for master in masters))
        yield RedisCluster(masters)


def _is_whole(node: RedisServer, size: int) -> bool:
    info = node.command("CLUSTER", "INFO")
    return "cluster_state:ok" in info and f"cluster_known_nodes:{size}" in info


@dataclass
class WatchedRedis:
    """A master and its replicas, whichever is which by now, and the sentinels that watch them."""

    servers: Sequence[RedisServer]
    sentinels: Sequence[RedisServer]

    @property
    def url(self) -> str:
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels) + "/main"

    def master(self) -> RedisServer:
        """Whom the sentinels name."""
        _, port = self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
        return next(server for server in self.servers if server.port == int(port))

    def flush(self) -> None:
        """Forget everything."""
        self.master().flush()

    def life_of(self, key: bytes) -> int:
        """Milliseconds that a key has left."""
        return self.master().life_of(key)


@contextmanager
def watched(*, replicas: int = 2, sentinels: int = 3, milliseconds: int = _NEVER) -> Iterator[WatchedRedis]:
    """A master with replicas that sentinels agree on, and give up after so long."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="mintkey-sentinel-")))
        master = stack.enter_context(running("valkey", "--repl-diskless-sync-delay", "0"))
        place = f"127.0.0.1 {master.port}"
        followers = [stack.enter_context(running("valkey", "--replicaof", place)) for _ in range(replicas)]
        # A sentinel looks for replicas at its start, and then only every ten seconds.
        wait_until(lambda: all(one.command("INFO", "replication")["master_link_status"] == "up" for one in followers))
        watchers: list[RedisServer] = []
        for number in range(sentinels):
            config = directory / f"sentinel-{number}.conf"
            config.write_text(_SENTINEL.format(port=master.port, quorum=sentinels // 2 + 1, milliseconds=milliseconds))
            watchers.append(stack.enter_context(running("valkey", sentinel_config=config)))
        wait_until(lambda: all(_agrees(one, replicas, sentinels) for one in watchers))
        yield WatchedRedis([master, *followers], watchers)


def _agrees(sentinel: RedisServer, replicas: int, sentinels: int) -> bool:
    with suppress(OSError):
        said = str(sentinel.command("INFO", "sentinel"))
        return f"'slaves': {replicas}" in said and f"'sentinels': {sentinels}" in said
    return False
