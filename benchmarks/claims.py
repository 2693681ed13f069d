"""What does a spent token cost? `python -m benchmarks.claims [--quick] [--json] [--uvloop]`.

P9, P10: claims at 1, 10, 100 and 1,000 tasks that have one under way each, against a `SET … NX` by redis-py's pool, on
one server. P11: verify and spend, against PyJWT and the pool; PyJWT looks at the kid, as keys that rotate need it. P12:
what the server itself counts.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.naive import LIFE_MS, PipelinedClaims, PooledClaims
from benchmarks.pyjwt import PyJWT
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Sample, Scale, interleaved
from benchmarks.server import reads, redis_server
from benchmarks.services import TICKET, service, tickets
from benchmarks.tasks import in_tasks
from mintkey import TokenReplayedError, TokenService
from mintkey.keys.base import Algorithm
from mintkey.replay import ClaimOutcome, RedisReplayStore
from tests.support.servers import RedisServer

_CALLS = {1: 300, 10: 1_000, 100: 2_500, 1_000: 3_000}
_FASTER: Mapping[int, tuple[float, float]] = {1: (0.9, 1.1), 100: (4.5, 10), 1_000: (8, 15)}
_SPENDS: Mapping[Algorithm, tuple[int, float, float]] = {
    "EdDSA": (1_000, 2.1, 2.5),
    "RS256": (1_000, 4.5, 6),
    "HS256": (2_500, 9, 13),
}
_TASKS = 100
_CROWD = 1_000

Claim = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Claims:
    """The three ways to claim, and names that nobody used yet."""

    pool: Claim
    pipeline: Claim
    ours: Claim
    names: Iterator[str]


async def measure(scale: Scale) -> Report:
    """P9 to P12."""
    with redis_server() as server:
        pool, pipeline = PooledClaims(server.url, most=2 * _CROWD), PipelinedClaims(server.url)
        async with RedisReplayStore(server.url) as store:
            names = map(str, itertools.count(10**21))  # as long as the names of marks are
            claims = _Claims(pool.claim, pipeline.claim, _claim_with(store), names)
            speed, drawn = await _speed(claims, scale)
            figures = [
                *speed,
                await _slowest(claims, scale),
                *[await _spends(algorithm, store, pool, scale) for algorithm in _SPENDS],
                *await _round_trips(server, store, scale),
                await _winners(store, scale),
            ]
        await pool.aclose()
        await pipeline.aclose()
    return Report(tuple(figures), (drawn,))


def _claim_with(store: RedisReplayStore) -> Claim:
    issued_at = datetime.now(UTC)
    expires_at = issued_at + timedelta(milliseconds=LIFE_MS)

    async def claim(name: str) -> None:
        outcome = await store.claim(name, owner=name, issued_at=issued_at, expires_at=expires_at)
        assert outcome is ClaimOutcome.ACCEPTED

    return claim


async def _speed(claims: _Claims, scale: Scale) -> tuple[list[Figure], Plot]:
    samples: dict[int, dict[str, Sample]] = {}
    for tasks, calls in _CALLS.items():
        subjects = {
            "redis.asyncio pool": in_tasks(claims.pool, claims.names, tasks),
            "redis-py pipeline per turn": in_tasks(claims.pipeline, claims.names, tasks),
            "mintkey": in_tasks(claims.ours, claims.names, tasks),
        }
        samples[tasks] = await interleaved(subjects, scale=scale, calls=scale.of(calls), rounds=scale.short_rounds)
    figures: list[Figure] = []
    for tasks, sample in samples.items():
        must, aim = _FASTER.get(tasks, (None, None))
        target = {1: "P10", 100: "P9", 1_000: "P9"}.get(tasks, "")
        ratio = sample["mintkey"].times_faster_than(sample["redis.asyncio pool"])
        figures.append(Figure(target, f"claim, {_tasks(tasks)} / naive pool", ratio, "x", must, aim))
    lines = [
        Line(name, tuple(samples), tuple(1 / sample[name].median for sample in samples.values())) for name in samples[1]
    ]
    drawn = Plot(
        "claim-throughput",
        "Claims on one connection or many",
        "tasks with a claim under way",
        "claims a second",
        tuple(lines),
        log_x=True,
    )
    return figures, drawn


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count:,} tasks"


async def _slowest(claims: _Claims, scale: Scale) -> Figure:
    """The 99th percentile of the time that one claim takes, ours against the pool's."""
    found: dict[str, list[float]] = {"pool": [], "ours": []}
    took: list[float] = []
    subjects = {
        "pool": in_tasks(_timed(claims.pool, took), claims.names, _TASKS),
        "ours": in_tasks(_timed(claims.ours, took), claims.names, _TASKS),
    }
    for _ in range(scale.short_rounds):
        for name, subject in subjects.items():
            took.clear()
            await subject(scale.of(_CALLS[_TASKS]))
            found[name].append(statistics.quantiles(took, n=100)[-1])
    ratio = statistics.median(ours / pool for ours, pool in zip(found["ours"], found["pool"], strict=True))
    return Figure("P10", f"claim, {_TASKS} tasks: p99 / naive p99", ratio, "x", 0.35, 0.2, at_least=False)


