"""A transport on httpx2, or on a client of httpx2 or httpx that somebody brings."""

import zlib
from asyncio import AbstractEventLoop, get_running_loop
from contextlib import AbstractAsyncContextManager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import WeakKeyDictionary

from anyio import to_thread

from mintkey.errors import MissingExtraError
from mintkey.http.base import HttpRequest, HttpResponse, ResponseTooLargeError, TransportError

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ["HttpxTransport"]

_CONNECTIONS = 20
_KEPT_ALIVE = 5
_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class HttpxTransport:
    """An `HttpTransport` on httpx2: small answers, read to a limit; no redirects, no cookies.

    Nothing connects until the first request; each event loop has a client of its own. Environment variables for proxies
    and certificates are honoured (`HTTPS_PROXY`, `SSL_CERT_FILE`), but loopback is always reached directly.

    Args:
        client: An `httpx2.AsyncClient` or `httpx.AsyncClient` with settings of your own, such as a proxy or a client
            certificate. It stays yours and is never closed here. Its `auth` is left out: what we ask for has its own.

    Raises:
        MissingExtraError: No client was given and httpx2 is not installed: `pip install 'mintkey[http]'`
            (`extra_missing`).

    Example:
        ```python
        client = httpx2.AsyncClient(proxy="http://proxy.internal:3128")
        keys = JWKSKeyResolver("https://issuer.example/jwks", transport=HttpxTransport(client))
        ```
    """

    def __init__(self, client: "httpx2.AsyncClient | httpx.AsyncClient | None" = None) -> None:
        self._brought = cast("_Client | None", client)
        self._ours: WeakKeyDictionary[AbstractEventLoop, _Client] = WeakKeyDictionary()
        if client is None:
            try:
                self._httpx2: Any = import_module("httpx2")
            except ImportError as error:
                raise MissingExtraError("HTTP needs httpx2: pip install 'mintkey[http]'") from error

    def __repr__(self) -> str:
        return f"<HttpxTransport on {'a client of its own' if self._brought is None else 'a client that was brought'}>"

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        """The answer to a request. Cancelling the caller gives the request up.

        Raises:
            ResponseTooLargeError: It is longer than `max_bytes`; the rest was not read.
            TransportError: There is none.
        """
        client = self._brought or self._ours.get(get_running_loop()) or await self._made()
        try:
            return await _exchange(client, request)
        except TransportError:
            raise
        except Exception as error:
            # Two packages with classes of their own, and whatever the hooks of a client that was brought may raise.
            raise TransportError(f"the request failed: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the client of this event loop, if it is ours; closing twice does nothing."""
        client = self._ours.pop(get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _made(self) -> "_Client":
        # In a thread: reading the certificates of all authorities takes tens of milliseconds.
        made = cast("_Client", await to_thread.run_sync(self._make))
        kept = self._ours.setdefault(get_running_loop(), made)
        if kept is not made:
            await made.aclose()  # somebody was faster
        return kept

    def _make(self) -> object:
        return self._httpx2.AsyncClient(
            timeout=None,  # the deadline is set by whoever asks, over everything together
            limits=self._httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_KEPT_ALIVE),
            mounts=dict.fromkeys(_LOOPBACK),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )


class _Body(Protocol):
    """What we use of a response."""

    status_code: int

    @property
    def headers(self) -> Any: ...
    def aiter_raw(self) -> Any: ...


class _Client(Protocol):
    """What we use of a client, of either package."""

    def stream(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None,
        headers: dict[str, str],
        auth: None,
        follow_redirects: bool,
    ) -> AbstractAsyncContextManager[_Body]: ...
    async def aclose(self) -> None: ...


async def _exchange(client: _Client, request: HttpRequest) -> HttpResponse:
    # Small documents need no compression, and what was never asked for cannot swell.
    headers = {"Accept-Encoding": "identity", **request.headers}
    # A client that was brought may sign its requests: that would replace our credentials, or give them to strangers.
    async with client.stream(
        request.method, request.url, content=request.body, headers=headers, auth=None, follow_redirects=False
    ) as response:
        fields = {str(name).lower(): str(value) for name, value in response.headers.items()}
        body = _Reader(fields.get("content-encoding", "identity").strip().lower(), request.max_bytes)
        async for chunk in response.aiter_raw():
            body.feed(chunk)
    return HttpResponse(status=response.status_code, headers=fields, body=body.content())


class _Reader:
    """Gathers a body up to a limit, which holds for what is decompressed too.

    Some servers keep a file compressed and send it so, whatever they are asked for.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in {"identity", "gzip", "x-gzip", ""}:
            raise TransportError("the answer is compressed in a way that was not asked for")
        self._unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        self._limit = limit
        self._content = bytearray()
        self._is_empty = True  # as the answer to a redirect may be, whatever it says of its encoding

    def feed(self, chunk: bytes) -> None:
        """Take the next piece.

        Raises:
            ResponseTooLargeError: It is one too many.
        """
        self._is_empty = self._is_empty and not chunk
        room = self._limit - len(self._content)
        self._content += chunk if self._unpack is None else self._unpack.decompress(chunk, room + 1)
        if len(self._content) > self._limit:
            raise ResponseTooLargeError(f"more than {self._limit} bytes")

    def content(self) -> bytes:
        """The whole body.

        Raises:
            TransportError: It is a compressed one that ends too early.
        """
        if self._unpack is not None and not (self._is_empty or self._unpack.eof):
            raise TransportError("the compressed answer is cut off")
        return bytes(self._content)
