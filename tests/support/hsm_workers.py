"""Processes that share a token: `python -m tests.support.hsm_workers '[["mint", MODULE, DATABASE]]'`."""

import asyncio
import json
import os
import warnings
from datetime import timedelta

from mintkey import Purpose, TokenService
from mintkey.keys import Pkcs11Custodian, RotationPolicy, SQLKeyProvider
from tests.support.hsm import LABEL, PIN
from tests.support.processes import copy, perform, say

__all__ = ["ACCESS", "service"]

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
POLICY = RotationPolicy(every=None, max_mints=40, publish_ahead=timedelta(0))


def service(module: str, database: str) -> TokenService:
    """What every process of a fleet has."""
    custodian = Pkcs11Custodian(module, token_label=LABEL, pin=PIN)
    keys = SQLKeyProvider(database, algorithm="ES256", policy=POLICY, custodian=custodian)
    return TokenService(issuer="https://myapp.example", keys=keys)


async def create(module: str) -> dict[str, object]:
    """A key that nobody else knows of."""
    async with Pkcs11Custodian(module, token_label=LABEL, pin=PIN) as custodian:
        material = await custodian.create("ES256")
    return {"kid": material.kid, "public_jwk": material.public_jwk, "handle": material.handle}


async def mint(module: str, database: str) -> list[str]:
    """Tokens across rotations, as one process of several."""
    async with service(module, database) as tokens:
        return await _mint(tokens, 60)


async def fork(module: str, database: str) -> list[str]:
    """Tokens of a process that forks with sessions that are open; those of the copy are said by the copy."""
    tokens = service(module, database)
    minted = await _mint(tokens, 10)
    warnings.simplefilter("ignore", DeprecationWarning)  # that threads do not come along is what this is about
    child = copy(lambda: _say(tokens))
    minted += await _mint(tokens, 10)
    await asyncio.to_thread(os.waitpid, child, 0)
    minted += await _mint(tokens, 10)
    await tokens.aclose()
    return minted


async def _mint(tokens: TokenService, count: int) -> list[str]:
    return [str(token) for token in await asyncio.gather(*(tokens.mint(ACCESS, subject="20") for _ in range(count)))]


async def _say(tokens: TokenService) -> None:
    say(json.dumps(await _mint(tokens, 10)))
    await tokens.aclose()


if __name__ == "__main__":
    perform({"create": create, "fork": fork, "mint": mint})
