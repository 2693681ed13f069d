"""The public keys at `/.well-known/jwks.json`, cached by verifiers for as long as the ring says."""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mintkey.errors import BackendError
from mintkey.integrations.bearer import answer_to
from mintkey.integrations.web.refusing import respond
from mintkey.integrations.web.state import service_of
from mintkey.service import TokenService

__all__ = ["JWKS_PATH", "jwks_endpoint", "names_etag"]

JWKS_PATH = "/.well-known/jwks.json"

_MEDIA_TYPE = "application/jwk-set+json"


def jwks_endpoint(tokens: TokenService | None = None, /) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """An endpoint that serves the JWK Set (RFC 7517 §5, §8.5.1) with an `ETag` and how long it may be cached.

    Args:
        tokens: Whose keys; by default those of the service in the application's state.
    """

    async def jwks(request: Request) -> Response:
        service = service_of(request) if tokens is None else tokens
        try:
            keys = await service.jwks()
        except BackendError as error:
            return respond(answer_to(error))
        seconds = int(keys.max_age.total_seconds())
        # Zero: nobody may cache the keys, but may ask whether they changed.
        headers = {"ETag": keys.etag, "Cache-Control": f"public, max-age={seconds}" if seconds else "no-cache"}
        if names_etag(request.headers.getlist("if-none-match"), keys.etag):
            return Response(status_code=304, headers=headers)
        return JSONResponse(keys.as_dict(), headers=headers, media_type=_MEDIA_TYPE)

    return jwks


def names_etag(fields: list[str], etag: str, /) -> bool:
    """Whether the `If-None-Match` fields of a request name this entity tag, compared weakly (RFC 9110 §13.1.2).

    Example:
        >>> names_etag(['"a", W/"b"'], '"b"'), names_etag(["*"], '"b"'), names_etag([], '"b"')
        (True, True, False)
    """
    named = [tag.strip() for field in fields for tag in field.split(",")]
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in named)
