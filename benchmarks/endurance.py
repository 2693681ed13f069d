"""The memory of a process against the number of tokens that it has minted and spent."""

from datetime import timedelta
from typing import Any

from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.resident import resident_bytes
from benchmarks.rounds import Scale
from benchmarks.services import AUDIENCE, ISSUER
from mintkey import MintRequest, Purpose, TokenService
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock

__all__ = ["memory_over_time"]

_TOKENS = 1_000_000
_A_SECOND = 1_000
_POINTS = 40
_MEBIBYTE = 2**20

_BRIEF = Purpose[dict[str, Any]](
    "brief", lifetime=timedelta(seconds=10), audience=AUDIENCE, single_use=True, leeway=timedelta(0)
)


async def memory_over_time(scale: Scale) -> Report:
    """A clock that moves on: keys rotate, tokens expire, and what they left behind is cleaned away."""
    clock, total = FakeClock(), scale.of(_TOKENS)
    policy = RotationPolicy(every=timedelta(minutes=1), previous_ttl=timedelta(seconds=30), publish_ahead=timedelta(0))
    keys = MemoryKeyProvider(algorithm="HS256", policy=policy, clock=clock)
    replay = MemoryReplayStore(clock=clock)
    a_second = [MintRequest[dict[str, Any]](subject="20")] * min(_A_SECOND, total // _POINTS)
    counts, sizes = [], []
    async with TokenService(issuer=ISSUER, keys=keys, replay=replay, clock=clock) as tokens:
        for point in range(1, _POINTS + 1):
            for _ in range(total // _POINTS // len(a_second)):
                for text in await tokens.mint_many(_BRIEF, a_second):
                    await tokens.verify(text, _BRIEF)
                clock.advance(timedelta(seconds=1))
            counts.append(point * total // _POINTS)
            sizes.append(resident_bytes() / _MEBIBYTE)
    what = "memory of a process after 1,000,000 mint + spend / after 100,000"
    grown = Figure("growth", what, sizes[-1] / sizes[_POINTS // 10 - 1], "x", 1.1, 1.02, at_least=False)
    line = Line("resident memory", tuple(counts), tuple(sizes))
    title = "One process mints and spends a million tokens"
    return Report((grown,), (Plot("memory-over-time", title, "tokens minted and spent", "MiB", (line,)),))
