"""How many instructions does it take? A figure without noise, for the few paths that a change must not make longer.

Callgrind counts what one process executes, and writes its counters at every call of a function of the C library that
nobody else calls. The clock stands still and hashes have no seed: the same source gives the same figures, within some
tenths of a per cent. They say nothing about time, and depend on the processor, Python and OpenSSL: compare them with
those of an earlier revision on the same machine.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.instructions_worker import MARK, TASKS
from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from tests.support.servers import running

__all__ = ["measure"]

_CALLS = 200


async def measure(scale: Scale) -> Report:
    """Instructions a call, if there is something to count them with."""
    if shutil.which("valgrind") is None:
        return Report((), notes=("instructions: not available, valgrind is not installed",))
    with running("valkey") as server:
        counts = _counts(str(TASKS if scale.quick else _CALLS), server.url)
    rows = {
        "EdDSA mint, above the bare signature": counts["EdDSA mint"] - counts["EdDSA sign"],
        "HS256 mint": counts["HS256 mint"],
        "HS256 verify": counts["HS256 verify"],
        f"claim in Redis, {TASKS} tasks": counts["claim"],
    }
    return Report(tuple(Figure("", what, value, unit="instr.", at_least=False) for what, value in rows.items()))


def _counts(*arguments: str) -> dict[str, float]:
    """Instructions a call, by what was done."""
    with TemporaryDirectory() as folder:
        counters = Path(folder) / "counters"
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}"]
        command = [
            *valgrind,
            f"--callgrind-out-file={counters}",
            sys.executable,
            "-m",
            "benchmarks.instructions_worker",
        ]
        run = subprocess.run(  # noqa: S603 - our own module
            [*command, *arguments],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"callgrind failed:\n{run.stderr}")
        done: list[tuple[str, int]] = json.loads(run.stdout)
        # The first file is what led to the first mark; the one without a number is what followed the last.
        return {name: _total(Path(f"{counters}.{2 + n}")) / calls for n, (name, calls) in enumerate(done)}


def _total(file: Path) -> int:
    lines: Sequence[str] = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("totals:"))


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
