"""One token for many callers: got once, renewed before it ends, and kept while its source is away."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from mintkey.clock import Clock
from mintkey.errors import BackendError
from mintkey.flight import Detached, SingleFlight
from mintkey.oauth.lease import Grant, Lease, lease
from mintkey.oauth.setbacks import Setbacks

__all__ = ["TokenCache"]

_PATIENCE = 0.5  # seconds of real time that a caller waits for a new token while the old one is still good


class TokenCache:
    """Keeps one token. Whoever needs it asks; only the first of an event loop has to wait.

    Args:
        obtain: Gets a new token.
        clock: Where time comes from.
        margin: How long before its end a token should be replaced.
        closed: The error for those who wait for a token when the cache is closed.
    """

    def __init__(
        self,
        obtain: Callable[[], Coroutine[Any, Any, Grant]],
        /,
        *,
        clock: Clock,
        margin: timedelta,
        closed: Callable[[str], BackendError],
    ) -> None:
        self._obtain = obtain
        self._clock = clock
        self._margin = margin.total_seconds()
        self._tasks = Detached(lambda: closed("closed while a token was waited for"))
        self._flight = SingleFlight(self._tasks, self._renew)
        self._setbacks = Setbacks(clock)
        self._lease: Lease | None = None

    async def token(self) -> str:
        """A token that is good.

        From shortly before the margin on it is renewed behind the caller. Within the margin the caller waits for that,
        but half a second at most and not while renewing fails: until it expires, the old token is better than none.

        Raises:
            BackendError: There is none, and none can be got.
        """
        held = self._lease
        now = self._clock.monotonic()
        if held is None or now >= held.expires_at:
            return await self._new()
        if now < held.ahead_at or self._setbacks.is_calm:
            return held.token
        renewal = self._flight.start()
        if now >= held.due_at and not self._setbacks.is_failing:
            done, _ = await asyncio.wait((renewal,), timeout=_PATIENCE)
            if not done:
                self._setbacks.waited_in_vain()
            held = self._lease or held
        return held.token

    async def replacement(self, refused: str, /) -> str:
        """Another token than one that was refused somewhere; the refused one itself if the source insists on it.

        It is not forgotten before there is another one: whoever refused it may be wrong, and others may take it.

        Raises:
            BackendError: None can be got.
        """
        held = self._lease
        if held is not None and held.token != refused and self._clock.monotonic() < held.expires_at:
            return held.token  # somebody else was refused before
        return await self._new()

    def invalidate(self) -> None:
        """Forget the token: whoever asks next gets a new one."""
        self._lease = None

    async def aclose(self) -> None:
        """Stop renewing and forget the token."""
        await self._tasks.aclose()
        self._lease = None

    async def _new(self) -> str:
        if not self._flight.is_running:
            self._setbacks.check()
        return (await self._flight.join()).token

    async def _renew(self) -> Lease:
        since = self._clock.monotonic()  # before asking: however long the answer takes, the token is not younger
        try:
            grant = await self._obtain()
        except Exception as error:
            self._setbacks.failed(error)
            raise
        self._setbacks.succeeded()
        self._lease = renewed = lease(grant, since=since, margin=self._margin)
        return renewed
