"""One JSON document, got by one GET: within one deadline, from one origin, and never larger than was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import anyio

from mintkey.claims import strict_json
from mintkey.http.base import HttpRequest, HttpResponse, HttpTransport, ResponseTooLargeError, TransportError
from mintkey.http.urls import same_origin, url_problem

__all__ = ["BadDocumentError", "FetchError", "Fetched", "NoDocumentError", "fetch"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_OK, _NOT_MODIFIED = 200, 304


class FetchError(Exception):
    """There is no document to work with. The message may be shown: it quotes nothing that the server sent.

    Args:
        message: What went wrong.
        headers: The fields of the answer, if there was one.
    """

    def __init__(self, message: str, /, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers: Mapping[str, str] = headers or {}


class NoDocumentError(FetchError):
    """It could not be had: no answer, or none in time, or another status than 200."""


class BadDocumentError(FetchError):
    """It was had and is too large, or is no JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What an endpoint answered.

    Attributes:
        document: The JSON object; None if it did not change (304).
        headers: The fields of the answer, names in lower case.
    """

    document: Mapping[str, Any] | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


async def fetch(
    transport: HttpTransport,
    url: str,
    /,
    *,
    timeout: timedelta,  # noqa: ASYNC109 - one deadline over everything, and an error of our own
    max_bytes: int,
    accept: str = "application/json",
    etag: str | None = None,
) -> Fetched:
    """The JSON object at a URL, or that it did not change.

    Args:
        transport: Sends requests.
        url: One that passed `url_problem`.
        timeout: For everything together: connecting, redirects and the body, in real time.
        max_bytes: The longest body to read.
        accept: Media types, as the `Accept` field has them.
        etag: The validator of what the caller has already.

    Raises:
        NoDocumentError: There was no good answer in time.
        BadDocumentError: The answer is too large or no JSON object.

    Example:
        ```python
        fetched = await fetch(transport, "https://issuer.example/jwks", timeout=timedelta(seconds=5), max_bytes=65_536)
        ```
    """
    headers = {"Accept": accept} if etag is None else {"Accept": accept, "If-None-Match": etag}
    try:
        with anyio.fail_after(timeout.total_seconds()):
            response = await _follow(transport, url, headers, max_bytes)
    except TimeoutError as error:
        raise NoDocumentError(f"no complete answer within {timeout.total_seconds():g} s") from error
    if response.status == _NOT_MODIFIED and etag is not None:
        return Fetched(document=None, headers=response.headers)
    if response.status != _OK:
        raise NoDocumentError(f"the answer has status {response.status}", headers=response.headers)
    try:
        return Fetched(document=strict_json.loads(response.body), headers=response.headers)
    except strict_json.StrictJSONError as error:
        raise BadDocumentError(
            f"the answer is no JSON object that we read: {error}", headers=response.headers
        ) from None


async def _follow(transport: HttpTransport, url: str, headers: Mapping[str, str], max_bytes: int) -> HttpResponse:
    """The last answer of a chain of redirects that never leaves its origin.

    Another host might be one that only this machine can reach, or one that somebody else controls.
    """
    at = url
    for _ in range(_MOST_REDIRECTS + 1):
        response = await _send(transport, HttpRequest(url=at, max_bytes=max_bytes, headers=headers))
        if response.status not in _REDIRECTS:
            return response
        at = _resolved(at, response.headers.get("location", ""))
        if url_problem(at) is not None or not same_origin(url, at):
            raise NoDocumentError("the answer is a redirect to another origin, or to nowhere")
    raise NoDocumentError(f"more than {_MOST_REDIRECTS} redirects")


async def _send(transport: HttpTransport, request: HttpRequest) -> HttpResponse:
    try:
        response = await transport.send(request)
    except ResponseTooLargeError as error:
        raise _too_large(request) from error
    except TransportError as error:
        raise NoDocumentError(str(error)) from error
    except Exception as error:
        # A transport that somebody brought may raise anything; what it says may quote anything.
        raise NoDocumentError(f"the transport failed: {type(error).__name__}") from error
    if len(response.body) > request.max_bytes:  # a transport that somebody brought may not count
        raise _too_large(request)
    return response


def _too_large(request: HttpRequest) -> BadDocumentError:
    return BadDocumentError(f"the answer has more than {request.max_bytes} bytes")


def _resolved(base: str, location: str) -> str:
    """Where a redirect leads, without a fragment; empty if it cannot be read."""
    try:
        return urljoin(base, location).partition("#")[0]
    except ValueError:
        return ""
