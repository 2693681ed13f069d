"""A source of tokens that a test holds by the hand."""

import asyncio

from mintkey.oauth.lease import Grant

__all__ = ["Source"]


class Source:
    """Gives `token-1`, `token-2` and so on; waits and fails when it is told to.

    Attributes:
        count: How often it was asked.
        lifetime: Of the next tokens, in seconds.
        error: What the next requests end in.
        gate: Requests wait until it is open.
    """

    def __init__(self, *, lifetime: float = 3600) -> None:
        self.count = 0
        self.lifetime = lifetime
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Grant:
        self.count += 1
        number = self.count
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Grant(f"token-{number}", self.lifetime)
