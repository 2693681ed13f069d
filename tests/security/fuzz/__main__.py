"""`python -m tests.security.fuzz payload --seconds 60`: lets atheris look for findings in a target, guided by coverage.

Without a name all targets have their turn. New inputs that reach something new are kept in `--corpus`; what goes wrong
is written to `found-<target>-…` in the working directory, and belongs into `tests/security/corpus` once it is mended.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.security.fuzz.registry import NAMES, WATCHED

_HERE = "--here"
_RUNS = re.compile(r"Done (\d+) runs")


def main() -> int:
    """Fuzz the targets, one after the other; 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], help="targets; all of them if none is named")
    parser.add_argument("--runs", type=int, help="executions of each target")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together, unless --runs is given")
    parser.add_argument("--seed", type=int, default=0, help="makes executions the same every time; 0: none")
    parser.add_argument("--corpus", type=Path, help="where inputs are kept from one time to the next")
    options = parser.parse_args()
    names = options.names or list(NAMES)
    limit = (
        f"-max_total_time={max(1, options.seconds // len(names))}" if options.runs is None else f"-runs={options.runs}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        corpus = options.corpus or Path(temporary)
        return max([_apart(name, corpus / name, [limit, f"-seed={options.seed}"]) for name in names])


def _apart(name: str, corpus: Path, options: Sequence[str]) -> int:
    """Fuzz one target in a process of its own: libFuzzer leaves by `_exit`, and takes the whole process along."""
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.security.fuzz", _HERE, name, str(corpus), *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    runs = _RUNS.search(done.stderr)
    if done.returncode or runs is None:
        sys.stderr.write(done.stderr)
    found = "a finding" if done.returncode or runs is None else f"{int(runs[1]):,} executions, no finding"
    sys.stdout.write(f"{name}: {found}\n")
    sys.stdout.flush()
    return int(found == "a finding")


def _fuzz(name: str, corpus: Path, options: Sequence[str]) -> None:
    import atheris  # type: ignore[import-untyped]  # it ships no types

    with atheris.instrument_imports(include=list(WATCHED[name])):
        from tests.security.fuzz.registry import target_of

        target = target_of(name)
    from tests.security.fuzz.campaign import corpus_of

    for number, data in enumerate(corpus_of(name, target)):
        (corpus / f"seed-{number}").write_bytes(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        source = random.Random(seed)  # noqa: S311 - no secret is drawn
        if source.random() < 0.3:
            changed: bytes = atheris.Mutate(data, max_size)
            return changed
        return target.mutate(data, source)[:max_size]

    arguments = [sys.argv[0], *options, "-max_len=4096", f"-artifact_prefix=found-{name}-", str(corpus)]
    atheris.Setup(arguments, target.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [_HERE]:
        _fuzz(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    raise SystemExit(main())
