"""Does RSA hold the loop? `python -m benchmarks.rsa [--quick] [--json] [--uvloop]`.

P7: two hundred tasks mint at once, against the same signatures made where they are asked for. P8: a rotation makes a
new key, which takes a core for a good part of a second, and the first mint behind it opens the one that signs now. All
stalls are the longest of each round, in the round in the middle, and have the millisecond of the ticker in them.
"""

import asyncio
import secrets
import sys

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from benchmarks.services import ISSUER, SESSION, keys, service
from benchmarks.ticker import Held, Work, idle, longest_gaps, stall_plot
from mintkey import TokenService
from mintkey.keys.base import IKeyProvider

_MINTS = 200
_SIZES = (3072, 4096)
_MUST, _AIM = 5.0, 2.0
_AS_LONG_AS_A_ROTATION = 0.2
_MESSAGE = secrets.token_bytes(250)


async def measure(scale: Scale) -> Report:
    """P7 and P8."""
    ours, inline = await _mints(scale)
    rotations = await _rotations(scale)
    figures = [
        Figure(
            "P7", "200 RS256 mints: stall / inline stall", ours.stall_times(inline), "x", 0.15, 0.05, at_least=False
        ),
        Figure("P7", "200 RS256 mints: throughput / inline", inline.time_times(ours), "x", 0.9, 1.2),
        Figure("", "200 RS256 mints: stall", ours.stall, "ms", at_least=False),
        Figure("", "200 RS256 mints: the worst round", ours.worst, "ms", at_least=False),
    ]
    stalls = {f"{_MINTS} RS256 mints": (ours.stall, inline.stall)}
    for size in _SIZES:
        held = rotations[f"rotate {size}"]
        stalls[f"rotation to RSA-{size}"] = held.stall, rotations[f"inline {size}"].stall
        figures += [
            Figure(
                "P8", f"rotation to RSA-{size} and the next mint: stall", held.stall, "ms", _MUST, _AIM, at_least=False
            ),
            Figure("", f"rotation to RSA-{size} and the next mint: the worst round", held.worst, "ms", at_least=False),
            Figure("", f"rotation to RSA-{size} and the next mint: takes", held.time * 1000, "ms", at_least=False),
        ]
    figures.append(Figure("", "an idle loop, beside RSA: stall", rotations["idle"].stall, "ms", at_least=False))
    return Report(tuple(figures), (stall_plot("rsa-stall", stalls, must=_MUST),))


async def _mints(scale: Scale) -> tuple[Held, Held]:
    tokens, private, count = service("RS256"), rsa.generate_private_key(65_537, 2048), scale.of(_MINTS)
    padding, hashed = PKCS1v15(), SHA256()

    async def ours() -> None:
        await asyncio.gather(*(tokens.mint(SESSION, subject=str(number)) for number in range(count)))

    async def request() -> None:
        private.sign(_MESSAGE, padding, hashed)

    async def inline() -> None:
        await asyncio.gather(*(request() for _ in range(count)))

    held = await longest_gaps({"ours": ours, "inline": inline}, scale=scale)
    return held["ours"], held["inline"]


async def _rotations(scale: Scale) -> dict[str, Held]:
    """By size: rotating, and making a key where it is asked for."""
    works: dict[str, Work] = {"idle": idle(_AS_LONG_AS_A_ROTATION)}
    for size in _SIZES:
        bits = 2048 if scale.quick else size
        provider = keys("RS256", rsa_bits=bits)
        works[f"rotate {size}"] = _rotation(provider)
        works[f"inline {size}"] = _generation(bits)
    return await longest_gaps(works, scale=scale)


def _rotation(provider: IKeyProvider) -> Work:
    tokens = TokenService(issuer=ISSUER, keys=provider)

    async def work() -> None:
        await provider.rotate()
        await tokens.mint(SESSION, subject="20")

    return work


def _generation(bits: int) -> Work:
    async def work() -> None:
        rsa.generate_private_key(65_537, bits)

    return work


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
