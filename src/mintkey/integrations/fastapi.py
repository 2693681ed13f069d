"""mintkey in a FastAPI application.

```python
bearer = TokenBearer(ACCESS)
User = Annotated[VerifiedToken[Any], Security(bearer, scopes=["orders:read"])]

app = FastAPI(lifespan=lifespan(tokens))
app.include_router(jwks_router())
app.include_router(magic_link_router(LOGIN, on_success=sign_in))
install_error_handlers(app)


@app.get("/orders")
async def orders(user: User) -> list[Order]:
    return await orders_of(user.subject)
```
"""

from collections.abc import Collection
from typing import Annotated, Generic, TypeVar

from mintkey.errors import MissingExtraError

try:
    from fastapi import APIRouter, Depends
    from fastapi.openapi.models import HTTPBearer
    from fastapi.openapi.models import SecurityBase as SecurityModel
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
    from starlette.requests import HTTPConnection
except ImportError as _error:
    raise MissingExtraError("FastAPI is not installed: pip install 'mintkey[fastapi]'") from _error

from mintkey.integrations.cookies import TokenCookie
from mintkey.integrations.starlette import jwks_route, magic_link_route
from mintkey.integrations.web.guard import TokenGuard
from mintkey.integrations.web.jwks_endpoint import JWKS_PATH
from mintkey.integrations.web.magic_link import OnSuccess
from mintkey.integrations.web.pages import MagicLinkTexts, Words
from mintkey.integrations.web.refusing import RefusedError, install_error_handlers, respond
from mintkey.integrations.web.same_browser import SameBrowser
from mintkey.integrations.web.state import TokenState, lifespan, service_of
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = [
    "MagicLinkTexts",
    "OnSuccess",
    "RefusedError",
    "SameBrowser",
    "ServiceDep",
    "TokenBearer",
    "TokenCookie",
    "TokenState",
    "Words",
    "install_error_handlers",
    "jwks_router",
    "lifespan",
    "magic_link_router",
    "respond",
    "service_of",
]

C = TypeVar("C")


async def _service(request: HTTPConnection) -> TokenService:
    return service_of(request)


ServiceDep = Annotated[TokenService, Depends(_service)]
"""The service in the application's state, as a parameter of a route.

Example:
    ```python
    @app.post("/links")
    async def ask_for_link(email: Annotated[str, Form()], tokens: ServiceDep) -> None:
        link = await tokens.mint(LOGIN, subject=email)
    ```
"""


class TokenBearer(SecurityBase, Generic[C]):
    """A dependency that lets requests with a good token in, and WebSockets; `Security` adds scopes to it.

    Refusals are those of `mintkey.integrations.bearer`: they need no error handlers. OpenAPI documents a bearer scheme,
    so `/docs` has its button.

    Args:
        purpose: What the token must be for. One for single use is spent by the request.
        tokens: Verifies it; by default the service in the application's state.
        cookie: A cookie that may carry the token in place of the `Authorization` field. Mind forged requests from
            other sites then, see `TokenCookie`.
        realm: What is protected, for people; part of the challenge.
        scheme_name: What the scheme is called in OpenAPI; by default as the purpose.
        description: What OpenAPI says of it.

    Attributes:
        guard: Does it without FastAPI.

    Raises:
        ConfigurationError: The realm has characters that do not fit between quotes (`configuration`).

    Example:
        ```python
        bearer = TokenBearer(ACCESS)

        @app.get("/orders")
        async def orders(user: Annotated[VerifiedToken[Any], Security(bearer, scopes=["orders:read"])]) -> Orders:
            return await orders_of(user.subject)

        @app.websocket("/news")
        async def news(websocket: WebSocket, user: Annotated[VerifiedToken[Any], Depends(bearer)]) -> None:
            await websocket.accept()
        ```
    """

    def __init__(
        self,
        purpose: Purpose[C],
        /,
        *,
        tokens: TokenVerifier | None = None,
        cookie: TokenCookie | None = None,
        realm: str | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
    ) -> None:
        self.guard: TokenGuard[C] = TokenGuard(purpose, tokens=tokens, cookie=cookie, realm=realm)
        self.model: SecurityModel = HTTPBearer(bearerFormat="JWT", description=description)
        self.scheme_name: str = purpose.name if scheme_name is None else scheme_name

    # The connection itself, and no dependency of FastAPI's own before it: those cost more than an HMAC.
    async def __call__(self, connection: HTTPConnection, scopes: SecurityScopes) -> VerifiedToken[C]:
        """The verified token of a request.

        Raises:
            HTTPException: The request is refused.
            WebSocketException: The WebSocket is refused, and the server cannot send a response.
        """
        return await self.guard(connection, scopes=scopes.scopes)


def jwks_router(*, tokens: TokenService | None = None, path: str = JWKS_PATH) -> APIRouter:
    """A router that serves the public keys, with `ETag` and `Cache-Control` from the ring (RFC 7517 §5).

    Args:
        tokens: Whose keys; by default those of the service in the application's state.
        path: Where.

    Example:
        ```python
        app.include_router(jwks_router())
        ```
    """
    router = APIRouter()
    router.routes.append(jwks_route(path, tokens=tokens))
    return router


def magic_link_router(
    purpose: Purpose[C],
    /,
    *,
    on_success: OnSuccess[C],
    path: str = "/magic",
    tokens: TokenVerifier | None = None,
    texts: MagicLinkTexts | None = None,
    new_link: str | None = None,
    same_browser: SameBrowser | None = None,
    leads_to: Collection[str] = (),
) -> APIRouter:
    """A router behind a link with `?token=`: looking spends nothing, the button of its page does.

    Statuses are those of `mintkey.integrations.starlette.magic_link_route`.

    Args:
        purpose: What the links are for, for single use.
        on_success: Called once a link was used; it answers.
        path: Where.
        tokens: Verifies the links; by default the service in the application's state.
        texts: What the pages say.
        new_link: Where to ask for a new link.
        same_browser: Binds links to the browser in which they were asked for.
        leads_to: Other origins that `on_success` redirects to.

    Raises:
        ConfigurationError: As for `MagicLinkEndpoint` (`configuration`).

    Example:
        ```python
        async def sign_in(request: Request, used: VerifiedToken[Any]) -> Response:
            response = RedirectResponse("/inbox", status_code=303)
            SESSION_COOKIE.set(response, await service_of(request).mint(SESSION, subject=used.subject))
            return response

        app.include_router(magic_link_router(LOGIN, on_success=sign_in, new_link="/login"))
        ```
    """
    router = APIRouter()
    router.routes.append(
        magic_link_route(
            purpose,
            on_success=on_success,
            path=path,
            tokens=tokens,
            texts=texts,
            new_link=new_link,
            same_browser=same_browser,
            leads_to=leads_to,
        )
    )
    return router
