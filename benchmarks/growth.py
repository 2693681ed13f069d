"""What grows, and what must not? `python -m benchmarks.growth [--quick] [--json] [--uvloop]`.

The cost of a verify against the number of key versions in the ring, and against the number of spent tokens that are
remembered, in memory and in Redis; the cost of a batch of claims against its size; and the memory of a process against
the number of tokens that it has minted and spent.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta

from benchmarks.endurance import memory_over_time
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Sample, Scale, Subject, interleaved
from benchmarks.server import redis_server
from benchmarks.services import ISSUER, SESSION, TICKET, service, tickets
from benchmarks.tasks import in_tasks
from mintkey import TokenService
from mintkey.ids import new_id
from mintkey.jose.jwk import generate
from mintkey.keys import (
    KeyMaterial,
    MemoryKeyProvider,
    Plaintext,
    RotationPolicy,
    SealedCustodian,
    StaticKeyProvider,
)
from mintkey.keys.document import encode
from mintkey.keys.ring import Ring, RingVersion
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.replay import ClaimOutcome, MemoryReplayStore, RedisReplayStore

_VERSIONS = (1, 10, 100, 1_000)
_MARKS = (0, 10_000, 1_000_000)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_FILL_AT_ONCE = 100_000
_FILL = """
for i = ARGV[1], ARGV[2] do
    redis.call('SET', string.format('mk{0}%022d', i), 's0123456789012345678901', 'PX', 3600000)
