"""`httpx2` with tokens that our own service mints, for calls from one service to another."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.lifecycle import Resource
from mintkey.oauth.bearer import BearerAuth
from mintkey.oauth.lease import Grant
from mintkey.oauth.token_cache import TokenCache
from mintkey.purpose import Purpose
from mintkey.service import TokenService

__all__ = ["MintAuth"]

C = TypeVar("C")


class MintAuth(BearerAuth, Resource):
    """Authentication for an `httpx2.AsyncClient` by tokens that our own service mints.

    One token is minted for all requests and kept until the margin before its end; after a 401 a request is tried once
    more with a new one. A token for single use is minted for every request.

    Args:
        tokens: Mints; it is not closed here.
        purpose: What the tokens are for, such as `presets.SERVICE`.
        subject: The `sub`: who calls.
        scopes: The `scope`.
        claims: Private claims, of the purpose's type.
        audience: The `aud`: who is called; by default the purpose's.
        margin: How long before its end a token is replaced. One that lives hardly longer is used for a fifth of its
            life.

    Raises:
        ConfigurationError: The margin is negative (`configuration`). What contradicts the purpose is found by the first
            request.

    Example:
        ```python
        auth = MintAuth(tokens, presets.SERVICE, subject="billing", audience="orders", scopes=["orders:read"])
        async with httpx2.AsyncClient(auth=auth) as client:
            orders = await client.get("https://orders.internal.example/today")
        ```
    """

    def __init__(
        self,
        tokens: TokenService,
        purpose: Purpose[C],
        /,
        *,
        subject: str | None = None,
        scopes: Collection[str] = (),
        claims: C | None = None,
        audience: str | Sequence[str] | None = None,
        margin: timedelta = timedelta(seconds=60),
    ) -> None:
        if margin < timedelta(0):
            raise ConfigurationError("MintAuth: margin must not be negative")
        clock = tokens.workings.clock

        async def mint() -> Grant:
            token = await tokens.mint(purpose, subject=subject, claims=claims, scopes=scopes, audience=audience)
            return Grant(token, token.exp - clock.time())

        self._cache = TokenCache(mint, clock=clock, margin=margin, closed=KeyProviderError)
        super().__init__(_OneEach(mint) if purpose.single_use else self._cache, clock=clock)

    async def _close(self) -> None:
        await self._cache.aclose()


class _OneEach:
    """A token for every request.

    Args:
        mint: Makes one.
    """

    def __init__(self, mint: Callable[[], Coroutine[Any, Any, Grant]], /) -> None:
        self._mint = mint

    async def token(self) -> str:
        return (await self._mint()).token

    async def replacement(self, _refused: str, /) -> str:
        return await self.token()
