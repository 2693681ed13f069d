"""What is left of AWS KMS at the end of a bad line? `python -m benchmarks.kms [--quick] [--json] [--uvloop]`.

Every answer is 300 ms late, and one signature in twenty is refused as KMS refuses when it is busy. Fifty tasks mint at
once, one token after the other. No mint may fail, nobody else of the event loop may notice, and what limits the
throughput is the number of requests that are allowed under way at a time: a lossless line would give concurrency /
latency. KMS, and the line, are processes of their own.
"""

import asyncio
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from benchmarks.services import ISSUER, SESSION
from benchmarks.ticker import Ticker
from mintkey import BackendError, TokenService
from mintkey.keys import AwsKmsCustodian, MemoryKeyProvider, RotationPolicy
from tests.support.processes import process

_LATENCY = 0.3
_FAILING = 0.05
_AT_ONCE = 50
_EACH = 4
_CONCURRENCY = (8, 16)
_LONGEST_STALL = 20.0
_LEAST_THROUGHPUT = 0.8  # of a line that loses nothing; what is asked for twice takes 5 %, the last ones' wait the rest
_ROUNDS = 3
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "NO_PROXY": "127.0.0.1"}


async def measure(scale: Scale) -> Report:
    """Failed mints, stalls, and the throughput, for a few bounds of concurrency."""
    latency = 0.02 if scale.quick else _LATENCY
    figures: list[Figure] = []
    idle: list[float] = []
    with _line(latency) as url:
        for concurrency in _CONCURRENCY:
            turns: list[_Turn] = []
            for _ in range(1 if scale.quick else _ROUNDS):
                turns.append(await _turn(url, concurrency, scale))
                idle.append(await _idle(turns[-1].seconds))
            what = f"{_AT_ONCE} mints at once, {concurrency} requests under way:"
            share = statistics.median(turn.rate for turn in turns) * latency / concurrency
            stall = statistics.median(turn.stall for turn in turns) * 1000
            slowest = max(turn.slowest for turn in turns)
            figures += [
                Figure("kms", f"{what} failed", sum(turn.failed for turn in turns), "", 0, at_least=False),
                Figure("kms", f"{what} stall", stall, "ms", _LONGEST_STALL, at_least=False),
                Figure("kms", f"{what} a second / (concurrency / latency)", share, "x", _LEAST_THROUGHPUT),
                Figure("", f"{what} the slowest", slowest, "s", at_least=False),
            ]
    stall = statistics.median(idle) * 1000
    figures.append(Figure("", "an idle loop for as long, beside the mints: stall", stall, "ms", at_least=False))
    return Report(tuple(figures))


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one turn showed.

    Attributes:
        failed: Mints that raised.
        stall: Seconds for which the loop was held at most.
        rate: Mints a second.
        slowest: Seconds that a mint took at most.
        seconds: How long the turn took.
    """

    failed: int
    stall: float
    rate: float
    slowest: float
    seconds: float


async def _turn(url: str, concurrency: int, scale: Scale) -> _Turn:
    custodian = AwsKmsCustodian(endpoint_url=url, region_name="eu-central-1", concurrency=concurrency)
    keys = MemoryKeyProvider(algorithm="ES256", custodian=custodian, policy=RotationPolicy(every=None))
    failed, slowest = 0, 0.0
    async with TokenService(issuer=ISSUER, keys=keys) as tokens:

        async def mint(count: int) -> None:
            nonlocal failed, slowest
            for _ in range(count):
                began = time.perf_counter()
                try:
                    await tokens.mint(SESSION)
                except BackendError:
                    failed += 1
                slowest = max(slowest, time.perf_counter() - began)

        await asyncio.gather(*(mint(1) for _ in range(concurrency)))  # connections
        failed, slowest, each = 0, 0.0, 1 if scale.quick else _EACH
        gc.collect()
        gc.freeze()
        try:
            async with Ticker() as ticker:
                began = time.perf_counter()
                await asyncio.gather(*(mint(each) for _ in range(_AT_ONCE)))
                took = time.perf_counter() - began
        finally:
            gc.unfreeze()
    return _Turn(failed, ticker.longest, _AT_ONCE * each / took, slowest, took)


async def _idle(seconds: float) -> float:
    """Seconds for which a loop is held that has nothing to do, by the ticker and by whatever else the machine does."""
    async with Ticker() as ticker:
        await asyncio.sleep(seconds)
    return ticker.longest


@contextmanager
def _line(latency: float) -> Iterator[str]:
    before = {name: os.environ.get(name) for name in _CREDENTIALS}
    with process("benchmarks.kms_line", (latency, _FAILING)) as started:
        assert started.stdout is not None
        port: int = json.loads(started.stdout.readline())["port"]
        os.environ.update(_CREDENTIALS)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
