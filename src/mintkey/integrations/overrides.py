"""Another service, or a user without a token, in an application under test. Offered by `mintkey.testing`.

Here and not there, because it is about frameworks.
"""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mintkey.errors import ConfigurationError, InsufficientScopeError, MissingExtraError

try:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection
except ImportError as _error:
    raise MissingExtraError("Starlette is not installed: pip install 'mintkey[fastapi]'") from _error

from mintkey.integrations.web.state import INSTEAD
from mintkey.tokens import VerifiedToken
from mintkey.verifier import TokenVerifier

if TYPE_CHECKING:
    import fastapi

    from mintkey.integrations.fastapi import TokenBearer

__all__ = ["override_service", "override_user"]

C = TypeVar("C")

_MISSING: Any = object()


@contextmanager
def override_service(app: Starlette, tokens: TokenVerifier, /) -> Generator[None]:
    """For the length of the block, an application has this service in its state instead of its own.

    What takes the service from the state has this one: guards, `ServiceDep`, the JWK Set, magic links. A service that
    was given by `tokens=` is not replaced. Begin before the application starts; what `lifespan` would have made is
    neither made nor opened, so that a test needs no Redis. A lifespan of your own runs as it is, and only what it puts
    into the state as `tokens` is replaced.

    Args:
        app: An application of FastAPI or Starlette.
        tokens: The service to use.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> from mintkey import TokenService
        >>> from mintkey.integrations.fastapi import jwks_router, lifespan
        >>> app = FastAPI(lifespan=lifespan(lambda: TokenService.from_url("redis://…", issuer="https://myapp.example")))
        >>> app.include_router(jwks_router())
        >>> in_memory = TokenService.from_url("memory://", issuer="https://issuer.test")
        >>> with override_service(app, in_memory), TestClient(app) as client:
        ...     client.get("/.well-known/jwks.json").status_code
        200
    """
    router = app.router
    before = router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[Mapping[str, Any]]:
        async with before(app) as state:
            app.state.tokens = tokens
            yield {**(state or {}), "tokens": tokens}

    router.lifespan_context = lifespan
    try:
        with _set(app, INSTEAD, tokens), _set(app, "tokens", tokens):
            yield
    finally:
        router.lifespan_context = before


@contextmanager
def override_user(app: "fastapi.FastAPI", bearer: "TokenBearer[C]", user: VerifiedToken[C], /) -> Generator[None]:
    """For the length of the block, everybody who comes to routes behind a `TokenBearer` is this user, without a token.

    Scopes are asked for as ever: a user without the scope of a route is refused with 403. It is an entry in
    `app.dependency_overrides`, so it is for the very object that the routes depend on: give it a name.

    Args:
        app: The application.
        bearer: What the routes depend on.
        user: Who they are, as `verified_token` makes one.

    Raises:
        ConfigurationError: The user's token would be for another purpose (`configuration`).

    Example:
        >>> from datetime import timedelta
        >>> from typing import Annotated
        >>> from fastapi import FastAPI, Security
        >>> from fastapi.testclient import TestClient
        >>> from mintkey import Purpose
        >>> from mintkey.integrations.fastapi import TokenBearer
        >>> from mintkey.testing import verified_token
        >>> access = Purpose("access", lifetime=timedelta(minutes=5))
        >>> app, bearer = FastAPI(), TokenBearer(access)
        >>> @app.get("/orders")
        ... async def orders(user: Annotated[VerifiedToken, Security(bearer, scopes=["orders:read"])]) -> str:
        ...     return f"orders of {user.subject}"
        >>> with override_user(app, bearer, verified_token(access, subject="20", scopes=["orders:read"])):
        ...     TestClient(app).get("/orders").json()
        'orders of 20'
    """
    # On demand: applications of Starlette alone have a service to override, too.
    from fastapi.security import SecurityScopes  # noqa: PLC0415

    if user.purpose != bearer.guard.purpose.name:
        raise ConfigurationError(f"override_user: the bearer is for {bearer.guard.purpose.name}, not {user.purpose}")

    async def known(connection: HTTPConnection, scopes: SecurityScopes) -> VerifiedToken[C]:
        if not user.scopes.issuperset(scopes.scopes):
            lacking = InsufficientScopeError("the user lacks a scope", details={"scopes": tuple(sorted(scopes.scopes))})
            raise bearer.guard.refuse(connection, lacking) from lacking
        return user

    overrides = app.dependency_overrides
    before = overrides.get(bearer)
    overrides[bearer] = known
    try:
        yield
    finally:
        if before is None:
            del overrides[bearer]
        else:
            overrides[bearer] = before


@contextmanager
def _set(app: Starlette, name: str, value: object) -> Generator[None]:
    before = getattr(app.state, name, _MISSING)
    setattr(app.state, name, value)
    try:
        yield
    finally:
        if before is _MISSING:
            delattr(app.state, name)
        else:
            setattr(app.state, name, before)