def _timed(claim: Claim, took: list[float]) -> Claim:
    async def timed(name: str) -> None:
        began = time.perf_counter()
        await claim(name)
        took.append(time.perf_counter() - began)

    return timed


async def _spends(algorithm: Algorithm, store: RedisReplayStore, pool: PooledClaims, scale: Scale) -> Figure:
    tokens, theirs = service(algorithm, replay=store), PyJWT(algorithm)
    calls, must, aim = _SPENDS[algorithm]
    calls = scale.of(calls)
    count = calls // 5 + (scale.short_rounds + 1) * calls
    fresh, theirs_fresh = iter(await tickets(tokens, TICKET, count)), iter(_encoded(theirs, count))

    async def ours(token: str) -> None:
        await tokens.verify(token, TICKET)

    async def naive(token: str) -> None:
        claims = theirs.decode_by_kid(token)
        assert await pool.claim(claims["jti"])

    subjects = {"naive": in_tasks(naive, theirs_fresh, _TASKS), "ours": in_tasks(ours, fresh, _TASKS)}
    samples = await interleaved(subjects, scale=scale, calls=calls, rounds=scale.short_rounds)
    ratio = samples["ours"].times_faster_than(samples["naive"])
    return Figure("P11", f"verify + spend {algorithm}, {_TASKS} tasks / PyJWT + pool", ratio, "x", must, aim)


def _encoded(theirs: PyJWT, count: int) -> Iterator[str]:
    return iter([theirs.encode(str(number)) for number in range(count)])


async def _round_trips(server: RedisServer, store: RedisReplayStore, scale: Scale) -> list[Figure]:
    tokens = service("HS256", replay=store)
    figures: list[Figure] = []
    for tasks, must, aim in ((1, 1.0, None), (_TASKS, 1.0, 0.05)):
        count = scale.of(200 * tasks)
        fresh = iter(await tickets(tokens, TICKET, count))
        spend = in_tasks(_spend_with(tokens), fresh, tasks)
        asking = -(reads(server) - reads(server))
        before = reads(server)
        await spend(count)
        trips = reads(server) - before - asking
        what = f"round trips a spend, {_tasks(tasks)}"
        figures.append(Figure("P12", what, trips / count, "", must, aim, at_least=False))
    return figures


def _spend_with(tokens: TokenService) -> Claim:
    async def spend(token: str) -> object:
        return await tokens.verify(token, TICKET)

    return spend


async def _winners(store: RedisReplayStore, scale: Scale) -> Figure:
    """In how many of several rounds exactly one of a thousand callers got in."""
    tokens = service("HS256", replay=store)

    async def gets_in(token: str) -> bool:
        try:
            await tokens.verify(token, TICKET)
        except TokenReplayedError:
            return False
        return True

    right = 0
    for token in await tickets(tokens, TICKET, scale.rounds):
        right += sum(await asyncio.gather(*(gets_in(token) for _ in range(scale.of(_CROWD))))) == 1
    what = f"rounds of {_CROWD:,} concurrent spends of one token with exactly one winner"
    return Figure("P12", what, 100 * right / scale.rounds, "%", 100, 100)


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
