"""What does the `speed` extra bring? The same tokens with PyNaCl and orjson installed.

Asked in a process that may import them, against the same bare `cryptography` that is the limit elsewhere.
"""

import importlib.util
import sys

from benchmarks import SPEED, codecs, ours, rivals
from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Sample, Scale, interleaved, repeated
from mintkey.jose.jwk import generate
from mintkey.keys.base import Algorithm

__all__ = ["measure"]

_KNOWN = 64
_GOALS = {("EdDSA", "mint"): (1.1, 1.3), ("EdDSA", "verify"): (1.55, 1.75)}


async def measure(scale: Scale) -> Report:
    """All algorithms: those that gain nothing from PyNaCl still read their claims with orjson."""
    missing = [package for package in SPEED.split() if importlib.util.find_spec(package) is None]
    if missing:
        return Report((), notes=(f"speed was not measured: {' and '.join(missing)} cannot be imported",))
    figures: list[Figure] = []
    bars: codecs.Bars = {}
    for algorithm in ours.ALGORITHMS:
        for what, (mine, bare) in (await _samples(algorithm, scale)).items():
            must, aim = _GOALS.get((algorithm, what), (None, None))
            name = f"{algorithm} {what} with speed, times bare signature"
            ratio = mine.times_faster_than(bare)
            figures.append(Figure("" if must is None else "P6", name, ratio, must=must, aim=aim))
            for line, sample in (("mintkey + speed", mine), ("bare cryptography", bare)):
                bars.setdefault(what, {}).setdefault(line, {})[algorithm] = codecs.microseconds(sample, bare)
    return Report(tuple(figures), codecs.plots(bars))


async def _samples(algorithm: Algorithm, scale: Scale) -> dict[str, tuple[Sample, Sample]]:
    """By what was done: ours, and the bare signature."""
    key = generate(algorithm, rsa_bits=2048).private_jwk or {}
    async with ours.service(algorithm) as tokens:
        known = await ours.minted(tokens, _KNOWN)
        bare = rivals.bare(algorithm, key, known[0].rpartition(".")[0].encode())
        signature = bare.mint()
        subjects = {
            "mint": (ours.minting(tokens), repeated(bare.mint)),
            "verify": (ours.verifying(tokens, known), repeated(lambda: bare.verify(signature))),
        }
        found: dict[str, tuple[Sample, Sample]] = {}
        for what, (mine, limit) in subjects.items():
            samples = await interleaved({"mine": mine, "limit": limit}, scale=scale)
            found[what] = samples["mine"], samples["limit"]
        return found


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:], without=""))
