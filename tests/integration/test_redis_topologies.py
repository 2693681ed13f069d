"""The same store on Sentinel, on a cluster, behind TLS, and through every kind of client."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from time import monotonic, sleep

import anyio
import pytest
from blockbuster import BlockBuster
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.sentinel import Sentinel

from mintkey.errors import ConfigurationError, Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from tests.support.servers import RedisServer, free_port, running, valkey_binary

SHORT = timedelta(seconds=1)
CLUSTER = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")


async def claim(store: RedisReplayStore, key: str) -> ClaimOutcome:
    now = datetime.now(UTC) + timedelta(seconds=2)
    return await store.claim(key, owner=new_id(), issued_at=now, expires_at=now + timedelta(minutes=5))


async def assert_single_use(store: RedisReplayStore) -> None:
    """On every bucket, so on every node."""
    keys = [new_id() for _ in range(64)]
    assert len({Keys("mk").mark(key)[0].number for key in keys}) > 8
    assert await asyncio.gather(*(claim(store, key) for key in keys)) == [ClaimOutcome.ACCEPTED] * 64
    assert await asyncio.gather(*(claim(store, key) for key in keys)) == [ClaimOutcome.SPENT] * 64


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline
        sleep(0.02)


@pytest.mark.parametrize("decode", [False, True], ids=["bytes", "text"])
async def test_a_client_tells_how_to_connect_and_stays_the_callers(valkey: RedisServer, decode: bool) -> None:
    """Whatever it decodes, retries or speaks: the store has connections of its own."""
    pool = BlockingConnectionPool(
        host="127.0.0.1", port=valkey.port, db=3, decode_responses=decode, protocol=3, health_check_interval=1
    )
    client = Redis(connection_pool=pool)
    async with RedisReplayStore(client, prefix="app") as store:
        await assert_single_use(store)
    assert await store_size(valkey, 3) == 16 + 64
    assert pool._available_connections == []
    await client.aclose()


async def store_size(server: RedisServer, database: int) -> int:
    keyspace = await server.send("INFO", "keyspace")
    return int(keyspace[f"db{database}"]["keys"])


async def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    with running("valkey", "--unixsocket", str(path)):
        async with RedisReplayStore(f"unix://{path}") as store:
            await assert_single_use(store)


async def test_tls_will_do(tmp_path: Path, no_blocking_calls: BlockBuster) -> None:
    """The driver reads certificates when it connects, as it does for everybody."""
    no_blocking_calls.deactivate()
    certificate, key, port = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    write_certificate(certificate, key)
    options = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with running("redis", *options, "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"):
        async with RedisReplayStore(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as store:
            await assert_single_use(store)
        untrusting = RedisReplayStore(f"rediss://127.0.0.1:{port}", timeout=SHORT)
        with pytest.raises(ReplayStoreError) as caught:
            await claim(untrusting, "key")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE


def write_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.parametrize("source", ["http://localhost", "localhost", 6379, None])
def test_anything_else_is_refused_without_showing_it(source: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisReplayStore(source)  # type: ignore[arg-type]  # on purpose
    assert "redis_or_url" in str(caught.value)


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisReplayStore("redis://localhost", prefix="{", timeout=timedelta(0), replicas=-1)
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert [problem.split()[0] for problem in problems] == ["prefix", "timeout", "replicas"]


# Cluster


@pytest.fixture(scope="module")
def cluster_node() -> Iterator[RedisServer]:
    """One node that owns all slots."""
    with running("valkey", *CLUSTER) as server:
        server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        wait_until(partial(is_whole, server))
        yield server


async def test_a_cluster_is_found_through_its_client(cluster_node: RedisServer) -> None:
    client = RedisCluster(host="127.0.0.1", port=cluster_node.port)
    async with RedisReplayStore(client, replicas=0) as store:
        await assert_single_use(store)
        await store.revoke("key", expires_at=datetime.now(UTC) + timedelta(minutes=1))
        assert await claim(store, "key") is ClaimOutcome.REVOKED
        reserved, owner = new_id(), new_id()
        now = datetime.now(UTC) + timedelta(seconds=2)
        lease = timedelta(seconds=30)
        await store.claim(reserved, owner=owner, issued_at=now, expires_at=now + lease, lease=lease)
        assert await store.commit(reserved, owner=owner, expires_at=now + lease)
    await client.aclose()


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two masters with half of the slots each."""
    with (
        running("valkey", *CLUSTER) as first,
        running("valkey", *CLUSTER) as second,
    ):
        first.command("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        second.command("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        first.command("CLUSTER", "MEET", "127.0.0.1", str(second.port))
        for node in (first, second):
            wait_until(partial(is_whole, node))
        yield first, second


def is_whole(node: RedisServer) -> bool:
    return "cluster_state:ok" in node.command("CLUSTER", "INFO")


async def test_a_batch_is_split_by_node_and_follows_a_slot_that_moved(
    two_nodes: tuple[RedisServer, RedisServer],
) -> None:
    first, second = two_nodes
    client = RedisCluster(host="127.0.0.1", port=first.port)
    async with RedisReplayStore(client, timeout=timedelta(seconds=5)) as store:
        await assert_single_use(store)
        assert first.command("DBSIZE") > 20
        assert second.command("DBSIZE") > 20
        bucket, key = Keys("mk").mark("moving")
        slot = await first.send("CLUSTER", "KEYSLOT", key)
        source, target = (first, second) if slot < 8192 else (second, first)
        await move(source, target, slot)
        assert await claim(store, "moving") is ClaimOutcome.ACCEPTED
        assert await claim(store, "moving") is ClaimOutcome.SPENT
        assert await target.send("GET", bucket.epoch) is not None
    await client.aclose()


async def move(source: RedisServer, target: RedisServer, slot: int) -> None:
    """Hand a slot with all its keys from one node to the other."""
    ids = {server.port: await server.send("CLUSTER", "MYID") for server in (source, target)}
    await target.send("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[source.port])
    await source.send("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[target.port])
    keys = await source.send("CLUSTER", "GETKEYSINSLOT", str(slot), "1000")
    await source.send("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *keys)
    for server in (target, source):
        await server.send("CLUSTER", "SETSLOT", str(slot), "NODE", ids[target.port])


async def test_a_cluster_node_is_no_lone_server(two_nodes: tuple[RedisServer, RedisServer]) -> None:
    """A client for one server, pointed at a cluster: typed, never granted."""
    store = RedisReplayStore(two_nodes[0].url)
    with pytest.raises(ReplayStoreError) as caught:
        await claim(store, "key")
    assert caught.value.details["code"] == "MOVED"
    assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    await store.aclose()


async def test_a_cluster_nobody_of_which_answers_is_unavailable() -> None:
    store = RedisReplayStore(RedisCluster(host="127.0.0.1", port=free_port()), timeout=SHORT)
    with pytest.raises(ReplayStoreError) as caught:
        await claim(store, "key")
    assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    await store.aclose()


async def test_a_lone_server_is_no_cluster(valkey: RedisServer) -> None:
    store = RedisReplayStore(RedisCluster(host="127.0.0.1", port=valkey.port), timeout=SHORT)
    with pytest.raises(ReplayStoreError):
        await claim(store, "key")
    await store.aclose()


async def test_a_cluster_without_all_its_slots_is_unavailable() -> None:
    with running("valkey", *CLUSTER, "--cluster-require-full-coverage", "no") as server:
        await server.send("CLUSTER", "ADDSLOTSRANGE", "0", "5000")
        store = RedisReplayStore(RedisCluster(host="127.0.0.1", port=server.port), timeout=SHORT)
        with pytest.raises(ReplayStoreError):
            await claim(store, "key")
        await store.aclose()


# Sentinel


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, int]]:
    """A master, its replica and the port of a sentinel that watches them."""
    master = RedisServer(valkey_binary(), ("--repl-diskless-sync-delay", "0"))
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"sentinel monitor main 127.0.0.1 {master.port} 1\nsentinel down-after-milliseconds main 300\n"
        "sentinel failover-timeout main 3000\n"
    )
    master.start()
    try:
        with running("valkey", "--replicaof", f"127.0.0.1 {master.port}") as replica:
            # A sentinel looks for replicas at its start, and then only every ten seconds.
            wait_until(lambda: replica.command("INFO", "replication")["master_link_status"] == "up")
            with running("valkey", sentinel_config=config) as sentinel:
                wait_until(lambda: "'slaves': 1" in str(sentinel.command("INFO", "sentinel")))
                yield master, replica, sentinel.port
    finally:
        master.kill()


async def test_the_master_is_found_through_sentinel_and_again_after_a_fail_over(
    watched: tuple[RedisServer, RedisServer, int],
) -> None:
    master, replica, port = watched
    sentinel = Sentinel([("127.0.0.1", free_port()), ("127.0.0.1", port)])
    client = sentinel.master_for("main")
    async with RedisReplayStore(client, replicas=1, timeout=timedelta(seconds=1)) as store:
        await assert_single_use(store)
        key = new_id()
        assert await claim(store, key) is ClaimOutcome.ACCEPTED
        await anyio.to_thread.run_sync(master.kill)
        lone = RedisReplayStore(client, timeout=timedelta(seconds=15))
        assert await claim(lone, key) is ClaimOutcome.SPENT
        assert (await replica.send("ROLE"))[0] == "master"
        await lone.aclose()


async def test_a_sentinel_that_knows_no_such_master_makes_the_store_unavailable(
    watched: tuple[RedisServer, RedisServer, int],
) -> None:
    _, _, port = watched
    for service, others in (("unknown", 0), ("main", 5)):
        sentinel = Sentinel([("127.0.0.1", port)], min_other_sentinels=others)
        store = RedisReplayStore(sentinel.master_for(service), timeout=timedelta(milliseconds=300))
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        await store.aclose()


def test_replicas_of_sentinel_are_refused_at_once() -> None:
    client = Sentinel([("127.0.0.1", 1)]).slave_for("main")
    with pytest.raises(ConfigurationError, match="master_for"):
        RedisReplayStore(client)
