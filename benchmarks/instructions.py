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

from benchmarks.instructions_worker import MARK, READY, TASKS
from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from tests.support.servers import running

__all__ = ["measure", "total"]

_CALLS = 200
_TOOLS = ("valgrind", "vgdb")
_PATIENCE = 60
"""Seconds that callgrind has to begin to count."""


async def measure(scale: Scale) -> Report:
    """Instructions a call, if there is something to count them with."""
    if not all(map(shutil.which, _TOOLS)):
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


def total(counters: str, /) -> int:
    """All instructions in a file of counters."""
    return next(int(line.split()[1]) for line in counters.splitlines() if line.startswith("totals:"))


def _counts(*arguments: str) -> dict[str, float]:
    """Instructions a call, by what was done."""
    with TemporaryDirectory() as folder:
        counters = Path(folder) / "counters"
        # Nothing is counted while modules are imported, which otherwise takes longer than all the rest.
        options = ["--quiet", "--tool=callgrind", f"--dump-before={MARK}", "--instr-atstart=no"]
        command = ["valgrind", *options, f"--callgrind-out-file={counters}"]
        command += [sys.executable, "-m", "benchmarks.instructions_worker", *arguments]
        with (
            (Path(folder) / "errors").open("w+", encoding="utf-8") as errors,
            subprocess.Popen(  # noqa: S603 - our own module
                command,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as worker,
        ):
            if worker.stdout is not None and worker.stdout.readline().strip() == READY:
                _count(worker.pid)
            output, _ = worker.communicate("\n")
            if worker.returncode:
                errors.seek(0)
                raise RuntimeError(f"callgrind failed:\n{errors.read()}")
        done: Sequence[tuple[str, int]] = json.loads(output)
        # The first file is what led to the first mark; the one without a number is what followed the last.
        files = {name: Path(f"{counters}.{2 + position}") for position, (name, _) in enumerate(done)}
        return {name: total(files[name].read_text("utf-8", errors="replace")) / calls for name, calls in done}


def _count(pid: int) -> None:
    """Have callgrind count from now on. It looks for orders now and then, so nobody has to interrupt the process."""
    command = ["vgdb", f"--pid={pid}", "--max-invoke-ms=0", "instrumentation", "on"]
    subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE)  # noqa: S603 - of valgrind itself


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
