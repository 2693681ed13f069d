"""Single use in Redis when something goes wrong: a rightful first use gets in, nobody else ever does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio
import pytest

from mintkey.errors import Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.testing.proxy import Fate, Fault, FaultyProxy
from tests.support.servers import RedisServer, free_port, running

TIMEOUT = timedelta(seconds=3)
SHORT = timedelta(seconds=1)


async def claim(
    store: RedisReplayStore, key: str, *, owner: str | None = None, lease: timedelta | None = None
) -> ClaimOutcome:
    now = datetime.now(UTC)
    # Issued a little ahead, so that a second that begins meanwhile does not matter.
    issued_at = now + timedelta(seconds=2)
    return await store.claim(
        key, owner=owner or new_id(), issued_at=issued_at, expires_at=now + timedelta(minutes=5), lease=lease
    )


@asynccontextmanager
async def behind_proxy(
    server: RedisServer, *, patience: timedelta = TIMEOUT
) -> AsyncIterator[tuple[RedisReplayStore, FaultyProxy]]:
    """An open store whose next connection has yet to be made."""
    async with FaultyProxy("127.0.0.1", server.port) as proxy:
        store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}", timeout=patience)
        async with store:
            await store._link.drop_idle()
            yield store, proxy


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Fate.LOSE),
        Fault(Fate.SWALLOW),
        Fault(Fate.TRUNCATE),
        Fault(Fate.DOUBLE),
        Fault(Fate.DELAY, delay=0.1),
        Fault(Fate.DELAY, delay=1.8),
    ],
    ids=["lost", "swallowed", "truncated", "doubled", "late", "too-late"],
)
async def test_a_first_use_is_accepted_whatever_happens_to_its_answer(valkey: RedisServer, fault: Fault) -> None:
    """And the second use is refused: the owner in the mark tells one from the other."""
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(fault)
        assert await claim(store, "key") is ClaimOutcome.ACCEPTED
        assert await claim(store, "key") is ClaimOutcome.SPENT


async def test_an_answer_of_an_earlier_batch_is_never_taken_for_a_later_one(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(Fault(Fate.DOUBLE), Fault(Fate.DOUBLE), Fault(Fate.DOUBLE))
        proxy.script(Fault(Fate.DOUBLE), Fault(Fate.DOUBLE))
        for index in range(10):
            assert await claim(store, f"key {index}") is ClaimOutcome.ACCEPTED
            assert await claim(store, f"key {index}") is ClaimOutcome.SPENT


async def test_a_connection_reset_before_anything_is_forwarded_is_tried_again(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        proxy.refuse = True
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert proxy.connections > 2
        assert caught.value.reason in {Reason.REPLAY_UNAVAILABLE, Reason.REPLAY_OUTCOME_UNKNOWN}
        proxy.refuse = False
        assert await claim(store, "other key") is ClaimOutcome.ACCEPTED


async def test_connections_cut_under_many_callers_cost_nobody_an_answer(valkey: RedisServer) -> None:
    async with behind_proxy(valkey, patience=timedelta(seconds=5)) as (store, proxy):
        outcomes: list[ClaimOutcome] = []

        async def use(key: str) -> None:
            outcomes.append(await claim(store, key))

        async with anyio.create_task_group() as group:
            for index in range(300):
                group.start_soon(use, f"key {index}")
                if index % 60 == 0:
                    await asyncio.sleep(0.002)
                    proxy.cut()
        assert outcomes == [ClaimOutcome.ACCEPTED] * 300


async def test_a_black_hole_is_an_error_in_time_and_nobody_gets_in(valkey: RedisServer) -> None:
    async with behind_proxy(valkey, patience=SHORT) as (store, proxy):
        assert await claim(store, "warm") is ClaimOutcome.ACCEPTED
        proxy.black_hole = True
        began = monotonic()
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert monotonic() - began < SHORT.total_seconds() + 0.5
        assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
        assert caught.value.status_code == 503
        assert caught.value.retryable
        proxy.cut()
        proxy.black_hole = False
        assert await claim(store, "another") is ClaimOutcome.ACCEPTED


async def test_in_a_black_hole_every_caller_is_told_in_its_own_time(valkey: RedisServer) -> None:
    """Whenever it called, and however many batches hang: nobody waits for the others."""
    async with behind_proxy(valkey, patience=SHORT) as (store, proxy):
        await claim(store, "warm")
        proxy.black_hole = True
        waits: list[float] = []

        async def use(index: int) -> None:
            began = monotonic()
            with pytest.raises(ReplayStoreError):
                await claim(store, f"key {index}")
            waits.append(monotonic() - began)

        async with anyio.create_task_group() as group:
            for index in range(30):
                group.start_soon(use, index)
                await asyncio.sleep(0.01)
        assert max(waits) < SHORT.total_seconds() + 0.2
        assert min(waits) > SHORT.total_seconds() - 0.05


async def test_nothing_sent_is_unavailable_not_unknown() -> None:
    store = RedisReplayStore(f"redis://127.0.0.1:{free_port()}", timeout=SHORT)
    for _ in range(2):
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    with pytest.raises(ReplayStoreError):
        async with store:
            pass
    await store.aclose()


async def test_a_killed_server_lets_nobody_in_and_a_new_one_heals_by_itself(own_valkey: RedisServer) -> None:
    async with RedisReplayStore(own_valkey.url, timeout=SHORT) as store:
        assert await claim(store, "key") is ClaimOutcome.ACCEPTED
        await anyio.to_thread.run_sync(own_valkey.kill)
        for _ in range(2):
            with pytest.raises(ReplayStoreError):
                await claim(store, "other")
        await anyio.to_thread.run_sync(own_valkey.start)
        assert await claim(store, "key") is ClaimOutcome.UNPROVABLE  # it was spent, and nobody knows
        now = datetime.now(UTC)
        later = now + timedelta(seconds=10)
        outcome = await store.claim("new", owner=new_id(), issued_at=later, expires_at=later)
        assert outcome is ClaimOutcome.ACCEPTED


async def test_a_frozen_server_lets_nobody_in_and_thaws_without_a_trace(own_valkey: RedisServer) -> None:
    async with RedisReplayStore(own_valkey.url, timeout=SHORT) as store:
        own_valkey.freeze()
        owner = new_id()
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key", owner=owner)
        assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
        own_valkey.thaw()
        assert await claim(store, "key", owner=owner) is ClaimOutcome.ACCEPTED
        assert await claim(store, "key") is ClaimOutcome.SPENT


async def test_flushed_under_a_running_store_old_tokens_are_unprovable(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url) as store:
        assert await claim(store, "key") is ClaimOutcome.ACCEPTED
        await valkey.send("FLUSHALL")
        outcomes = await asyncio.gather(*(claim(store, f"key {index}") for index in range(50)))
        assert set(outcomes) == {ClaimOutcome.UNPROVABLE}
        again = await asyncio.gather(*(claim(store, "key") for _ in range(50)))
        assert set(again) == {ClaimOutcome.UNPROVABLE}
        assert await store.status("key", issued_at=datetime.now(UTC)) is ClaimStatus.UNPROVABLE


async def test_an_unprovable_claim_leaves_no_mark(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url) as store:
        old = datetime.now(UTC) - timedelta(hours=1)
        for _ in range(2):
            outcome = await store.claim("key", owner=new_id(), issued_at=old, expires_at=old + timedelta(days=1))
            assert outcome is ClaimOutcome.UNPROVABLE
        assert await valkey.send("EXISTS", Keys("mk").mark("key")[1]) == 0


async def test_a_lost_script_cache_is_no_trouble(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url) as store:
        for _ in range(2):
            owner = new_id()
            key = new_id()
            await claim(store, key, owner=owner, lease=timedelta(seconds=30))
            await valkey.send("SCRIPT", "FLUSH")
            assert await store.commit(key, owner=owner, expires_at=datetime.now(UTC) + timedelta(minutes=1))


async def test_a_release_whose_answer_was_lost_is_a_release(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        owner = new_id()
        await claim(store, "warm", owner=owner, lease=timedelta(seconds=30))
        assert await store.release("warm", owner=owner)
        await claim(store, "key", owner=owner, lease=timedelta(seconds=30))
        await store._link.drop_idle()
        proxy.script(Fault(Fate.LOSE))
        assert await store.release("key", owner=owner) is True
        assert await store.release("key", owner=owner) is False


async def test_a_commit_whose_answer_was_lost_is_a_commit(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        owner, expires_at = new_id(), datetime.now(UTC) + timedelta(minutes=1)
        await claim(store, "key", owner=owner, lease=timedelta(seconds=30))
        await store._link.drop_idle()
        proxy.script(Fault(Fate.LOSE))
        assert await store.commit("key", owner=owner, expires_at=expires_at) is True
        assert await claim(store, "key") is ClaimOutcome.SPENT


@pytest.fixture
def replica(own_valkey: RedisServer) -> Iterator[RedisServer]:
    own_valkey.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with running("valkey", "--replicaof", f"127.0.0.1 {own_valkey.port}") as server:
        wait_until(lambda: server.command("INFO", "replication")["master_link_status"] == "up")
        yield server


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline
        threading.Event().wait(0.01)


async def test_a_replica_refuses_and_is_warned_of(
    own_valkey: RedisServer, replica: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisReplayStore(own_valkey.url):
        pass
    store = RedisReplayStore(replica.url, timeout=TIMEOUT)
    with pytest.raises(ReplayStoreError) as caught:
        await claim(store, "key")
    assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
    assert caught.value.details["code"] == "READONLY"
    assert "it is a replica and refuses writes" in caplog.text
    await store.aclose()


async def test_replicas_that_confirm_are_waited_for(own_valkey: RedisServer, replica: RedisServer) -> None:
    async with RedisReplayStore(own_valkey.url, replicas=1) as store:
        assert await claim(store, "key") is ClaimOutcome.ACCEPTED
        assert await replica.send("EXISTS", Keys("mk").mark("key")[1]) == 1
        assert await claim(store, "key") is ClaimOutcome.SPENT
        assert await store.status("key", issued_at=datetime.now(UTC)) is ClaimStatus.SPENT


async def test_a_frozen_replica_makes_the_outcome_unknown(own_valkey: RedisServer, replica: RedisServer) -> None:
    """Also for the retry, whose `SET … NX` writes nothing."""
    async with RedisReplayStore(own_valkey.url, replicas=1, timeout=TIMEOUT) as store:
        replica.freeze()
        owner = new_id()
        for _ in range(2):
            with pytest.raises(ReplayStoreError) as caught:
                await claim(store, "key", owner=owner)
            assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
            assert caught.value.details["code"] == "NOREPLICAS"
        replica.thaw()
        await asyncio.sleep(0.1)
        assert await claim(store, "key", owner=owner) is ClaimOutcome.ACCEPTED


async def test_a_server_without_memory_left_refuses(own_valkey: RedisServer) -> None:
    async with RedisReplayStore(own_valkey.url, timeout=TIMEOUT) as store:
        await claim(store, "before")
        await own_valkey.send("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert caught.value.details["code"] == "OOM"
        await own_valkey.send("CONFIG", "SET", "maxmemory", "0")
        assert await claim(store, "key") is ClaimOutcome.ACCEPTED


async def test_a_server_that_evicts_is_warned_of(own_valkey: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    await own_valkey.send("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    async with RedisReplayStore(own_valkey.url):
        assert "maxmemory-policy is volatile-lru" in caplog.text


async def test_a_wrong_password_is_refused_at_once_and_never_shown() -> None:
    with running("valkey", password="correct") as server:
        store = RedisReplayStore(server.url.replace("correct", "Tr0ub4dor"), timeout=timedelta(seconds=20))
        began = monotonic()
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "key")
        assert monotonic() - began < 10
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert "Tr0ub4dor" not in f"{caught.value!r} {caught.value} {caught.value.details} {store!r}"
        await store.aclose()
        async with RedisReplayStore(server.url) as good:
            assert await claim(good, "key") is ClaimOutcome.ACCEPTED


async def test_a_mark_of_another_type_fails_its_own_call_alone(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url) as store:
        await valkey.send("LPUSH", Keys("mk").mark("list")[1], "something")
        await valkey.send("SET", Keys("mk").mark("text")[1], "something")
        calls = [claim(store, "list"), claim(store, "good"), claim(store, "text"), claim(store, "fine")]
        refused, good, foreign, fine = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(refused, ReplayStoreError)
        assert refused.details["code"] == "WRONGTYPE"
        assert isinstance(foreign, ReplayStoreError) or foreign is ClaimOutcome.SPENT
        assert (good, fine) == (ClaimOutcome.ACCEPTED, ClaimOutcome.ACCEPTED)


async def test_keys_that_hold_something_else_are_errors_never_grants(valkey: RedisServer) -> None:
    """Another program writes under our prefix."""
    async with RedisReplayStore(valkey.url) as store:
        now = datetime.now(UTC)
        bucket, _ = Keys("mk").mark("key")
        await valkey.send("SET", bucket.epoch, "yesterday")
        with pytest.raises(ReplayStoreError):
            await store.status("key", issued_at=now)
        with pytest.raises(ReplayStoreError):
            await claim(store, "key")
        await valkey.send("SET", Keys("mk").cut_off("subject")[1], "tomorrow")
        with pytest.raises(ReplayStoreError):
            await store.cut_off_before("subject")
        with pytest.raises(ReplayStoreError):
            await store.look("other", "subject", issued_at=now)
        await valkey.send("SET", Keys("mk").cut_off("subject")[1], "9" * 40)
        with pytest.raises(ReplayStoreError):
            await store.cut_off_before("subject")
        await valkey.send("SET", Keys("mk").mark("third")[1], "")
        with pytest.raises(ReplayStoreError):
            await claim(store, "third")


async def test_an_unprovable_claim_that_was_sent_twice_is_unprovable(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        old = datetime.now(UTC) - timedelta(hours=1)
        proxy.script(Fault(Fate.LOSE))
        outcome = await store.claim("key", owner=new_id(), issued_at=old, expires_at=old + timedelta(days=1))
        assert outcome is ClaimOutcome.UNPROVABLE


async def test_an_idle_connection_that_died_is_replaced_before_anything_is_sent(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        for index in range(5):
            assert await claim(store, f"key {index}") is ClaimOutcome.ACCEPTED
            proxy.cut()
            await asyncio.sleep(0.01)
        assert proxy.connections == 6


def test_loops_that_are_gone_leave_nothing_behind(valkey: RedisServer) -> None:
    store = RedisReplayStore(valkey.url)

    async def use() -> None:
        await claim(store, new_id())
        await store.aclose()

    async def use_and_forget() -> None:
        await claim(store, new_id())
        await store._link.drop_idle()

    for _ in range(3):
        asyncio.run(use_and_forget())
    assert len(store._link._connections._made) == 1
    asyncio.run(use())
    assert len(store._link._connections._made) == 0


async def test_a_storm_of_cancellations_disturbs_nobody(valkey: RedisServer) -> None:
    """Cancelled callers leave at any moment; the others get their own answers, on connections that stay sound."""
    async with behind_proxy(valkey, patience=timedelta(seconds=5)) as (store, proxy):
        outcomes: dict[str, ClaimOutcome] = {}

        async def stay(key: str) -> None:
            outcomes[key] = await claim(store, key)

        for turn in range(20):
            async with anyio.create_task_group() as staying:
                tasks = [asyncio.ensure_future(claim(store, f"leaving {turn} {index}")) for index in range(20)]
                for index in range(10):
                    staying.start_soon(stay, f"staying {turn} {index}")
                for index, task in enumerate(tasks):
                    if index % 5 == 0:
                        await asyncio.sleep(0)
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert list(outcomes.values()) == [ClaimOutcome.ACCEPTED] * 200
        assert proxy.connections < 10
        for key in list(outcomes)[:20]:
            assert await claim(store, key) is ClaimOutcome.SPENT


async def test_a_thousand_concurrent_claims_of_one_key_have_one_winner(valkey: RedisServer) -> None:
    async with RedisReplayStore(valkey.url, timeout=timedelta(seconds=10)) as store:
        before = await valkey.send("INFO", "stats")
        outcomes = await asyncio.gather(*(claim(store, "key") for _ in range(1000)))
        assert outcomes.count(ClaimOutcome.ACCEPTED) == 1
        assert outcomes.count(ClaimOutcome.SPENT) == 999
        after = await valkey.send("INFO", "clients")
        assert before
        assert int(after["connected_clients"]) < 10


def test_one_store_serves_two_event_loops(valkey: RedisServer) -> None:
    """Each loop has its own connections; one winner over both, and each may close."""
    store = RedisReplayStore(valkey.url)
    outcomes: list[ClaimOutcome] = []

    async def use() -> None:
        async with store:
            outcomes.extend(await asyncio.gather(*(claim(store, f"key {index}") for index in range(50))))

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(use())
    assert outcomes.count(ClaimOutcome.ACCEPTED) == 50
    assert outcomes.count(ClaimOutcome.SPENT) == 100
