"""A JWK Set endpoint without a network: answers what a test set, and counts."""

from collections.abc import Coroutine, Mapping
from typing import Any

import anyio
import pytest

from mintkey.claims import strict_json
from mintkey.http.base import HttpRequest, HttpResponse, TransportError
from mintkey.jose.loaded import LoadedKey
from mintkey.keys.base import VerificationKey

__all__ = ["Endpoint", "at_once", "jwks", "public"]


def public(key: LoadedKey, /, **changes: Any) -> dict[str, Any]:
    """The public JWK of a key; a member that is set to None is left out."""
    return {name: value for name, value in {**(key.public_jwk or {}), **changes}.items() if value is not None}


def jwks(*keys: LoadedKey | Mapping[str, Any]) -> bytes:
    """A JWK Set of public keys."""
    return strict_json.dumps({"keys": [public(key) if isinstance(key, LoadedKey) else key for key in keys]})


def at_once(work: Coroutine[Any, Any, VerificationKey], /) -> VerificationKey:
    """What a coroutine returns that never waits for anything."""
    with pytest.raises(StopIteration) as returned:
        work.send(None)
    key: VerificationKey = returned.value.value
    return key


class Endpoint:
    """An `HttpTransport` to one endpoint.

    Attributes:
        body: What it answers.
        status: With which status.
        headers: And which fields; a request that names its `etag` gets a 304.
        is_away: It does not answer.
        requests: What it was asked.
        closed: How often it was closed.
    """

    def __init__(self, body: bytes = b"", **headers: str) -> None:
        self.body = body
        self.status = 200
        self.headers: dict[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        self.is_away = False
        self.requests: list[HttpRequest] = []
        self.closed = 0
        self._gate = anyio.Event()
        self._gate.set()

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.requests)

    def hang(self) -> None:
        """Let everybody wait from now on."""
        self._gate = anyio.Event()

    def go_on(self) -> None:
        """Answer those who wait, and everybody after them."""
        self._gate.set()

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        self.requests.append(request)
        body = self.body
        await self._gate.wait()
        if self.is_away:
            raise TransportError("the request failed: ConnectError")
        etag = self.headers.get("etag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return HttpResponse(status=304, headers=self.headers, body=b"")
        return HttpResponse(status=self.status, headers=self.headers, body=body)

    async def aclose(self) -> None:
        self.closed += 1
