"""mintkey as these questions use it: one issuer, one audience, a few purposes, and services by algorithm."""

from datetime import timedelta
from typing import Any

from mintkey import MintedToken, MintRequest, Purpose, TokenService
from mintkey.clock import Clock
from mintkey.keys import MemoryKeyProvider, Plaintext, RotationPolicy, SealedCustodian
from mintkey.keys.base import Algorithm
from mintkey.replay.base import ReplayStore

__all__ = ["AUDIENCE", "ISSUER", "SESSION", "TICKET", "keys", "service", "tickets"]

ISSUER = "https://app.example"
AUDIENCE = "app.web"

SESSION = Purpose[dict[str, Any]]("session", lifetime=timedelta(hours=1), audience=AUDIENCE)
"""Verified many times; no store."""

TICKET = Purpose[dict[str, Any]]("ticket", lifetime=timedelta(hours=1), audience=AUDIENCE, single_use=True)
"""Verified once: spent."""

_POLICY = RotationPolicy(every=None)


def keys(algorithm: Algorithm, /, *, rsa_bits: int = 2048) -> MemoryKeyProvider:
    """A provider with a ring of its own in memory.

    Args:
        algorithm: What its keys are for.
        rsa_bits: The size of RSA keys.
    """
    custodian = SealedCustodian(Plaintext(), ring="default", rsa_bits=rsa_bits)
    return MemoryKeyProvider(algorithm=algorithm, policy=_POLICY, custodian=custodian)


def service(algorithm: Algorithm, /, *, replay: ReplayStore | None = None, clock: Clock | None = None) -> TokenService:
    """A service as an application makes it.

    Args:
        algorithm: What its keys are for.
        replay: Where tickets are spent.
        clock: Where time comes from; by default the machine's.
    """
    return TokenService(issuer=ISSUER, keys=keys(algorithm), replay=replay, clock=clock)


async def tickets(tokens: TokenService, purpose: Purpose[dict[str, Any]], count: int, /) -> list[MintedToken]:
    """So many tokens, each of another subject."""
    return await tokens.mint_many(purpose, [MintRequest(subject=str(number)) for number in range(count)])
