"""Since when a server remembers: what is read, what is known of it, and which moment nobody can tell from the next."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.errors import Reason, ReplayStoreError
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.redis_keys import Keys
from mintkey.replay.redis_marks import RESERVED, SPENT, holder_of, is_held_by, is_of, tag_of
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

KEYS = Keys("mk")
MARK = KEYS.mark("name")[1]
EPOCH = KEYS.mark("name")[0].epoch
OLD = datetime(2000, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def store(valkey: RedisServer) -> AsyncIterator[RedisReplayStore]:
    store = RedisReplayStore(valkey.url)
    yield store
    await store.aclose()


async def claim(
    store: RedisReplayStore, owner: str, issued_at: datetime, *, lease: timedelta | None = None
) -> ClaimOutcome:
    return await store.claim("name", owner=owner, issued_at=issued_at, expires_at=LATER, lease=lease)


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        # Its `iat` has no fractions: it is the same second, and the next token that is minted is dated so, too.
        (timedelta(seconds=0.7), ClaimOutcome.ACCEPTED),
        (timedelta(seconds=0.8), ClaimOutcome.UNPROVABLE),
    ],
    ids=["in the second of its iat", "in the next"],
)
async def test_only_the_second_of_an_opening_is_left_open(
    valkey: RedisServer, after: timedelta, outcome: ClaimOutcome
) -> None:
    """Spent, then the memory is lost, and a new process is the first to come: documented in guarantees.md."""
    clock = FakeClock(BEGIN + timedelta(seconds=0.2))
    async with RedisReplayStore(valkey.url, clock=clock) as before:
        assert await claim(before, "one", BEGIN) is ClaimOutcome.ACCEPTED
    valkey.flush()
    clock.advance(after)
    async with RedisReplayStore(valkey.url, clock=clock) as opened:
        assert await claim(opened, "another", BEGIN) is outcome


async def test_a_clock_that_is_ahead_leaves_as_much_more_open(valkey: RedisServer) -> None:
    clock = FakeClock(BEGIN)
    async with RedisReplayStore(valkey.url, clock=clock) as before:
        ahead = BEGIN + 3 * SECOND
        assert await claim(before, "one", ahead) is ClaimOutcome.ACCEPTED
    valkey.flush()
    clock.advance(timedelta(seconds=3.9))
    async with RedisReplayStore(valkey.url, clock=clock) as opened:
        assert await claim(opened, "another", ahead) is ClaimOutcome.ACCEPTED
    valkey.flush()
    clock.advance(timedelta(seconds=0.1))
    async with RedisReplayStore(valkey.url, clock=clock) as opened:
        assert await claim(opened, "a third", ahead) is ClaimOutcome.UNPROVABLE


async def test_who_notices_while_it_runs_leaves_nothing_open(valkey: RedisServer) -> None:
    clock = FakeClock(BEGIN)
    async with RedisReplayStore(valkey.url, clock=clock) as running:
        ahead = BEGIN + 5 * SECOND
        assert await claim(running, "one", ahead) is ClaimOutcome.ACCEPTED
        valkey.flush()
        assert await claim(running, "another", ahead) is ClaimOutcome.UNPROVABLE
        async with RedisReplayStore(valkey.url, clock=clock) as opened:
            assert await claim(opened, "a third", ahead) is ClaimOutcome.UNPROVABLE


async def test_nothing_is_written_for_a_token_that_is_older_than_the_memory(
    valkey: RedisServer, store: RedisReplayStore
) -> None:
    """Not for a moment, so that nobody else can be told of it."""
    await store.__aenter__()
    valkey.command("CONFIG", "RESETSTAT")
    for lease in (None, SECOND):
        assert await claim(store, "me", OLD, lease=lease) is ClaimOutcome.UNPROVABLE
    assert "cmdstat_set" not in await valkey.send("INFO", "commandstats")
    await store.aclose()


@pytest.mark.parametrize(
    ("mark", "outcome"),
    [
        (b"x", ClaimOutcome.REVOKED),
        (SPENT + holder_of("another") + b"%(now)b", ClaimOutcome.SPENT),
        (RESERVED + holder_of("another") + b"%(now)b", ClaimOutcome.RESERVED),
        (SPENT + holder_of("another") + tag_of(1), ClaimOutcome.UNPROVABLE),
        (RESERVED + holder_of("another") + tag_of(1), ClaimOutcome.UNPROVABLE),
        (SPENT + holder_of("another") + b"older", ClaimOutcome.UNPROVABLE),
    ],
    ids=["revoked", "spent", "reserved", "spent elsewhere", "reserved elsewhere", "of another format"],
)
async def test_what_a_mark_says_of_an_old_token_depends_on_the_memory_that_it_was_written_into(
    valkey: RedisServer, store: RedisReplayStore, mark: bytes, outcome: ClaimOutcome
) -> None:
    """In a claim, whether or not it is known that the token is old, and in a look."""
    assert await store.status("name", issued_at=OLD) is ClaimStatus.UNPROVABLE
    now = tag_of(int(valkey.command("GET", EPOCH)))
    valkey.command("SET", MARK, mark.replace(b"%(now)b", now))
    assert await claim(store, "me", OLD) is outcome
    assert await store.status("name", issued_at=OLD) is ClaimStatus(outcome)
    # And to who can prove that nothing was forgotten each of them is what it says.
    assert await claim(store, "me", LATER) is not ClaimOutcome.UNPROVABLE
    assert valkey.command("EXISTS", MARK)


async def test_a_memory_that_reaches_back_again_is_believed(valkey: RedisServer, store: RedisReplayStore) -> None:
    """A backup that was restored, or a fail-over to the server that had been in charge before."""
    assert await claim(store, "me", OLD) is ClaimOutcome.UNPROVABLE
    valkey.command("SET", EPOCH, str(int(OLD.timestamp())))
    assert await claim(store, "me", OLD) is ClaimOutcome.ACCEPTED
    assert await claim(store, "you", OLD) is ClaimOutcome.SPENT


async def test_a_beginning_that_is_none_is_told_by_who_needs_it(valkey: RedisServer) -> None:
    """Opening does not: it cannot say what became of whose token. Nothing was written by the claim that asked first."""
    valkey.command("SET", EPOCH, "no number")
    store = RedisReplayStore(valkey.url)
    async with store:
        with pytest.raises(ReplayStoreError) as caught:
            await claim(store, "me", LATER)
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        assert valkey.command("EXISTS", MARK) == 0


async def test_an_owner_is_known_again_whatever_memory_he_wrote_into(
    valkey: RedisServer, store: RedisReplayStore
) -> None:
    """Known by the owner alone: a reservation is committed, given back or spent though a new memory has begun since."""
    before = RESERVED + holder_of("me") + tag_of(1)
    await store.status("name", issued_at=LATER)
    valkey.command("SET", MARK, before)
    assert await claim(store, "me", LATER, lease=SECOND) is ClaimOutcome.ACCEPTED
    assert await claim(store, "me", LATER) is ClaimOutcome.ACCEPTED
    assert await claim(store, "you", LATER) is ClaimOutcome.SPENT
    valkey.command("SET", MARK, before)
    assert await store.commit("name", owner="me", expires_at=LATER)
    assert await store.commit("name", owner="me", expires_at=LATER)
    valkey.command("SET", MARK, before)
    assert await store.release("name", owner="me")
    assert valkey.command("EXISTS", MARK) == 0


def test_memories_that_follow_one_another_have_tags_of_their_own() -> None:
    begins = 1_767_225_600
    assert len({tag_of(begins + seconds) for seconds in range(65_536)}) == 65_536
    assert {len(tag_of(begins + seconds)) for seconds in (0, 1, -1, -begins, 10**9)} == {2}


@pytest.mark.parametrize("held", [None, b"", b"x", b"x" + holder_of("me"), 7, [], SPENT + holder_of("you") + tag_of(1)])
def test_what_is_not_his_is_nobody_s_claim_to_a_mark(held: object) -> None:
    assert not is_held_by(held, holder_of("me"))  # type: ignore[arg-type]  # whatever a server may answer


@pytest.mark.parametrize("held", [None, 7, [], b"", SPENT + holder_of("you") + tag_of(1)])
def test_what_is_of_no_memory_or_of_another_proves_nothing(held: object) -> None:
    assert not is_of(held, tag_of(2))  # type: ignore[arg-type]  # whatever a server may answer


async def test_who_saw_that_the_memory_is_gone_writes_no_mark_before_he_knows_of_another(
    own_valkey: RedisServer,
) -> None:
    store = RedisReplayStore(own_valkey.url)
    async with store:
        assert await store.status("name", issued_at=LATER) is ClaimStatus.UNUSED
        own_valkey.flush()
        own_valkey.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ReplayStoreError):
            await store.status("name", issued_at=LATER)
        own_valkey.command("CONFIG", "SET", "maxmemory", "0")
        own_valkey.command("CONFIG", "RESETSTAT")
        assert await claim(store, "me", LATER) is ClaimOutcome.UNPROVABLE
        calls = (await own_valkey.send("INFO", "commandstats"))["cmdstat_set"]["calls"]
        assert calls == len(KEYS.buckets), "those that begin the memory"


async def test_a_claim_that_finds_all_well_is_three_commands_and_without_a_fence_two(valkey: RedisServer) -> None:
    for fence, reads in ((True, 2), (False, 1)):
        async with RedisReplayStore(valkey.url, prefix=f"fence-{fence}", fence=fence) as store:
            valkey.command("CONFIG", "RESETSTAT")
            assert await claim(store, "me", LATER) is ClaimOutcome.ACCEPTED
            stats = await valkey.send("INFO", "commandstats")
            assert (stats["cmdstat_set"]["calls"], stats["cmdstat_get"]["calls"]) == (1, reads)


async def test_a_mark_that_is_spent_lives_on_though_it_is_spent_again_for_less(
    valkey: RedisServer, store: RedisReplayStore
) -> None:
    assert await claim(store, "me", LATER) is ClaimOutcome.ACCEPTED
    before = valkey.life_of(MARK)
    assert await store.commit("name", owner="me", expires_at=datetime.now(UTC) + SECOND)
    assert valkey.life_of(MARK) > before - 10_000


async def test_what_was_reserved_and_then_spent_names_its_memory_still(
    valkey: RedisServer, store: RedisReplayStore
) -> None:
    """It was granted: after a loss it stays a proof to whoever reads it."""
    assert await claim(store, "owner", LATER, lease=timedelta(seconds=30)) is ClaimOutcome.ACCEPTED
    assert await store.commit("name", owner="owner", expires_at=LATER)
    bucket, mark = store._keys.mark("name")
    held, begins = await valkey.send("GET", mark), await valkey.send("GET", bucket.epoch)
    assert is_of(held.encode("utf-8", "surrogateescape"), tag_of(int(begins)))
