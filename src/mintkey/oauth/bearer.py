"""Requests of `httpx2` with a bearer token (RFC 6750 §2.1), and with another one where the first is refused."""

from collections.abc import AsyncGenerator, Generator
from typing import Protocol

from mintkey.clock import Clock
from mintkey.errors import MissingExtraError, UnsupportedOperationError

try:
    import httpx2
except ImportError as _error:
    raise MissingExtraError("authentication for HTTP clients needs httpx2: pip install 'mintkey[http]'") from _error

__all__ = ["BearerAuth", "TokenSource"]

_UNAUTHORIZED = 401
_BELIEF = 10.0  # seconds for which we get no other token for a resource that was not content with a new one
_KEPT_ORIGINS = 64


class TokenSource(Protocol):
    """Where tokens come from.

    Example:
        ```python
        class FromFile:
            async def token(self) -> str:
                return (await anyio.Path("/var/run/secrets/token").read_text()).strip()

            async def replacement(self, refused: str, /) -> str:
                return await self.token()
        ```
    """

    async def token(self) -> str:
        """A token that is good."""
        ...

    async def replacement(self, refused: str, /) -> str:
        """Another token than one that was refused."""
        ...


class BearerAuth(httpx2.Auth):
    """Adds a bearer token to every request, and tries once more with another one after a 401.

    A request whose body is streamed is sent only once, as there is nothing left to send; the next one has the other
    token. A resource that refuses a new token, too, refuses us and not the token: it is not offered a third one right
    away, because every one of them costs a request to the provider.

    Args:
        source: Where tokens come from.
        clock: Where time comes from.

    Example:
        ```python
        async with httpx2.AsyncClient(auth=provider.auth) as client:  # of a ClientCredentials
            orders = await client.get("https://orders.example/today")
        ```
    """

    def __init__(self, source: TokenSource, /, *, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._unwilling: dict[str, float] = {}

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The request with a token; after a 401 once more with another.

        Raises:
            BackendError: No token can be got.
        """
        token = await self._source.token()
        response = yield _signed(request, token)
        if response.status_code != _UNAUTHORIZED or self._is_unwilling(request):
            return
        another = await self._source.replacement(token)
        if another != token and not _is_streamed(request):
            response = yield _signed(request, another)
        if another == token or response.status_code == _UNAUTHORIZED:
            self._remember(request)

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Nothing: tokens are got asynchronously.

        Raises:
            UnsupportedOperationError: Always (`unsupported`).
        """
        raise UnsupportedOperationError(
            f"tokens are got asynchronously: use httpx2.AsyncClient instead of Client for {_origin(request)}"
        )

    def _is_unwilling(self, request: httpx2.Request) -> bool:
        return self._clock.monotonic() < self._unwilling.get(_origin(request), 0.0)

    def _remember(self, request: httpx2.Request) -> None:
        if len(self._unwilling) >= _KEPT_ORIGINS:
            self._unwilling.clear()
        self._unwilling[_origin(request)] = self._clock.monotonic() + _BELIEF


def _signed(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _origin(request: httpx2.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"


def _is_streamed(request: httpx2.Request) -> bool:
    try:
        _ = request.content
    except httpx2.RequestNotRead:
        return True
    return False
