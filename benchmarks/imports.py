"""How long does `import mintkey` take above a bare Python, measured against `import joserfc.jwt`?"""

import subprocess
import sys
import time

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale

__all__ = ["measure"]

_STATEMENTS = {"bare": "pass", "ours": "import mintkey", "theirs": "import joserfc.jwt"}
_STARTS = 3
"""A turn is the fastest of so many starts: whatever else a machine does makes a start slower, and never faster."""


async def measure(scale: Scale) -> Report:
    """Processes that start, import and end, in turns."""
    seconds: dict[str, list[float]] = {name: [_start(statement)] for name, statement in _STATEMENTS.items()}
    for _ in range(scale.rounds):
        for name, statement in _STATEMENTS.items():
            seconds[name].append(min(_start(statement) for _ in range(1 if scale.quick else _STARTS)))
    return Report((_figure(*([*seconds[name][1:]] for name in _STATEMENTS)),))  # the first start fills the disk's cache


def _figure(bare: list[float], ours: list[float], theirs: list[float]) -> Figure:
    ratios = sorted((mine - none) / (other - none) for none, mine, other in zip(bare, ours, theirs, strict=True))
    value = ratios[len(ratios) // 2]
    return Figure("P17", "import mintkey, times import joserfc.jwt", value, must=1.3, aim=1.1, at_least=False)


def _start(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603 - nothing else runs here
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
