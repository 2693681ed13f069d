"""How long is the loop held? `python -m benchmarks.stalls [--quick] [--json] [--uvloop]`.

Five hundred requests come in at once, and each verifies its token; a worker mints twenty thousand. *Inline* is the same
with PyJWT, which computes where it is called: the loop serves nobody else meanwhile. All stalls are the longest of each
round, in the round in the middle, and have the millisecond of the ticker in them.
"""

import asyncio
import secrets
import sys
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.pyjwt import PyJWT
from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from benchmarks.services import SESSION, service, tickets
from benchmarks.ticker import Held, Work, idle, longest_gaps, stall_plot
from mintkey import MintRequest, TokenService
from mintkey.keys.base import Algorithm

_MUST = 10.0
_BURST = 500
_MANY = 20_000
_FEWER = 4_000
_AS_LONG_AS_A_BURST = 0.1
_VERIFIED: tuple[Algorithm, ...] = ("EdDSA", "HS256", "RS256")


async def measure(scale: Scale) -> Report:
    """Stalls of bursts of verifies, and of minting many."""
    bursts, many = await _bursts(scale), await _many(scale)
    figures = [
        *(_stall(f"{_BURST} concurrent {what}", held) for what, (held, _) in bursts.items()),
        _stall(f"mint_many of {_MANY:,} EdDSA", many["mint_many"]),
    ]
    worst = [
        *(_worst(f"{_BURST} concurrent {what}", held) for what, (held, _) in bursts.items()),
        _worst(f"mint_many of {_MANY:,} EdDSA", many["mint_many"]),
    ]
    quiet = Figure("", "an idle loop, beside bursts: stall", many["idle"].stall, "ms", at_least=False)
    more = scale.of(_MANY) / scale.of(_FEWER)
    speed = [
        Figure("", f"mint_many of EdDSA, times {name}", more * many[name].time_times(many["mint_many"]))
        for name in ("a loop of mint", "bare signature")
    ]
    stalls = {f"{_BURST} {what}": (ours.stall, inline.stall) for what, (ours, inline) in bursts.items()}
    # A run of signatures that never gives way holds the loop for as long as it takes.
    stalls[f"mint {_MANY:,} EdDSA"] = many["mint_many"].stall, many["inline"].stall * _MANY / _FEWER
    return Report((*figures, *worst, quiet, *speed), (stall_plot("loop-stall", stalls, must=_MUST),))


async def _bursts(scale: Scale) -> dict[str, tuple[Held, Held]]:
    """By scenario: ours, and inline."""
    count = scale.of(_BURST)
    works: dict[str, tuple[Work, Work]] = {}
    for algorithm in _VERIFIED:
        tokens, theirs = service(algorithm), PyJWT(algorithm)
        works[f"{algorithm} verifies"] = (
            _verify_all(tokens, await tickets(tokens, SESSION, count)),
            _decode_all(theirs, [theirs.encode(str(number)) for number in range(count)]),
        )
    works["EdDSA mints"] = _mint_all(service("EdDSA"), count), _encode_all(PyJWT("EdDSA"), count)
    flat = {f"{what} {side}": work for what, pair in works.items() for side, work in zip("ab", pair, strict=True)}
    held = await longest_gaps(flat, scale=scale)
    return {what: (held[f"{what} a"], held[f"{what} b"]) for what in works}


async def _many(scale: Scale) -> dict[str, Held]:
    tokens, theirs = service("EdDSA"), PyJWT("EdDSA")
    requests = [MintRequest[dict[str, object]](subject=str(number)) for number in range(scale.of(_MANY))]
    private, message = Ed25519PrivateKey.generate(), secrets.token_bytes(250)

    async def mint_many() -> None:
        await tokens.mint_many(SESSION, requests)

    async def mint() -> None:
        for number in range(scale.of(_FEWER)):
            await tokens.mint(SESSION, subject=str(number))

    async def bare_sign() -> None:
        for _ in range(scale.of(_FEWER)):
            private.sign(message)

    async def inline() -> None:
        for number in range(scale.of(_FEWER)):
            theirs.encode(str(number))

    works: dict[str, Work] = {
        "mint_many": mint_many,
        "a loop of mint": mint,
        "bare signature": bare_sign,
        "inline": inline,
        "idle": idle(_AS_LONG_AS_A_BURST),
    }
    return await longest_gaps(works, scale=scale)


def _verify_all(tokens: TokenService, texts: Sequence[str]) -> Work:
    async def work() -> None:
        await asyncio.gather(*(tokens.verify(text, SESSION) for text in texts))

    return work


def _decode_all(theirs: PyJWT, texts: Sequence[str]) -> Work:
    async def request(text: str) -> None:
        theirs.decode(text)

    async def work() -> None:
        await asyncio.gather(*map(request, texts))

    return work


def _mint_all(tokens: TokenService, count: int) -> Work:
    async def work() -> None:
        await asyncio.gather(*(tokens.mint(SESSION, subject=str(number)) for number in range(count)))

    return work


def _encode_all(theirs: PyJWT, count: int) -> Work:
    async def request(subject: str) -> None:
        theirs.encode(subject)

    async def work() -> None:
        await asyncio.gather(*(request(str(number)) for number in range(count)))

    return work


def _stall(what: str, held: Held) -> Figure:
    return Figure("stall", what, held.stall, "ms", _MUST, at_least=False)


def _worst(what: str, held: Held) -> Figure:
    return Figure("", f"{what}: the worst round", held.worst, "ms", at_least=False)


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
