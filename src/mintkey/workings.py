"""What a service is made of, for the flows of this package that do more than mint and verify."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mintkey.clock import Clock
from mintkey.events import Event, Minted
from mintkey.issuing import Draft
from mintkey.keys.base import IKeyProvider, SigningKey
from mintkey.opening import Openings
from mintkey.pace import Pace
from mintkey.purpose import Purpose
from mintkey.replay.base import ReplayStore
from mintkey.tokens import Found, MintedToken

__all__ = ["ServiceWorkings", "Unsigned"]

Unsigned = tuple[bytes, str, float]
"""What is to be signed, its `jti` and its `exp`."""


class _Write(Protocol):
    def __call__(
        self, draft: Draft, purpose: Purpose[Any], key: SigningKey, headers: None, now: float, /
    ) -> Unsigned: ...


@dataclass(frozen=True, slots=True)
class ServiceWorkings:
    """The parts of one service.

    Attributes:
        issuer: The `iss` of every token.
        keys: Holds and rotates the keys.
        replay: The store, if there is one.
        clock: Where time comes from.
        pace: Gives the event loop its turn between one token and the next.
        openings: What the service opened, and will close.
        authentic: What a token says whose signature is good for a purpose, whatever its times and marks are.
        write: The text of a draft, as issued at an instant.
        finish: The token, once that text is signed.
        tell: Tells the hooks.
    """

    issuer: str
    keys: IKeyProvider
    replay: ReplayStore | None
    clock: Clock
    pace: Pace
    openings: Openings
    authentic: Callable[[str, Purpose[Any]], Awaitable[Found]]
    write: _Write
    finish: Callable[[Unsigned, bytes, Purpose[Any], SigningKey], MintedToken]
    tell: Callable[[Event], None]

    async def open(self) -> None:
        """Open keys and store, unless they are; the service closes them."""
        for part in (self.keys, self.replay):
            if part is not None and part not in self.openings:
                await self.openings.enter(part)

    async def mint_at(self, draft: Draft, purpose: Purpose[Any], now: float, /) -> MintedToken:
        """A token with a time of issue that is given: what was promised before can be said once more.

        Args:
            draft: What it says, with the `jti` that was promised.
            purpose: What it is for.
            now: When it is issued, in seconds since the epoch.

        Raises:
            ConfigurationError: It would be too long to be accepted (`configuration`).
            KeyProviderError: As for `TokenService.mint`.
        """
        if self.pace.is_over():
            await self.pace.rest()
        key = (await self.keys.acquire()).key
        unsigned = self.write(draft, purpose, key, None, now)
        token = self.finish(unsigned, await key.sign(unsigned[0]), purpose, key)
        self.tell(Minted(purpose=purpose.name, key_id=token.key_id))
        return token
