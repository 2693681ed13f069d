"""What our HTTP clients need of a transport: two methods, so that people may bring the client that they have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["HttpRequest", "HttpResponse", "HttpTransport", "ResponseTooLargeError", "TransportError"]


class TransportError(Exception):
    """No answer came: the name, the connection, TLS or the protocol failed. Says how and shows no content.

    Example:
        >>> issubclass(ResponseTooLargeError, TransportError)
        True
    """


class ResponseTooLargeError(TransportError):
    """The answer is longer than was asked for; the rest of it was not read.

    Example:
        >>> str(ResponseTooLargeError("the answer has more than 65536 bytes"))
        'the answer has more than 65536 bytes'
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request.

    Attributes:
        url: Where to; checked by whoever asks.
        max_bytes: The longest body to accept, counted after decompression.
        method: `GET` or `POST`.
        headers: The fields to send.
        body: What to send.

    Example:
        >>> HttpRequest(url="https://issuer.example/jwks", max_bytes=65_536).method
        'GET'
    """

    url: str
    max_bytes: int
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One answer, read to its end.

    Attributes:
        status: The status code.
        headers: The fields, their names in lower case; of one that came several times the values, joined by commas.
        body: The body, decompressed.

    Example:
        >>> HttpResponse(status=200, headers={"etag": '"1"'}, body=b"{}").headers["etag"]
        '"1"'
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class HttpTransport(Protocol):
    """Sends requests. It follows no redirect, keeps no cookie and sets no deadline: whoever asks does.

    Example:
        ```python
        class Recorded:
            async def send(self, request: HttpRequest, /) -> HttpResponse:
                return HttpResponse(status=200, headers={}, body=RECORDED[request.url])

            async def aclose(self) -> None: ...
        ```
    """

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        """The answer to a request. Cancelling the caller gives the request up.

        Raises:
            TransportError: There is none, or it is longer than `max_bytes`.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections; closing twice does nothing."""
        ...
