"""HTTP as our clients use it: small requests, small answers, and a limit on everything."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.http.base import HttpRequest, HttpResponse, HttpTransport, ResponseTooLargeError, TransportError
from mintkey.lazily import lazy_names

if TYPE_CHECKING:
    from mintkey.http.httpx import HttpxTransport

__all__ = [
    "HttpRequest",
    "HttpResponse",
    "HttpTransport",
    "HttpxTransport",
    "ResponseTooLargeError",
    "TransportError",
]

__getattr__: Callable[[str], object] = lazy_names(__name__, {"HttpxTransport": "mintkey.http.httpx"})
