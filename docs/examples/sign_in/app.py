"""The application: its settings, its routes, and what puts them together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import SecretStr

from mintkey import BackendError, ConfigurationError, TokenService
from mintkey.integrations.bearer import answer_to
from mintkey.integrations.fastapi import (
    TokenBearer,
    install_error_handlers,
    jwks_router,
    lifespan,
    magic_link_router,
)
from mintkey.integrations.logging import LoggingHook
from mintkey.integrations.settings import MintkeySettings
from sign_in import pages
from sign_in.links import LOGIN, SAME_BROWSER, Links, Mailer, Outbox, address_in, log
from sign_in.sessions import ACCESS, ACCESS_COOKIE, Sessions, User


class Settings(MintkeySettings):
    """What `MINTKEY_*` says; without a word from there, what one machine needs to try it.

    Attributes:
        issuer: The `iss` of all tokens, and where the application is: links begin with it.
        same_browser: Whether a link works in the browser alone in which it was asked for.
    """

    issuer: str = "http://localhost:8000"
    store: SecretStr | None = SecretStr("memory://")
    same_browser: bool = False

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine can get at the application."""
        return urlsplit(self.issuer).hostname in {"localhost", "127.0.0.1", "::1"}


async def _sessions(request: Request) -> Sessions:
    found: Sessions = request.state.sessions
    return found


async def _links(request: Request) -> Links:
    found: Links = request.state.links
    return found


async def _from_this_site(request: Request) -> None:
    """Refuse a form that another site has a browser send (W3C Fetch Metadata): it would act for whoever visits it."""
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise HTTPException(403, "another site sent this")


router = APIRouter(default_response_class=pages.Page)


@router.get("/")
async def home(request: Request, response: Response, sessions: Annotated[Sessions, Depends(_sessions)]) -> str:
    """Who is signed in, or where to."""
    user = await sessions.user(request, response)
    return pages.sign_in() if user is None else pages.signed_in(user)


@router.post("/sign-in", dependencies=[Depends(_from_this_site)])
async def sign_in(
    request: Request, response: Response, email: Annotated[str, Form()], links: Annotated[Links, Depends(_links)]
) -> str:
    """Send a link. Before you go live: limit how often one address, and one client, may ask."""
    address = address_in(email)
    if address is None:
        response.status_code = 422
        return pages.sign_in(email, problem="This is no e-mail address. One looks like alice@example.com.")
    message = await links.send(address, request, response)
    return pages.sent(message, is_shown=request.app.state.shows_messages)


@router.get("/sign-in")
async def back_to_the_form() -> Response:
    """For whoever comes back to the address of the page that said to look into the mail."""
    return RedirectResponse("/", status_code=303)


@router.post("/sign-out", dependencies=[Depends(_from_this_site)])
async def sign_out(request: Request, sessions: Annotated[Sessions, Depends(_sessions)]) -> Response:
    """End the session."""
    response = RedirectResponse("/", status_code=303)
    await sessions.end(request, response)
    return response


api = APIRouter(prefix="/api")


@api.get("/me")
async def me(user: Annotated[User, Depends(TokenBearer(ACCESS, cookie=ACCESS_COOKIE))]) -> dict[str, Any]:
    """For programs: an access token, in the cookie or as a bearer token, or 401."""
    return {"subject": user.subject, "expires_at": user.expires_at}


async def _welcome(request: Request, used: User) -> Response:
    """The link was used, just now and by nobody else."""
    response = RedirectResponse("/", status_code=303)
    await request.state.sessions.begin(response, str(used.subject))  # LOGIN requires one
    return response


async def _away(_request: Request, error: Exception) -> Response:
    """Keys or store cannot be reached: whoever is signed in remains so, and comes again."""
    answer = answer_to(error)
    response = pages.Page(pages.away(), answer.status)
    response.headers.update(answer.headers)
    return response


def create_app(settings: Settings | None = None, *, mailer: Mailer | None = None) -> FastAPI:
    """The application.

    Args:
        settings: By default what `MINTKEY_*` says.
        mailer: Sends messages; by default, and on one's own machine alone, they are shown.
    """
    chosen = Settings() if settings is None else settings
    if mailer is None and not chosen.is_local:
        raise ConfigurationError("who may see the page would get in as anybody: give create_app a mailer")
    sends = Outbox() if mailer is None else mailer

    def tokens() -> TokenService:
        return chosen.token_service(hooks=[LoggingHook(log)])

    @asynccontextmanager
    async def also(app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
        opened = app.state.tokens
        links = Links(opened, sends, base=chosen.issuer, same_browser=chosen.same_browser)
        yield {"sessions": Sessions(opened), "links": links}

    # FastAPI's own pages about an API come from elsewhere, so they are off.
    app = FastAPI(title="Sign in", lifespan=lifespan(tokens, also=also), docs_url=None, redoc_url=None)
    app.state.shows_messages = mailer is None
    app.include_router(router)
    app.include_router(api)
    app.include_router(
        magic_link_router(
            LOGIN,
            on_success=_welcome,
            texts=pages.LINK_TEXTS,
            new_link="/",
            same_browser=SAME_BROWSER if chosen.same_browser else None,
        )
    )
    app.include_router(jwks_router())
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    install_error_handlers(app)
    app.add_exception_handler(BackendError, _away)  # for people; guards answer programs themselves
    return app
