"""Rings and marks on servers that change places: fail-overs, and slots that move from node to node."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import pytest
from anyio.to_thread import run_sync

from mintkey import Purpose, TokenReplayedError, TokenService
from mintkey.errors import KeyProviderError, ReplayStoreError
from mintkey.health import Check
from mintkey.ids import new_id
from mintkey.keys import RedisKeyProvider, RotationPolicy, Sealer
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.redis.buckets import BUCKETS, Buckets
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from tests.support.polling import until
from tests.support.redis_groups import RedisCluster, WatchedRedis, clustered, in_cluster_mode, wait_until, watched
from tests.support.servers import RedisServer, free_port, running

SEALER = Sealer([bytes(range(32))])
CAP = 40
BY_COUNT = RotationPolicy(every=None, max_mints=CAP, previous_ttl=timedelta(hours=1), publish_ahead=timedelta(0))
NO_LIMIT = 2**62
LINK = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="app", single_use=True)
PATIENT = timedelta(seconds=20)
SHORT = timedelta(seconds=1)


async def swap(store: RedisKeyRingStore, revision: int) -> None:
    assert await store.compare_and_swap("default", expected=revision - 1, document=b"%d" % revision)


async def claim(store: RedisReplayStore, key: str) -> ClaimOutcome:
    now = datetime.now(UTC) + timedelta(seconds=2)
    return await store.claim(key, owner=new_id(), issued_at=now, expires_at=now + timedelta(minutes=5))


# Sentinel


@pytest.fixture
def own_sentinel() -> Iterator[WatchedRedis]:
    """Servers that the test may kill."""
    with watched(milliseconds=500) as servers:
        yield servers


async def test_a_provider_mints_on_through_a_fail_over(own_sentinel: WatchedRedis) -> None:
    """One master, two replicas, three sentinels; a replica confirms every write, so none is lost."""
    async with RedisKeyProvider(own_sentinel.url, policy=BY_COUNT, sealer=SEALER, replicas=1) as provider:
        granted: Counter[str] = Counter()

        async def minted(count: int) -> bool:
            with suppress(KeyProviderError):
                granted[(await provider.acquire()).key.kid] += 1
            return granted.total() >= count

        await until(partial(minted, 25))
        (first,) = granted
        master = await run_sync(own_sentinel.master)
        await run_sync(master.kill)
        await until(partial(minted, 26))  # from the block that is left, or once there is a master again
        await until(partial(minted, 25 + 3 * CAP))
        new_master = await run_sync(own_sentinel.master)
        assert new_master is not master
        assert max(granted.values()) <= CAP
        assert (await provider.resolve(first)).kid == first
        async with RedisKeyProvider(own_sentinel.url, policy=BY_COUNT, sealer=SEALER) as newcomer:
            assert {version.kid for version in await newcomer.versions()} >= set(granted)


async def test_a_sentinel_that_hangs_is_passed_over(redis_sentinel: WatchedRedis) -> None:
    hanging = redis_sentinel.sentinels[0]
    hanging.freeze()
    try:
        async with RedisKeyRingStore(redis_sentinel.url, timeout=PATIENT) as store:
            with anyio.fail_after(60):
                await swap(store, 1)
            topology = store._client.link._topology
            assert topology._sentinels[-1].options["port"] == hanging.port  # type: ignore[attr-defined]  # Sentinel's
    finally:
        hanging.thaw()


async def test_sentinels_that_are_not_there_make_the_ring_unavailable() -> None:
    url = f"redis+sentinel://:secret@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/main"
    async with RedisKeyRingStore(url, timeout=SHORT) as store:
        for call in (store.load("default"), anext(aiter(store.watch("default")))):
            with pytest.raises(KeyProviderError) as caught:
                await call
            assert "secret" not in repr(caught.value)


async def test_marks_and_keys_may_share_a_url(redis_sentinel: WatchedRedis, redis_cluster: RedisCluster) -> None:
    for url, followers in ((redis_sentinel.url, 2), (redis_cluster.url, 0)):
        async with TokenService(
            issuer="https://example.org",
            keys=RedisKeyProvider(url, sealer=SEALER),
            replay=(replay := RedisReplayStore(url)),
        ) as tokens:
            token = await tokens.mint(LINK)
            assert (await tokens.verify(token, LINK)).id == token.id
            with pytest.raises(TokenReplayedError):
                await tokens.verify(token, LINK)
            checks = await replay.checks()
            assert checks["eviction"].word == "noeviction"
            assert checks["role"] == Check(ok=True, word="master", figure=followers)
            health = await tokens.health()
            assert {"keys.eviction", "keys.role", "replay.eviction", "replay.role"} <= set(health.checks)


# Cluster


@pytest.fixture
def own_cluster() -> Iterator[tuple[RedisCluster, RedisServer]]:
    """Three masters, and a replica of the first."""
    with clustered(milliseconds=3000) as cluster, running("valkey", *in_cluster_mode(3000)) as replica:
        first = cluster.masters[0]
        first_id = first.command("CLUSTER", "MYID")
        for master in cluster.masters:  # hearsay would take longer
            replica.command("CLUSTER", "MEET", "127.0.0.1", str(master.port))
        wait_until(lambda: first_id in str(replica.command("CLUSTER", "NODES")))
        replica.command("CLUSTER", "REPLICATE", first_id)
        wait_until(lambda: replica.command("INFO", "replication").get("master_link_status") == "up")
        wait_until(lambda: all(_knows(master, replica) for master in cluster.masters))
        yield cluster, replica


def _knows(master: RedisServer, replica: RedisServer) -> bool:
    nodes = str(master.command("CLUSTER", "NODES"))
    return f":{replica.port}" in nodes and "slave" in nodes


def slot_of(key: bytes, node: RedisServer) -> int:
    return int(node.command("CLUSTER", "KEYSLOT", key))


async def test_a_ring_survives_its_node(own_cluster: tuple[RedisCluster, RedisServer]) -> None:
    """Nobody says that the dead one's slots have moved, so whoever got no answer asks."""
    cluster, replica = own_cluster
    first = cluster.masters[0]
    held = {await run_sync(_ring_held_by, cluster, name): name for name in map(str, range(64))}
    name = held[first.port]
    async with RedisKeyRingStore(cluster.url, timeout=SHORT) as store:
        assert await store.compare_and_swap(name, expected=0, document=b"kept")
        assert await store.reserve(name, "a", want=3, limit=5) == 3
        await until(partial(_has_keys, replica, 1))
        await run_sync(first.kill)
        with pytest.raises(KeyProviderError):
            await store.load(name)

        async def is_back() -> bool:
            try:
                return await store.reserve(name, "a", want=3, limit=5) > 0
            except KeyProviderError:
                return False

        await until(is_back)
        stored = await store.load(name)
        assert stored is not None
        assert (stored.document, stored.mints) == (b"kept", {"a": 5})


