"""What does remembering a spent token take? `python -m benchmarks.memory [--quick] [--json] [--uvloop]`.

P13: bytes a mark on a Redis server, as the server itself counts them, and in this process, as the operating system
counts them; and with a million marks in this process the longest that any single claim takes, also while they expire.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.resident import resident_bytes
from benchmarks.rounds import Scale
from benchmarks.server import redis_server, used_memory
from mintkey.ids import new_id
from mintkey.replay import ClaimOutcome, MemoryReplayStore, RedisReplayStore
from mintkey.testing import FakeClock

_MARKS = 1_000_000
_IN_REDIS = 100_000
_LIFE = timedelta(minutes=10)
_FILL_OF_TABLES = (
    f"bytes in Redis are those at {_IN_REDIS:,} spent tokens: its two hash tables double when they are full, so that "
    "each token has between 16 and 32 bytes of them"
)


async def measure(scale: Scale) -> Report:
    """P13."""
    in_memory = await _in_memory(scale.of(_MARKS))  # first, as long as this process has no memory to use again
    in_redis = await _in_redis(scale.of(_IN_REDIS))
    return Report((in_redis, *in_memory), notes=(_FILL_OF_TABLES,))


async def _in_redis(count: int) -> Figure:
    with redis_server() as server:
        async with RedisReplayStore(server.url) as store:
            await _claim_at_once(store, 512)  # connections and buffers are there from now on
            before = used_memory(server)
            await _claim_at_once(store, count)
            each = (used_memory(server) - before) / count
    return Figure("P13", "Redis: a spent token takes", each, "B", 150, 133, at_least=False)


async def _claim_at_once(store: RedisReplayStore, count: int) -> None:
    issued_at = datetime.now(UTC)
    names = (new_id() for _ in range(count))

    async def claim_some() -> None:
        for name in names:
            outcome = await store.claim(name, owner=new_id(), issued_at=issued_at, expires_at=issued_at + _LIFE)
            assert outcome is ClaimOutcome.ACCEPTED

    await asyncio.gather(*(claim_some() for _ in range(256)))


async def _in_memory(count: int) -> list[Figure]:
    """A million tokens that expire evenly over ten minutes: spent, remembered and forgotten."""
    clock = FakeClock()
    gc.collect()
    gc.freeze()
    before = resident_bytes()
    async with MemoryReplayStore(clock=clock) as store:
        filling = await _longest_claim(store, clock, (_LIFE * (number / count) for number in range(count)))
        each = (resident_bytes() - before) / count
        at_full = await _longest_claim(store, clock, (_LIFE for _ in range(max(1, count // 10))))
        clock.advance(timedelta(seconds=30))
        sweeping = 0.0
        for _ in range(600):
            clock.advance(timedelta(seconds=1))
            sweeping = max(
                sweeping, await _longest_claim(store, clock, (_LIFE / 20 for _ in range(max(1, count // 5_000))))
            )
    gc.unfreeze()
    return [
        Figure("P13", "memory store: a spent token takes", each, "B", 130, 107, at_least=False),
        Figure(
            "P13", "memory store: longest claim while a million expire", sweeping * 1000, "ms", 10, 5, at_least=False
        ),
        Figure("P13", "memory store: longest claim at a million", at_full * 1000, "ms", 10, 5, at_least=False),
        Figure("P13", "memory store: longest claim on the way there", filling * 1000, "ms", 10, 5, at_least=False),
    ]


async def _longest_claim(store: MemoryReplayStore, clock: FakeClock, lives: Iterator[timedelta]) -> float:
    """Seconds of processor time: what else the machine does meanwhile does not count."""
    issued_at, longest = clock.now(), 0.0
    before = time.thread_time()
    for life in lives:
        outcome = await store.claim(new_id(), owner=new_id(), issued_at=issued_at, expires_at=issued_at + life)
        assert outcome is ClaimOutcome.ACCEPTED
        now = time.thread_time()
        longest = max(longest, now - before)
        before = now
    return longest


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
