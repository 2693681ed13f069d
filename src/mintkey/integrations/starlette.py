"""mintkey in a Starlette application.

```python
guard = TokenGuard(ACCESS)


async def orders(request: Request) -> JSONResponse:
    user = await guard(request, scopes=["orders:read"])
    return JSONResponse({"user": user.subject})


app = Starlette(
    lifespan=lifespan(tokens),
    routes=[
        Route("/orders", orders),
        jwks_route(),
        magic_link_route(LOGIN, on_success=sign_in),
    ],
)
install_error_handlers(app)
```
"""

from collections.abc import Collection
from typing import TypeVar

from mintkey.errors import MissingExtraError

try:
    from starlette.routing import Route
except ImportError as _error:
    raise MissingExtraError("Starlette is not installed: pip install 'mintkey[fastapi]'") from _error

from mintkey.integrations.bearer import Answer, answer_to
from mintkey.integrations.cookies import TokenCookie
from mintkey.integrations.web.guard import TokenGuard
from mintkey.integrations.web.jwks_endpoint import JWKS_PATH, jwks_endpoint
from mintkey.integrations.web.magic_link import MagicLinkEndpoint, OnSuccess
from mintkey.integrations.web.pages import MagicLinkTexts, Words
from mintkey.integrations.web.refusing import RefusedError, install_error_handlers, respond
from mintkey.integrations.web.same_browser import SameBrowser
from mintkey.integrations.web.state import TokenState, lifespan, service_of
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.verifier import TokenVerifier

__all__ = [
    "Answer",
    "MagicLinkTexts",
    "OnSuccess",
    "RefusedError",
    "SameBrowser",
    "TokenCookie",
    "TokenGuard",
    "TokenState",
    "Words",
    "answer_to",
    "install_error_handlers",
    "jwks_route",
    "lifespan",
    "magic_link_route",
    "respond",
    "service_of",
]

C = TypeVar("C")


def jwks_route(path: str = JWKS_PATH, /, *, tokens: TokenService | None = None) -> Route:
    """A route that serves the public keys, with `ETag` and `Cache-Control` from the ring (RFC 7517 §5).

    Args:
        path: Where.
        tokens: Whose keys; by default those of the service in the application's state.

    Example:
        >>> jwks_route().path
        '/.well-known/jwks.json'
    """
    return Route(path, jwks_endpoint(tokens), methods=["GET"], name="mintkey-jwks", include_in_schema=False)


def magic_link_route(
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
) -> Route:
    """A route behind a link with `?token=`: looking spends nothing, the button of its page does.

    | what came | status |
    |---|---|
    | `GET`, `HEAD` with a good link | 200, the page with the button; nothing is spent |
    | `POST` with a good link | whatever `on_success` answers |
    | a link that was used, revoked or is too old | 410 |
    | no link, or none of ours | 400 |
    | a link asked for in another browser, a button that another site pressed | 403; nothing is spent |
    | a link that somebody is using at this moment | 409, `Retry-After` |
    | keys or store cannot be reached | 503, `Retry-After` |

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

        routes = [magic_link_route(LOGIN, on_success=sign_in, new_link="/login")]
        ```
    """
    endpoint = MagicLinkEndpoint(
        purpose,
        on_success=on_success,
        tokens=tokens,
        texts=texts,
        new_link=new_link,
        same_browser=same_browser,
        leads_to=leads_to,
    )
    return Route(path, endpoint.answer, methods=["GET", "POST"], name="mintkey-magic-link", include_in_schema=False)
