"""How close to the bare signature are mint and verify, and how far from other libraries?

For each algorithm bare `cryptography`, mintkey, PyJWT, joserfc, Authlib and, for HMAC, itsdangerous take turns in one
process. A target against PyJWT is the ratio of their times; one against the bare signature is the share of its speed
that is left. The tokens say iss, sub, aud, iat, exp and jti, and nothing else; what private claims cost is a line of
`features`.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import ours, rivals
from benchmarks.question import ask
from benchmarks.report import Figure, Line, Plot, Report
from benchmarks.rivals import Codec
from benchmarks.rounds import Sample, Scale, Subject, interleaved, repeated
from mintkey.jose.jwk import generate
from mintkey.keys.base import Algorithm

__all__ = ["Bars", "measure", "microseconds", "plots"]

_KNOWN = 64
"""Tokens that are verified in turn."""

_P1_TO_P3: dict[Algorithm, tuple[str, tuple[float, float], tuple[float, float]]] = {
    "EdDSA": ("P1", (0.80, 0.88), (0.90, 0.94)),
    "ES256": ("P2", (0.70, 0.82), (0.85, 0.91)),
    "RS256": ("P3", (0.92, 0.98), (0.67, 0.75)),
}
_P4: dict[Algorithm, tuple[float, float]] = {
    "EdDSA": (1.45, 1.55),
    "ES256": (1.8, 1.95),
    "RS256": (3.4, 4.0),
    "HS256": (10.0, 12.0),
}


Bars = dict[str, dict[str, dict[str, float]]]
"""Time per token, in µs: what was done → whose → algorithm → how long it took."""


async def measure(scale: Scale) -> Report:
    """All algorithms, one after the other."""
    figures: list[Figure] = []
    bars: Bars = {"mint": {}, "verify": {}}
    for algorithm in ours.ALGORITHMS:
        minted, verified = await _samples(algorithm, scale)
        figures += _figures(algorithm, minted, verified)
        for what, samples in (("mint", minted), ("verify", verified)):
            for name, sample in samples.items():
                if not name.startswith(_BY_KID):
                    bars[what].setdefault(name, {})[algorithm] = microseconds(sample, samples["bare cryptography"])
    return Report(tuple(figures), plots(bars))


def plots(bars: Bars, /) -> tuple[Plot, ...]:
    """One plot for each thing that was done."""
    return tuple(
        Plot(
            file=f"time-per-token-{what}",
            title=f"Time to {what} one token",
            x="",
            y="µs",
            lines=tuple(Line(name, tuple(times), tuple(times.values())) for name, times in bars[what].items()),
            kind="bars",
            log_y=True,
            values=True,
            common="bare cryptography",
        )
        for what in bars
    )


def microseconds(sample: Sample, bare: Sample, /) -> float:
    """Time per token, by way of its ratio to the bare signature: that is less noisy than the time itself."""
    return bare.median / sample.times_faster_than(bare) * 1e6


_BY_KID = "PyJWT by kid"


async def _samples(algorithm: Algorithm, scale: Scale) -> tuple[dict[str, Sample], dict[str, Sample]]:
    async with ours.service(algorithm) as tokens:
        known = await ours.minted(tokens, _KNOWN)
        others = _others(algorithm, known[0].rpartition(".")[0].encode())
        mints = {"mintkey": ours.minting(tokens), **{codec.name: repeated(codec.mint) for codec in others}}
        verifies = {"mintkey": ours.verifying(tokens, known)}
        for codec in others:
            made = [codec.mint() for _ in range(_KNOWN)]
            verifies[codec.name] = _in_turn(codec.verify, made)
            verifies |= {name: _in_turn(verify, made) for name, verify in codec.others.items()}
        return await interleaved(mints, scale=scale), await interleaved(verifies, scale=scale)


def _others(algorithm: Algorithm, signing_input: bytes) -> list[Codec]:
    key = generate(algorithm, rsa_bits=2048).private_jwk or {}
    found = [rivals.bare(algorithm, key, signing_input), rivals.pyjwt(algorithm)]
    found += [rivals.jose(algorithm, key), rivals.authlib(algorithm, key)]
    if algorithm == "HS256":
        found.append(rivals.itsdangerous(key))
    return found


def _in_turn(call: Callable[[Any], object], arguments: Sequence[Any]) -> Subject:
    async def subject(calls: int) -> None:
        for argument in itertools.islice(itertools.cycle(arguments), calls):
            call(argument)

    return subject


def _figures(algorithm: Algorithm, minted: dict[str, Sample], verified: dict[str, Sample]) -> list[Figure]:
    def ratio(target: str, what: str, name: str, goals: tuple[float, float] | None = None) -> Figure:
        samples = minted if what == "mint" else verified
        against = {"bare cryptography": "bare signature"}.get(name, name)
        value = samples["mintkey"].times_faster_than(samples[name])
        must, aim = goals or (None, None)
        return Figure(target, f"{algorithm} {what}, times {against}", value, must=must, aim=aim)

    figures: list[Figure] = []
    if algorithm in _P1_TO_P3:
        target, mint_goals, verify_goals = _P1_TO_P3[algorithm]
        figures.append(ratio(target, "mint", "bare cryptography", mint_goals))
        figures.append(ratio(target, "verify", "bare cryptography", verify_goals))
    figures.append(ratio("P4", "verify", _BY_KID, _P4[algorithm]))
    if algorithm == "HS256":
        figures.append(ratio("P5", "mint", "PyJWT", (3.2, 5.5)))
        figures.append(ratio("P5", "verify", "PyJWT", (6.5, 8.5)))
    told = {figure.what for figure in figures}
    others = [ratio("", what, name) for what, names in (("mint", minted), ("verify", verified)) for name in names]
    return figures + [figure for figure in others if not figure.what.endswith("mintkey") and figure.what not in told]


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
