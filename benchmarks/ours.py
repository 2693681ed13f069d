"""mintkey as its users have it: through the public functions, with keys that rotate, a cap on mints and every check."""

import itertools
from collections.abc import Sequence
from typing import Any

from benchmarks.rounds import Subject
from benchmarks.services import ISSUER, SESSION
from mintkey import Purpose, TokenService, VerificationCache
from mintkey.events import Hook
from mintkey.keys import MemoryKeyProvider, Plaintext, RotationPolicy, SealedCustodian
from mintkey.keys.base import Algorithm
from mintkey.replay.base import ReplayStore

__all__ = ["ALGORITHMS", "SUBJECT", "minted", "minting", "service", "verifying"]

SUBJECT = "20"

ALGORITHMS: tuple[Algorithm, ...] = ("EdDSA", "ES256", "RS256", "HS256")

_RSA_BITS = 2048
"""What others are mostly used with, so all are measured with it; our own default is larger."""


def service(
    algorithm: Algorithm = "EdDSA",
    /,
    *,
    replay: ReplayStore | None = None,
    cache: VerificationCache | None = None,
    hooks: Sequence[Hook] = (),
) -> TokenService:
    """A service with a ring of its own, whose mints are counted to a cap that is not reached."""
    keys = MemoryKeyProvider(
        algorithm=algorithm,
        policy=RotationPolicy(max_mints=10**9),
        custodian=SealedCustodian(Plaintext(), ring="default", rsa_bits=_RSA_BITS),
    )
    return TokenService(issuer=ISSUER, keys=keys, replay=replay, cache=cache, hooks=hooks)


async def minted(tokens: TokenService, count: int, purpose: Purpose[Any] = SESSION, /) -> list[str]:
    """So many tokens."""
    return [await tokens.mint(purpose, subject=SUBJECT) for _ in range(count)]


def minting(tokens: TokenService, purpose: Purpose[Any] = SESSION, /, *, claims: Any = None) -> Subject:
    """What mints, one after the other."""

    async def subject(calls: int) -> None:
        for _ in range(calls):
            await tokens.mint(purpose, subject=SUBJECT, claims=claims)

    return subject


def verifying(tokens: TokenService, known: Sequence[str], purpose: Purpose[Any] = SESSION, /) -> Subject:
    """What verifies, one known token after the other and again from the first."""

    async def subject(calls: int) -> None:
        for token in itertools.islice(itertools.cycle(known), calls):
            await tokens.verify(token, purpose)

    return subject