end
"""


async def measure(scale: Scale) -> Report:
    """Every curve, and how far it is from flat or straight."""
    answers = (
        await memory_over_time(scale),  # first, as long as this process has no memory to use again
        await _ring_size(scale),
        await _live_marks(scale),
        await _batches(scale),
    )
    figures = tuple(figure for answer in answers for figure in answer.figures)
    return Report(figures, tuple(plot for answer in answers for plot in answer.plots))


async def _ring_size(scale: Scale) -> Report:
    """Tokens of one version, and of all versions in turn, in rings of several sizes."""
    kinds = {"one": "tokens of one version", "all": "tokens of all versions in turn"}
    subjects: dict[str, Subject] = {}
    for size in _VERSIONS:
        tokens, texts = await _ring_of(scale.of(size))
        subjects[f"one {size}"] = in_tasks(_verify_with(tokens), itertools.cycle(texts[-1:]), 1)
        subjects[f"all {size}"] = in_tasks(_verify_with(tokens), itertools.cycle(texts), 1)
    samples = await interleaved(subjects, scale=scale, calls=scale.of(400))
    figures: list[Figure] = []
    lines: list[Line] = []
    for kind, what in kinds.items():
        curve = [samples[f"{kind} {size}"] for size in _VERSIONS]
        growth = curve[0].times_faster_than(curve[-1])
        what_grows = f"verify with 1,000 key versions / with 1, {what}"
        figures.append(Figure("growth", what_grows, growth, "x", 1.2, 1.1, at_least=False))
        lines.append(Line(what, _VERSIONS, _microseconds(curve)))
    title = "EdDSA verify against the size of the ring"
    plot = Plot("ring-size", title, "key versions that verify", "microseconds", tuple(lines), log_x=True)
    return Report(tuple(figures), (plot,))


async def _ring_of(size: int) -> tuple[TokenService, Sequence[str]]:
    """A service whose ring has so many versions that verify, and a token of each.

    The ring is written as if it had rotated so often: a thousand real rotations take as long as everything else here.
    """
    store, until = MemoryKeyRingStore(), time.time() + timedelta(days=1).total_seconds()
    texts: list[str] = []
    versions: list[RingVersion] = []
    for _ in range(size - 1):
        key = generate("EdDSA")
        material = KeyMaterial(kid=key.kid, algorithm=key.algorithm, public_jwk=key.public_jwk, handle="")
        past = RingVersion(material=material, created_at=0.0, activates_at=0.0, retires_at=1.0, verify_until=until)
        versions.append(past)
        then = TokenService(issuer=ISSUER, keys=StaticKeyProvider({"keys": [key.private_jwk]}))
        texts.append(await then.mint(SESSION, subject="20"))
    custodian = SealedCustodian(Plaintext(), ring="default")
    signing = await custodian.create("EdDSA")
    versions.append(RingVersion(material=signing, created_at=1.0, activates_at=1.0))
    await store.compare_and_swap("default", expected=0, document=encode(Ring(tuple(versions))))
    keys = MemoryKeyProvider(store=store, policy=RotationPolicy(every=None), custodian=custodian)
    tokens = TokenService(issuer=ISSUER, keys=keys)
    texts.append(await tokens.mint(SESSION, subject="20"))
    return tokens, texts


async def _live_marks(scale: Scale) -> Report:
    """What a verify that spends takes with so many spent tokens remembered."""
    in_memory = {marks: service("HS256", replay=await _full_memory(scale, marks)) for marks in _MARKS}
    samples = {"memory": await _spending(in_memory, scale, tasks=1)}
    async with AsyncExitStack() as stack:
        in_redis: dict[int, TokenService] = {}
        for marks in _MARKS:  # a server for each number, so that they can take turns
            store = RedisReplayStore(stack.enter_context(_full_redis(scale, marks)))
            in_redis[marks] = service("HS256", replay=await stack.enter_async_context(store))
        samples["Redis, 100 tasks"] = await _spending(in_redis, scale, tasks=100)
    figures = [
        Figure(
            "growth",
            f"verify + spend with 1,000,000 spent tokens / with none, {where}",
            found[0].times_faster_than(found[-1]),
            "x",
            1.2,
            1.1,
            at_least=False,
        )
        for where, found in samples.items()
    ]
    names = tuple(f"{marks:,}" for marks in _MARKS)
    lines = tuple(Line(where, names, _microseconds(found)) for where, found in samples.items())
    title = "HS256 verify and spend against what is remembered"
    return Report(tuple(figures), (Plot("live-marks", title, "spent tokens remembered", "microseconds", lines),))


async def _full_memory(scale: Scale, marks: int) -> MemoryReplayStore:
    store, now, owner = MemoryReplayStore(), datetime.now(UTC), new_id()
    until = now + timedelta(hours=1)
    for _ in range(scale.of(marks)):
        outcome = await store.claim(new_id(), owner=owner, issued_at=now, expires_at=until)
        assert outcome is ClaimOutcome.ACCEPTED
    return store


@contextmanager
def _full_redis(scale: Scale, marks: int) -> Iterator[str]:
    with redis_server() as server:
        for first in range(0, scale.of(marks), _FILL_AT_ONCE):
            last = min(first + _FILL_AT_ONCE, scale.of(marks)) - 1
            server.command("EVAL", _FILL, "0", str(first), str(last))
        yield server.url


async def _spending(services: Mapping[int, TokenService], scale: Scale, *, tasks: int) -> list[Sample]:
    calls = scale.of(1_000)
    count = (scale.rounds + 1) * calls
    subjects = {
        str(marks): in_tasks(_spend_with(tokens), iter(await tickets(tokens, TICKET, count)), tasks)
        for marks, tokens in services.items()
    }
    samples = await interleaved(subjects, scale=scale, calls=calls)
    return [samples[str(marks)] for marks in services]


async def _batches(scale: Scale) -> Report:
    """Claims that are asked for in one turn of the loop, and so share one round trip."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(redis_server())
        store = await stack.enter_async_context(RedisReplayStore(server.url))
        subjects = {str(size): _batch_of(store, size) for size in _BATCHES}
        samples = await interleaved(subjects, scale=scale, calls=scale.of(1_024))
    curve = [samples[str(size)] for size in _BATCHES]
    each = [sample.median for sample in curve]
    whole = [size * seconds for size, seconds in zip(_BATCHES, each, strict=True)]
    slope, intercept = statistics.linear_regression(_BATCHES, whole)
    figures = (
        Figure(
            "growth",
            "claim batches: how straight the line is (r²)",
            statistics.correlation(_BATCHES, whole) ** 2,
            "",
            0.98,
            0.995,
        ),
        Figure(
            "growth",
            "claim batches: a claim in 512 / in 128",
            curve[-3].times_faster_than(curve[-1]),
            "x",
            1.2,
            1.1,
            at_least=False,
        ),
        Figure("", "claim batches: each batch", intercept * 1e6, "µs", at_least=False),
        Figure("", "claim batches: each claim in it", slope * 1e6, "µs", at_least=False),
    )
    fit = tuple((intercept + slope * size) * 1e6 for size in _BATCHES)
    plots = (
        Plot(
            "claim-batch",
            "A batch of claims against its size",
            "claims in the batch",
            "microseconds a batch",
            (
                Line("measured", _BATCHES, tuple(seconds * 1e6 for seconds in whole)),
                Line("straight line", _BATCHES, fit, reference=True),
            ),
        ),
        Plot(
            "claim-in-batch",
            "A claim against the size of its batch",
            "claims in the batch",
            "microseconds a claim",
            (Line("measured", _BATCHES, _microseconds(curve)),),
            log_x=True,
            log_y=True,
        ),
    )
    return Report(figures, plots)


def _batch_of(store: RedisReplayStore, size: int) -> Subject:
    issued_at = datetime.now(UTC)
    expires_at = issued_at + timedelta(hours=1)

    async def claim(name: str) -> None:
        outcome = await store.claim(name, owner=name, issued_at=issued_at, expires_at=expires_at)
        assert outcome is ClaimOutcome.ACCEPTED

    async def subject(calls: int) -> None:
        for _ in range(max(1, calls // size)):
            await asyncio.gather(*(claim(new_id()) for _ in range(size)))

    return subject


def _verify_with(tokens: TokenService) -> Callable[[str], Awaitable[object]]:
    return lambda text: tokens.verify(text, SESSION)


def _spend_with(tokens: TokenService) -> Callable[[str], Awaitable[object]]:
    return lambda text: tokens.verify(text, TICKET)


def _microseconds(samples: Iterable[Sample]) -> tuple[float, ...]:
    return tuple(sample.median * 1e6 for sample in samples)


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
