"""Runs a target on its seeds and on mutations of them: the same ones every time, and without a fuzzer."""

import random
from collections.abc import Iterator
from pathlib import Path

from tests.security.fuzz.mutating import flipped
from tests.security.fuzz.target import Finding, Target

__all__ = ["CORPUS", "campaign", "corpus_of"]

CORPUS = Path(__file__).parents[1] / "corpus"
"""Inputs that once were findings, or are worth keeping; a directory for each target."""

_MOST_BYTES = 16_384


def corpus_of(name: str, target: Target) -> list[bytes]:
    """What a target begins with."""
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [*target.seeds(), *(path.read_bytes() for path in kept)]


def campaign(name: str, target: Target, *, runs: int, seed: int = 1) -> int:
    """Execute a target so many times, beside once for each input of its corpus; how many executions there were.

    Raises:
        Finding: One went wrong; the message holds the input.
    """
    corpus = corpus_of(name, target)
    count = 0
    source = random.Random(seed)  # noqa: S311 - no secret is drawn
    for data in (*corpus, *_mutations(corpus, target, runs, source)):
        count += 1
        try:
            target.run(data)
        except Exception as error:
            raise Finding(f"{name}: {data!r}: {type(error).__name__}: {error}") from error
    return count


def _mutations(corpus: list[bytes], target: Target, runs: int, source: random.Random) -> Iterator[bytes]:
    for _ in range(runs):
        data = source.choice(corpus)
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            data = (flipped if source.random() < 0.03 else target.mutate)(data, source)
        yield data[:_MOST_BYTES]