def _ring_held_by(cluster: RedisCluster, name: str) -> int:
    return cluster.holder(slot_of(Buckets("mk").key(name, b"#")[1], cluster.masters[0])).port


async def _has_keys(server: RedisServer, count: int) -> bool:
    return int(await server.send("DBSIZE")) >= count


async def test_a_ring_is_used_while_its_slot_moves(redis_cluster: RedisCluster) -> None:
    """Before its key goes, after it went, and after everybody was told; the way there and back."""
    key = Buckets("mk").key("default", b"#")[1]
    async with RedisKeyRingStore(redis_cluster.url, timeout=PATIENT) as store:
        await swap(store, 1)
        revision, reserved, returned = 1, 0, 0

        async def use() -> None:
            nonlocal revision, reserved, returned
            revision += 1
            await swap(store, revision)
            assert await store.reserve("default", "a", want=5, limit=NO_LIMIT) == 5
            await store.give_back("default", "a", count=2)
            reserved, returned = reserved + 3, returned + 2
            stored = await store.load("default")
            assert stored is not None
            assert (stored.revision, stored.mints, stored.returned) == (revision, {"a": reserved}, {"a": returned})

        slot = await run_sync(slot_of, key, redis_cluster.masters[0])
        home = await run_sync(redis_cluster.holder, slot)
        away = next(master for master in redis_cluster.masters if master is not home)
        for source, target in ((home, away), (away, home)):
            await target.send("SCRIPT", "FLUSH")
            await use()
            await run_sync(redis_cluster.begin_move, slot, source, target)
            await use()
            assert await store.load("another") is None
            await run_sync(redis_cluster.move_keys, slot, source, target)
            await use()
            assert await target.send("CLUSTER", "COUNTKEYSINSLOT", str(slot)) == 1
            await run_sync(redis_cluster.end_move, slot, target)
            await use()


async def test_a_new_ring_may_begin_while_its_slot_moves(redis_cluster: RedisCluster) -> None:
    key = Buckets("mk").key("default", b"#")[1]
    slot = await run_sync(slot_of, key, redis_cluster.masters[0])
    source = await run_sync(redis_cluster.holder, slot)
    target = next(master for master in redis_cluster.masters if master is not source)
    async with RedisKeyRingStore(redis_cluster.url, timeout=PATIENT) as store:
        await run_sync(redis_cluster.begin_move, slot, source, target)
        try:
            assert await store.load("default") is None
            await swap(store, 1)
            assert await target.send("CLUSTER", "COUNTKEYSINSLOT", str(slot)) == 1
        finally:
            await run_sync(redis_cluster.end_move, slot, target)
        stored = await store.load("default")
        assert stored is not None
        assert stored.revision == 1


