"""What does a mint cost the store as a fleet grows?

One ring in a real server, a cap of a million mints, and 1, 8 and 32 processes that mint as fast as they can, with HMAC,
which is fastest. The server itself counts what it was asked; every command of the ring store is a round trip of its
own. A counter that is raised for every token would cost 1 a mint.
"""

import sys
from collections.abc import Mapping

from benchmarks.fleet_worker import CAP
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rounds import Scale
from tests.support.processes import results
from tests.support.servers import RedisServer, running

__all__ = ["measure"]

MUST, AIM = 0.01, 0.001

_FLEETS, _SMALL_FLEETS = (1, 8, 32), (1, 2)
_MINTS, _FEW_MINTS = 20_000, 300
"""For each process. Few of them are mostly the first looks and the first blocks."""

_ROUND_TRIPS = frozenset({"eval", "evalsha", "hgetall", "subscribe"})
"""What the ring store asks for; `time` travels with `hgetall`, and the rest is the handshake of a connection."""


async def measure(scale: Scale) -> Report:
    """Round trips a mint, fleet by fleet, each on an empty server."""
    fleets, mints = (_SMALL_FLEETS, _FEW_MINTS) if scale.quick else (_FLEETS, _MINTS)
    ratios: dict[int, float] = {}
    with running("valkey") as server:
        for processes in fleets:
            print(f"  {processes} processes × {mints:,} mints …", file=sys.stderr)
            ratios[processes] = _round_trips_a_mint(server, processes, mints)
    figures = (
        Figure(
            "P16",
            f"store round trips a mint, {processes} {'process' if processes == 1 else 'processes'}",
            ratio,
            unit="",
            must=MUST,
            aim=AIM,
            at_least=False,
        )
        for processes, ratio in ratios.items()
    )
    return Report(tuple(figures), (_plot(ratios),))


def _round_trips_a_mint(server: RedisServer, processes: int, mints: int) -> float:
    server.command("FLUSHALL")
    server.command("CONFIG", "RESETSTAT")
    minted = sum(results("benchmarks.fleet_worker", *[("mint", server.url, mints)] * processes, patience=600))
    stats: dict[str, dict[str, int]] = server.command("INFO", "commandstats")
    asked = sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in _ROUND_TRIPS)
    return asked / int(minted)


def _plot(ratios: Mapping[int, float]) -> Plot:
    fleets = tuple(str(processes) for processes in ratios)
    goals = {"a counter raised for every token": 1.0, f"must stay below {MUST}": MUST, f"aim {AIM}": AIM}
    return Plot(
        file="fleet-round-trips",
        title=f"Hard cap of {CAP:,} mints a key, counted over the whole fleet",
        x="processes on one ring, each minting as fast as it can",
        y="store round trips a mint",
        lines=(
            Line("mintkey, blocks of mints", fleets, tuple(ratios.values())),
            *(Line(name, fleets, (goal,) * len(fleets), reference=True) for name, goal in goals.items()),
        ),
        log_y=True,
        values=True,
    )


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
