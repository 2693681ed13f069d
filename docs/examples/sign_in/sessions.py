"""How one stays in: an access token for minutes and a refresh token for the next pair, both in cookies."""

from contextlib import suppress
from typing import Any

from fastapi import Request, Response

from mintkey import InvalidTokenError, TokenService, VerifiedToken, presets
from mintkey.integrations.fastapi import TokenCookie
from mintkey.refresh import RefreshFlow, TokenPair

ACCESS = presets.ACCESS.replace(audience="sign-in-example")
REFRESH = presets.REFRESH.replace(audience="sign-in-example")

ACCESS_COOKIE = TokenCookie("access")
REFRESH_COOKIE = TokenCookie("refresh")

User = VerifiedToken[dict[str, Any]]


class Sessions:
    """Begins sessions, goes on with them and ends them."""

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens
        self._flow = RefreshFlow(tokens, access=ACCESS, refresh=REFRESH)

    async def begin(self, response: Response, subject: str) -> None:
        """Sign somebody in."""
        _keep(response, await self._flow.issue(subject))

    async def user(self, request: Request, response: Response) -> User | None:
        """Who is signed in; None: nobody.

        The browser drops the access token when its time is over; the refresh token gets the next pair then, and the
        response takes it along. Tabs that do this at the same moment all get the same pair.
        """
        access = ACCESS_COOKIE.read(request)
        if access is not None:
            with suppress(InvalidTokenError):
                return await self._tokens.verify(access, ACCESS)
        refresh = REFRESH_COOKIE.read(request)
        if refresh is None:
            return None
        try:
            pair = await self._flow.refresh(refresh)
        except InvalidTokenError:
            _forget(response)
            return None
        _keep(response, pair)
        return await self._tokens.verify(pair.access, ACCESS)

    async def end(self, request: Request, response: Response) -> None:
        """Sign out: the refresh token is of no use to anybody from now on, and the browser forgets both."""
        refresh = REFRESH_COOKIE.read(request)
        if refresh is not None:
            with suppress(InvalidTokenError):  # there was no session
                await self._flow.revoke(refresh)
        _forget(response)


def _keep(response: Response, pair: TokenPair) -> None:
    ACCESS_COOKIE.set(response, pair.access)
    REFRESH_COOKIE.set(response, pair.refresh)


def _forget(response: Response) -> None:
    ACCESS_COOKIE.clear(response)
    REFRESH_COOKIE.clear(response)
