"""What does a mint cost the store as a fleet grows? `python -m benchmarks.fleet [--quick] [--plot FILE]`.

One ring in a real server, a cap of a million mints, and 1, 8 and 32 processes that mint as fast as they can. The server
itself counts what it was asked; every command of the ring store is a round trip of its own. A counter that is raised
for every token would cost 1 a mint.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet_worker import CAP
from tests.support.processes import results
from tests.support.servers import RedisServer, running

MUST, AIM = 0.01, 0.001

_ROUND_TRIPS = frozenset({"eval", "evalsha", "hgetall", "subscribe"})
"""What the ring store asks for; `time` travels with `hgetall`, and the rest is the handshake of a connection."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one fleet cost.

    Attributes:
        processes: How many there were.
        mints: What they minted in all.
        round_trips: What the server was asked for meanwhile.
    """

    processes: int
    mints: int
    round_trips: int

    @property
    def ratio(self) -> float:
        """Round trips a mint."""
        return self.round_trips / self.mints


def measure(server: RedisServer, processes: int, mints: int) -> Figure:
    """The figure of one fleet on an empty server."""
    server.command("FLUSHALL")
    server.command("CONFIG", "RESETSTAT")
    minted = sum(results("benchmarks.fleet_worker", *[("mint", server.url, mints)] * processes, patience=600))
    stats: dict[str, dict[str, int]] = server.command("INFO", "commandstats")
    asked = sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in _ROUND_TRIPS)
    return Figure(processes, minted, asked)


def plot(figures: Sequence[Figure], path: Path) -> None:
    """Draw the figures."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "mintkey"  # the same figures make the same file
    plt.rcParams["svg.fonttype"] = "none"
    drawing, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    names = [str(figure.processes) for figure in figures]
    axes.plot(
        names, [figure.ratio for figure in figures], marker="o", color="#2b6cb0", label="mintkey, blocks of mints"
    )
    axes.axhline(1, color="#9b2c2c", linestyle="-", linewidth=1, label="a counter raised for every token")
    axes.axhline(MUST, color="#555555", linestyle="--", linewidth=1, label=f"must stay below {MUST}")
    axes.axhline(AIM, color="#555555", linestyle=":", linewidth=1, label=f"aim {AIM}")
    for name, figure in zip(names, figures, strict=True):
        axes.annotate(
            f"{figure.ratio:.5f}", (name, figure.ratio), textcoords="offset points", xytext=(0, -15), ha="center"
        )
    axes.set_yscale("log")
    axes.set_ylim(1e-4, 3)
    axes.set_xlabel("processes on one ring, each minting as fast as it can")
    axes.set_ylabel("store round trips a mint")
    axes.set_title(f"Hard cap of {CAP:,} mints a key, counted over the whole fleet")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.87), frameon=False, fontsize=8)
    axes.margins(x=0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, metadata={"Date": None})


def main(arguments: Sequence[str]) -> int:
    """Measure, print, draw; the exit code says whether the must was met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small fleets and few mints: whether it works, no figures")
    parser.add_argument("--plot", type=Path, help="write an SVG")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    fleets, mints = ((1, 2), 300) if options.quick else ((1, 8, 32), 20_000)
    figures: list[Figure] = []
    with running("valkey") as server:
        for processes in fleets:
            print(f"{processes} processes × {mints:,} mints …", file=sys.stderr)
            figures.append(measure(server, processes, mints))
    if options.json:
        print(json.dumps([{"processes": f.processes, "mints": f.mints, "round_trips": f.round_trips} for f in figures]))
    else:
        print(f"{'processes':>9}  {'mints':>9}  {'round trips':>11}  {'a mint':>9}  must < {MUST}  aim < {AIM}")
        for f in figures:
            marks = f"{'yes' if f.ratio < MUST else 'NO':>11}  {'yes' if f.ratio < AIM else 'no':>11}"
            print(f"{f.processes:>9}  {f.mints:>9,}  {f.round_trips:>11,}  {f.ratio:>9.5f}  {marks}")
    if options.plot is not None:
        plot(figures, options.plot)
    return 0 if options.quick or all(f.ratio < MUST for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
