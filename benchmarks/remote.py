"""What does a flood of unknown kids do to valid tokens? `python -m benchmarks.remote [--quick] [--json] [--uvloop]`.

Keys come from a JWK Set over HTTP, and its endpoint hangs. Two thousand tokens with known kids come in at once, alone
and in between two thousand with random kids. A known kid waits for nobody, so what is left of the flood is the time
that it takes the loop to look at so many more tokens.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from benchmarks.services import ISSUER, SESSION, service, tickets
from mintkey import RemoteKeysError, TokenService, TokenVerifier
from mintkey.ids import new_id
from mintkey.jose.jwk import generate
from mintkey.keys import JWKSKeyResolver, StaticKeyProvider
from tests.support.http_server import HANG, HttpServer, json_reply

_MUST = 1.5
_AT_ONCE = 2_000
_MOST_FETCHES = 3
_LONG = timedelta(minutes=10)  # the endpoint hangs for as long as it has to


async def measure(scale: Scale) -> Report:
    """The latency of tokens with known kids, alone and in a flood, and how often the set was fetched."""
    tokens, count = service("EdDSA"), scale.of(_AT_ONCE)
    good, bad = await tickets(tokens, SESSION, count), await _forged(count)
    alone: list[_Turn] = []
    flooded: list[_Turn] = []
    async with HttpServer() as server:
        answer = json_reply((await tokens.jwks()).as_dict())
        for turn in range(-1, scale.rounds):
            for flood in (False, True) if turn % 2 else (True, False):
                server.route("/jwks", answer)
                done = await _turn(server, good, bad if flood else [])
                if turn >= 0:  # the first one warms up
                    (flooded if flood else alone).append(done)
    ratio = statistics.median(many.p99 / few.p99 for many, few in zip(flooded, alone, strict=True))
    fetches = max(turn.fetches for turn in (*alone, *flooded))
    return Report(
        (
            Figure("remote", "verify in a flood of unknown kids / alone, p99", ratio, "x", _MUST, at_least=False),
            Figure("remote", "fetches of the set in the flood", fetches, "", _MOST_FETCHES, at_least=False),
            _p99("alone", alone),
            _p99("in a flood of unknown kids", flooded),
        )
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one turn showed.

    Attributes:
        p99: Seconds that a verify took which was slower than 99 % of all.
        fetches: How often the set was asked for.
    """

    p99: float
    fetches: int


async def _turn(server: HttpServer, good: Sequence[str], bad: Sequence[str]) -> _Turn:
    """All tokens at once, of a resolver that knows the good ones' key; none of them is refused."""
    before, seconds = server.count(), list[float]()
    keys = JWKSKeyResolver(server.url("/jwks"), timeout=_LONG)
    verifier = TokenVerifier(issuer=ISSUER, keys=keys)

    async def pass_through(token: str) -> None:
        began = time.perf_counter()
        await verifier.verify(token, SESSION)
        seconds.append(time.perf_counter() - began)

    async def be_refused(token: str) -> None:
        try:
            await verifier.verify(token, SESSION)
        except RemoteKeysError:
            return
        raise AssertionError("a forged token got in")

    await verifier.verify(good[0], SESSION)
    server.route("/jwks", HANG)
    gc.collect()
    gc.freeze()
    try:
        refused: list[asyncio.Future[None]] = []
        passed: list[asyncio.Future[None]] = []
        for number, token in enumerate(good):
            refused += [asyncio.ensure_future(be_refused(forged)) for forged in bad[number : number + 1]]
            passed.append(asyncio.ensure_future(pass_through(token)))
        await asyncio.gather(*passed)
    finally:
        gc.unfreeze()
    if bad:
        await server.arrived(before + 2)
    server.release()
    await asyncio.gather(*refused)
    await verifier.aclose()
    return _Turn(statistics.quantiles(seconds, n=100, method="inclusive")[-1], server.count() - before)


async def _forged(count: int) -> list[str]:
    """Tokens, each of another kid that nobody published."""
    jwk = generate("EdDSA").private_jwk or {}
    services = (
        TokenService(issuer=ISSUER, keys=StaticKeyProvider({"keys": [{**jwk, "kid": new_id()}]})) for _ in range(count)
    )
    return [await each.mint(SESSION) for each in services]


def _p99(what: str, turns: Sequence[_Turn]) -> Figure:
    milliseconds = statistics.median(turn.p99 for turn in turns) * 1000
    return Figure("", f"{_AT_ONCE:,} verifies at once, {what}: p99", milliseconds, "ms", at_least=False)


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