async def test_marks_are_kept_while_their_slot_moves(redis_cluster: RedisCluster) -> None:
    """A mark may be at either node, and so may the beginning of memory that proves it."""
    bucket, key = Keys("mk").mark("key")
    slot = await run_sync(slot_of, key, redis_cluster.masters[0])
    source = await run_sync(redis_cluster.holder, slot)
    target = next(master for master in redis_cluster.masters if master is not source)
    names = iter(names_in(bucket.number))
    async with RedisReplayStore(redis_cluster.url, timeout=PATIENT) as store:
        used = [next(names)]
        assert await claim(store, used[0]) is ClaimOutcome.ACCEPTED
        await target.send("SCRIPT", "FLUSH")

        async def use() -> None:
            fresh, leased = next(names), next(names)
            used.append(fresh)
            assert await claim(store, fresh) is ClaimOutcome.ACCEPTED
            for name in used:
                assert await claim(store, name) is ClaimOutcome.SPENT
                assert await store.status(name, issued_at=datetime.now(UTC)) is ClaimStatus.SPENT
            now, owner, lease = datetime.now(UTC) + timedelta(seconds=2), new_id(), timedelta(minutes=1)
            end = now + lease
            outcome = await store.claim(leased, owner=owner, issued_at=now, expires_at=end, lease=lease)
            assert outcome is ClaimOutcome.ACCEPTED
            assert await store.commit(leased, owner=owner, expires_at=end)
            used.append(leased)

        await run_sync(redis_cluster.begin_move, slot, source, target)
        try:
            await use()
            await source.send("MIGRATE", "127.0.0.1", str(target.port), bucket.epoch, "0", "5000")
            await use()
            await run_sync(redis_cluster.move_keys, slot, source, target)
            await use()
        finally:
            await run_sync(redis_cluster.end_move, slot, target)
        await use()


async def test_replicas_are_waited_for_at_the_node_to_which_a_slot_moves(
    own_cluster: tuple[RedisCluster, RedisServer],
) -> None:
    cluster, replica = own_cluster
    target, source = cluster.masters[:2]
    buckets = {await run_sync(_bucket_holder, cluster, number): number for number in range(BUCKETS)}
    number = buckets[source.port]
    old, fresh, *_ = names_in(number)
    slot = await run_sync(slot_of, Keys("mk").mark(old)[1], target)
    async with RedisReplayStore(cluster.url, timeout=timedelta(seconds=5), replicas=1) as store:
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, old)
        assert caught.value.details["code"] == "NOREPLICAS"
        await run_sync(cluster.begin_move, slot, source, target)
        await run_sync(cluster.move_keys, slot, source, target)
        assert await claim(store, fresh) is ClaimOutcome.ACCEPTED
        assert await claim(store, fresh) is ClaimOutcome.SPENT
        assert await claim(store, old) is ClaimOutcome.SPENT
    assert int(await replica.send("DBSIZE")) > 0


def names_in(number: int) -> list[str]:
    """Names of marks in a bucket."""
    return [name for name in map(str, range(1000)) if Keys("mk").mark(name)[0].number == number]


def _bucket_holder(cluster: RedisCluster, number: int) -> int:
    return cluster.holder(slot_of(Buckets("mk").buckets[number].tag, cluster.masters[0])).port


async def test_a_node_that_is_away_keeps_nobody_from_a_ring_elsewhere(redis_cluster: RedisCluster) -> None:
    """Neither at the first connection nor in what is told of the others."""
    key = Buckets("mk").key("default", b"#")[1]
    slot = await run_sync(slot_of, key, redis_cluster.masters[0])
    home = await run_sync(redis_cluster.holder, slot)
    away = next(master for master in redis_cluster.masters if master is not home)
    async with RedisKeyRingStore(redis_cluster.url, timeout=SHORT) as store:
        await store._client.link.nodes()
        away.freeze()
        try:
            assert await store.compare_and_swap("default", expected=0, document=b"one")
            assert await store.checks() == {
                "eviction": Check(ok=True, word="unknown", figure=0),
                "role": Check(ok=True, word="unknown", figure=0),
            }
        finally:
            away.thaw()
        await until(partial(_is_told_of_all, store))


async def _is_told_of_all(store: RedisKeyRingStore) -> bool:
    return (await store.checks())["role"].word == "master"
