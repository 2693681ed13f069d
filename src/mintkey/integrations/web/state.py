"""Where an application keeps its service: in the state of its lifespan, opened before the first request."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isawaitable
from typing import Any, TypedDict, TypeVar

from starlette.requests import HTTPConnection

from mintkey.errors import ConfigurationError
from mintkey.service import TokenService
from mintkey.verifier import TokenVerifier

__all__ = ["INSTEAD", "TokenState", "lifespan", "service_of", "verifier_of"]

V = TypeVar("V", bound=TokenVerifier)

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]

INSTEAD = "mintkey_instead"
"""What the state of an application under test calls the service that is opened in the place of its own."""


class TokenState(TypedDict):
    """What `lifespan` puts into the state, for endpoints of a newer Starlette that take a `Request[TokenState]`.

    FastAPI knows no such parameter: routes have a `ServiceDep` there.

    Example:
        ```python
        async def ready(request: Request[TokenState]) -> JSONResponse:
            health = await request.state["tokens"].health()
            return JSONResponse({"ok": health.ok}, status_code=200 if health.ok else 503)
        ```
    """

    tokens: TokenService


def lifespan(
    tokens: V | Callable[[], V | Awaitable[V]],
    /,
    *,
    also: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
) -> Lifespan:
    """A lifespan that opens the service before the first request and closes it after the last.

    Args:
        tokens: The service, or what makes one when the application starts, a coroutine function perhaps: in the process
            that serves, with settings that are read there.
        also: A lifespan of your own, which begins when the service is open and ends before it closes; what it yields
            goes into the state too.

    Example:
        ```python
        app = FastAPI(lifespan=lifespan(tokens))
        ```
    """

    @asynccontextmanager
    async def opened(app: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        service: TokenVerifier | None = getattr(app.state, INSTEAD, None)
        if service is None:
            made = tokens if isinstance(tokens, TokenVerifier) else tokens()
            service = await made if isawaitable(made) else made
        async with service:
            # In the application too: not everything that calls one hands its state on.
            app.state.tokens = service
            if also is None:
                yield {"tokens": service}
            else:
                async with also(app) as more:
                    yield {"tokens": service, **(more or {})}

    return opened


def verifier_of(connection: HTTPConnection, /) -> TokenVerifier:
    """The service in the state of the application.

    Raises:
        ConfigurationError: There is none (`configuration`).
    """
    scope = connection.scope
    found: object = scope.get("state", _NOTHING).get("tokens")
    if found is None and "app" in scope:
        found = getattr(scope["app"].state, "tokens", None)
    if not isinstance(found, TokenVerifier):
        raise ConfigurationError(
            "there is no token service in the application's state: give the application "
            "lifespan=lifespan(tokens), or pass tokens= here"
        )
    return found


def service_of(connection: HTTPConnection, /) -> TokenService:
    """The service in the state of the application, one that mints.

    Raises:
        ConfigurationError: There is none, or it only verifies (`configuration`).

    Example:
        ```python
        async def sign_in(request: Request) -> JSONResponse:
            token = await service_of(request).mint(SESSION, subject="20")
            return JSONResponse({"token": token})
        ```
    """
    found = verifier_of(connection)
    if not isinstance(found, TokenService):
        raise ConfigurationError("the service in the application's state only verifies; this needs a TokenService")
    return found


_NOTHING: Mapping[str, Any] = {}
