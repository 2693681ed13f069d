"""Runs under callgrind: does things in turn, with a call that callgrind recognises between them.

`python -m benchmarks.instructions_worker CALLS REDIS_URL` says that it is ready, waits for a line, and prints what it
did, as JSON: [[name, calls], …].
"""

import asyncio
import json
import os
import select
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import ours
from benchmarks.rounds import Subject, repeated
from benchmarks.services import ISSUER, SESSION
from mintkey import TokenService
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.base import Algorithm
from mintkey.replay import RedisReplayStore
from mintkey.testing import FakeClock

__all__ = ["MARK", "READY", "TASKS"]

MARK = "getpgid"
"""The function of the C library that is called between one thing and the next."""

READY = "ready"
"""What it says before it begins."""

TASKS = 50
"""Claims that are made at the same time."""


async def main(calls: int, url: str) -> None:
    """Do everything, each thing after it was warmed up."""
    async with _service("EdDSA") as eddsa, _service("HS256") as hs256:
        signed = (await eddsa.mint(SESSION, subject="20")).rpartition(".")[0].encode()
        key = Ed25519PrivateKey.generate()
        subjects: dict[str, Subject] = {
            "EdDSA sign": repeated(lambda: key.sign(signed)),
            "EdDSA mint": ours.minting(eddsa),
            "HS256 mint": ours.minting(hs256),
            "HS256 verify": ours.verifying(hs256, await ours.minted(hs256, 8)),
        }
        async with RedisReplayStore(url) as store:
            await _measure({**subjects, "claim": _claiming(store)}, calls)


def _service(algorithm: Algorithm) -> TokenService:
    # The clock stands still: how fast the machine is has no say in how many instructions there are.
    clock = FakeClock()
    return TokenService(issuer=ISSUER, keys=MemoryKeyProvider(algorithm=algorithm, clock=clock), clock=clock)


def _claiming(store: RedisReplayStore) -> Subject:
    names = iter(range(1_000_000))
    now = datetime.now(UTC)

    async def claim() -> None:
        await store.claim(f"{next(names):022}", owner=f"{0:022}", issued_at=now, expires_at=now + timedelta(minutes=10))

    async def subject(calls: int) -> None:
        for _ in range(calls // TASKS):
            await asyncio.gather(*(claim() for _ in range(TASKS)))

    return subject


async def _measure(subjects: Mapping[str, Subject], calls: int) -> None:
    for subject in subjects.values():
        await subject(2 * TASKS)
    for subject in subjects.values():
        _mark()
        await subject(calls)
    _mark()
    print(json.dumps([[name, calls] for name in subjects]))


def _wait_for_a_line() -> None:
    """Busily: callgrind takes orders from a process that runs."""
    print(READY, flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        pass


def _mark() -> None:
    os.getpgid(0)


if __name__ == "__main__":
    _wait_for_a_line()
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
