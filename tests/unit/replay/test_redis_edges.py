"""The Redis replay store where it is easily a little wrong: how long, which key, which error, and what opens it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from mintkey.errors import Reason, ReplayStoreError
from mintkey.redis.errors import RedisCallError
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.replay.redis_marks import outcome_of
from mintkey.testing import Fate, Fault, FaultyProxy
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

KEYS = Keys("mk")
MARK, CUT_OFF, FAMILY = (make("name")[1] for make in (KEYS.mark, KEYS.cut_off, KEYS.family))
LATER = datetime(2100, 1, 1, tzinfo=UTC)
EPOCHS = [bucket.epoch for bucket in KEYS.buckets]
THOUSAND_SECONDS = timedelta(seconds=1000)

CALLS: dict[str, tuple[bytes, Callable[[RedisReplayStore], Awaitable[object]]]] = {
    "claim": (MARK, lambda store: store.claim("name", owner="me", issued_at=LATER, expires_at=LATER)),
    "commit": (MARK, lambda store: store.commit("name", owner="me", expires_at=LATER)),
    "release": (MARK, lambda store: store.release("name", owner="me")),
    "revoke": (MARK, lambda store: store.revoke("name", expires_at=LATER)),
    "status": (MARK, lambda store: store.status("name", issued_at=LATER)),
    "cut_off": (CUT_OFF, lambda store: store.cut_off("name", before=LATER, expires_at=LATER)),
    "cut_off_before": (CUT_OFF, lambda store: store.cut_off_before("name")),
    "look at the token": (MARK, lambda store: store.look("name", "subject", issued_at=LATER)),
    "look at the subject": (CUT_OFF, lambda store: store.look("token", "name", issued_at=LATER)),
    "family": (FAMILY, lambda store: store.family("name", issued_at=LATER)),
    "swap_family": (
        FAMILY,
        lambda store: store.swap_family("name", expected=None, document=b"new", expires_at=LATER),
    ),
}
LOOKS = ["status", "cut_off_before", "look at the token", "look at the subject", "family"]
SCRIPTS = ["commit", "release", "revoke", "cut_off", "swap_family"]


@pytest.fixture
async def store(valkey: RedisServer) -> AsyncIterator[RedisReplayStore]:
    store = RedisReplayStore(valkey.url)
    yield store
    await store.aclose()


def test_keys_never_change() -> None:
    # Marks outlive the version that wrote them: under another key a spent token could be used again.
    assert (MARK, CUT_OFF, FAMILY) == (b"mk{6}name", b"mk{6}.name", b"mk{6}:name")


@pytest.mark.parametrize("call", sorted(CALLS.keys() - {"revoke"}))  # which replaces whatever there is
async def test_a_key_that_holds_something_else_is_an_error_with_the_servers_word(
    valkey: RedisServer, store: RedisReplayStore, call: str
) -> None:
    key, make = CALLS[call]
    valkey.command("RPUSH", key, "a list")
    with pytest.raises(ReplayStoreError) as caught:
        await make(store)
    assert caught.value.details == {"code": "WRONGTYPE"}
    if call != "claim":  # which sends more than one command
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE, "it was refused, so nothing is in doubt"


@pytest.mark.parametrize("call", CALLS)
async def test_without_an_answer_only_a_write_is_in_doubt(valkey: RedisServer, call: str) -> None:
    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}", timeout=timedelta(seconds=1))
        async with store:
            proxy.black_hole = True
            with pytest.raises(ReplayStoreError) as caught:
                await CALLS[call][1](store)
    doubted = Reason.REPLAY_UNAVAILABLE if call in LOOKS else Reason.REPLAY_OUTCOME_UNKNOWN
    assert caught.value.reason is doubted


async def test_a_server_that_is_not_there_is_an_error_of_the_store_when_it_is_entered(own_valkey: RedisServer) -> None:
    store = RedisReplayStore(own_valkey.url, timeout=timedelta(seconds=0.2))
    own_valkey.kill()
    with pytest.raises(ReplayStoreError) as caught:
        await store.__aenter__()
    await store.aclose()
    assert caught.value.reason is Reason.REPLAY_UNAVAILABLE


async def test_a_server_that_takes_no_writes_cannot_be_opened(own_valkey: RedisServer) -> None:
    """Its memory would begin with nothing written, and the first loss would go unnoticed."""
    own_valkey.command("CONFIG", "SET", "maxmemory", "1")
    store = RedisReplayStore(own_valkey.url)
    with pytest.raises(ReplayStoreError) as caught:
        await store.__aenter__()
    assert caught.value.details == {"code": "OOM"}
    await store.aclose()


@pytest.mark.parametrize("call", SCRIPTS)
async def test_whatever_comes_first_begins_the_memory(valkey: RedisServer, store: RedisReplayStore, call: str) -> None:
    await CALLS[call][1](store)
    assert valkey.command("EXISTS", *EPOCHS) == len(EPOCHS)


async def test_a_lease_and_a_mark_live_as_long_as_they_should(valkey: RedisServer) -> None:
    clock = FakeClock()
    store = RedisReplayStore(valkey.url, clock=clock)
    expires_at = clock.now() + THOUSAND_SECONDS
    await store.claim("name", owner="me", issued_at=LATER, expires_at=expires_at, lease=THOUSAND_SECONDS)
    assert 990_000 < valkey.life_of(MARK) <= 1_000_000
    await store.commit("name", owner="me", expires_at=expires_at)
    assert 995_000 < valkey.life_of(MARK) <= 1_005_000
    await store.aclose()


async def test_a_cut_off_before_time_began_is_one_at_its_beginning(store: RedisReplayStore) -> None:
    await store.cut_off("name", before=datetime(1960, 1, 1, tzinfo=UTC), expires_at=LATER)
    assert await store.cut_off_before("name") == datetime(1970, 1, 1, tzinfo=UTC)


async def test_who_gives_back_what_another_holds_is_told_so_even_if_an_answer_was_lost(valkey: RedisServer) -> None:
    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}", timeout=timedelta(seconds=2))
        async with store:
            lease = timedelta(minutes=1)
            await store.claim("name", owner="another", issued_at=LATER, expires_at=LATER, lease=lease)
            proxy.cut()
            proxy.script(Fault(Fate.LOSE))
            assert await store.release("name", owner="me") is False
            assert await store.status("name", issued_at=LATER) is ClaimStatus.RESERVED


async def test_a_store_that_is_opened_again_begins_a_lost_memory_as_a_new_one_does(valkey: RedisServer) -> None:
    """Nobody used it meanwhile, so that no token of the present second was spent."""
    clock = FakeClock()
    store = RedisReplayStore(valkey.url, clock=clock)
    async with store:
        pass
    valkey.flush()
    assert await store.status("name", issued_at=clock.now()) is ClaimStatus.UNUSED
    await store.aclose()


async def test_a_look_at_a_server_that_forgot_begins_its_memory_anew_once(
    valkey: RedisServer, store: RedisReplayStore
) -> None:
    await store.status("name", issued_at=LATER)
    valkey.flush()
    valkey.command("CONFIG", "RESETSTAT")
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(lambda name: store.status(name, issued_at=LATER), f"name {number}")
    assert (await valkey.send("INFO", "commandstats"))["cmdstat_set"]["calls"] == len(EPOCHS)


async def test_without_a_fence_nothing_is_written_by_looking(valkey: RedisServer) -> None:
    store = RedisReplayStore(valkey.url, fence=False)
    assert await store.status("name", issued_at=datetime(2000, 1, 1, tzinfo=UTC)) is ClaimStatus.UNUSED
    assert valkey.command("DBSIZE") == 0
    await store.aclose()


@pytest.mark.parametrize("held", ["no number", "9" * 13, "9" * 17, "9" * 30])
async def test_a_beginning_that_is_none_refuses_the_claim(
    valkey: RedisServer, store: RedisReplayStore, held: str
) -> None:
    await store.status("name", issued_at=LATER)
    for epoch in EPOCHS:
        valkey.command("SET", epoch, held)
    with pytest.raises(ReplayStoreError) as caught:
        await CALLS["claim"][1](store)
    assert caught.value.details == {"code": "ERR"}
    assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN, "the mark was written before the beginning was read"


@pytest.mark.parametrize("held", ["no number", "9" * 18, "9" * 30])
async def test_a_cut_off_that_is_none_is_an_error(valkey: RedisServer, store: RedisReplayStore, held: str) -> None:
    valkey.command("SET", CUT_OFF, held)
    with pytest.raises(ReplayStoreError) as caught:
        await store.cut_off_before("name")
    assert caught.value.details == {"code": "ERR"}


def test_a_mark_that_is_none_leaves_what_became_of_the_claim_open() -> None:
    with pytest.raises(RedisCallError) as caught:
        outcome_of(b"foreign")
    assert (caught.value.code, caught.value.may_have_run) == ("ERR", True)


async def test_a_claim_that_cannot_be_taken_back_is_refused_all_the_same(own_valkey: RedisServer) -> None:
    store = RedisReplayStore(own_valkey.url)
    async with store:
        own_valkey.command("ACL", "SETUSER", "default", "-eval", "-evalsha")
        outcome = await store.claim("name", owner="me", issued_at=datetime(2000, 1, 1, tzinfo=UTC), expires_at=LATER)
    assert outcome is ClaimOutcome.UNPROVABLE


def test_a_call_may_take_two_seconds_unless_something_else_was_asked_for() -> None:
    assert RedisReplayStore("redis://127.0.0.1:1")._link.timeout == 2.0
    assert RedisReplayStore("redis://127.0.0.1:1", timeout=THOUSAND_SECONDS)._link.timeout == 1000.0


async def test_it_says_what_its_server_says_of_itself(store: RedisReplayStore) -> None:
    assert set(await store.checks()) == {"eviction", "role"}


@pytest.mark.parametrize("call", ["claim", *SCRIPTS])
async def test_a_write_counts_only_if_as_many_replicas_as_asked_for_confirm_it(valkey: RedisServer, call: str) -> None:
    store = RedisReplayStore(valkey.url, replicas=1, timeout=timedelta(seconds=1.5))
    await CALLS["status"][1](store)
    with pytest.raises(ReplayStoreError) as caught:
        await CALLS[call][1](store)
    assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
    await store.aclose()


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("lease", [None, MINUTE], ids=["spend", "reserve"])
@pytest.mark.parametrize("before", [None, MINUTE], ids=["spent", "reserved"])
async def test_who_owns_a_mark_may_ask_again_and_it_is_spent_if_he_ever_asked_for_that(
    store: RedisReplayStore, before: timedelta | None, lease: timedelta | None
) -> None:
    for each in (before, lease):
        outcome = await store.claim("name", owner="me", issued_at=LATER, expires_at=LATER, lease=each)
        assert outcome is ClaimOutcome.ACCEPTED
    is_spent = before is None or lease is None
    assert await store.status("name", issued_at=LATER) is (ClaimStatus.SPENT if is_spent else ClaimStatus.RESERVED)
    another = ClaimOutcome.SPENT if is_spent else ClaimOutcome.RESERVED
    assert await store.claim("name", owner="you", issued_at=LATER, expires_at=LATER) is another
