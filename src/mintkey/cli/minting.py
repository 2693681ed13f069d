"""Minting as many tokens as somebody asks for, in bounded memory."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import anyio.to_thread

from mintkey.cli.progress import Progress
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import MintedToken, MintRequest

__all__ = ["mint_all"]

_PART = 1024
"""What is signed together; when something goes wrong, no more than that was signed for nothing."""


async def mint_all(
    service: TokenService,
    purpose: Purpose[dict[str, Any]],
    request: MintRequest[dict[str, Any]],
    count: int,
    /,
    *,
    emit: Callable[[Sequence[MintedToken]], None],
    progress: Progress,
) -> None:
    """Mint tokens that differ in nothing but their ids, and hand them on part by part.

    Args:
        service: Who mints.
        purpose: What they are for.
        request: What each says.
        count: How many.
        emit: Gets each part, in a thread of its own, because whoever reads stdout may take his time.
        progress: Told after each part.

    Raises:
        ConfigurationError: The request contradicts the purpose, and nothing was minted (`configuration`).
        BackendError: A backend did not do its part; what was handed on until then is good.
    """
    # The first one alone: what contradicts the purpose is said before, and as for one token.
    done = 1
    first = await service.mint(
        purpose, subject=request.subject, claims=request.claims, scopes=request.scopes, lifetime=request.lifetime
    )
    await anyio.to_thread.run_sync(emit, [first])
    progress(done, count)
    while done < count:
        part = await service.mint_many(purpose, repeat(request, min(_PART, count - done)))
        await anyio.to_thread.run_sync(emit, part)
        done += len(part)
        progress(done, count)
