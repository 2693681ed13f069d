"""Links that people click and scanners only look at: `GET` and `HEAD` peek, and nothing but `POST` spends.

Mail gateways, link previews and prefetching browsers follow every link in a message. So the link leads to a page with a
button, and the button posts the token.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mintkey.errors import BackendError, ConfigurationError, InvalidTokenError, MintkeyError, Reason
from mintkey.integrations.bearer import answer_to
from mintkey.integrations.web import pages
from mintkey.integrations.web.forms import is_from_another_site, posted
from mintkey.integrations.web.pages import MagicLinkTexts, Words
from mintkey.integrations.web.same_browser import SameBrowser
from mintkey.integrations.web.state import verifier_of
from mintkey.purpose import Purpose
from mintkey.tokens import PeekedToken, VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = ["MagicLinkEndpoint", "OnSuccess"]

C = TypeVar("C")

OnSuccess = Callable[[Request, VerifiedToken[C]], Awaitable[Response]]
"""What happens once a link was used: the request, what its token says, and the answer.

Example:
    ```python
    async def sign_in(request: Request, used: VerifiedToken[Any]) -> Response:
        return PlainTextResponse(f"signed in as {used.subject}")
    ```
"""

_OVER = frozenset(
    {
        Reason.EXPIRED,
        Reason.REPLAYED,
        Reason.REPLAY_UNPROVABLE,
        Reason.REVOKED,
        Reason.KEY_RETIRED,
        Reason.KEY_REVOKED,
    }
)
"""A link that was good once. Of one that somebody made up no more is found out than that its key id is an old one."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")


class MagicLinkEndpoint(Generic[C]):
    """What is behind a link, as an endpoint of Starlette for `GET`, `HEAD` and `POST`.

    Statuses are those of `mintkey.integrations.starlette.magic_link_route`.

    Args:
        purpose: What the links are for, for single use.
        on_success: Called once a link was used; it answers, as with a redirect and a cookie. The request's form can be
            read again. What it raises is the application's to handle; the link stays used.
        tokens: Verifies the links; by default the service in the application's state.
        texts: What the pages say.
        new_link: Where to ask for a new link, a path or URL that the pages link to.
        same_browser: Binds links to the browser in which they were asked for.
        leads_to: Other origins that `on_success` redirects to, such as `https://app.example`: without this, browsers
            follow it on this site alone.

    Raises:
        ConfigurationError: The purpose is not for single use, or an origin is none; all problems at once
            (`configuration`).

    Example:
        ```python
        async def sign_in(request: Request, used: VerifiedToken[Any]) -> Response:
            response = RedirectResponse("/inbox", status_code=303)
            SESSION_COOKIE.set(response, await service_of(request).mint(SESSION, subject=used.subject))
            return response

        Route("/magic", MagicLinkEndpoint(LOGIN, on_success=sign_in).answer, methods=["GET", "POST"])
        ```
    """

    def __init__(
        self,
        purpose: Purpose[C],
        /,
        *,
        on_success: OnSuccess[C],
        tokens: TokenVerifier | None = None,
        texts: MagicLinkTexts | None = None,
        new_link: str | None = None,
        same_browser: SameBrowser | None = None,
        leads_to: Collection[str] = (),
    ) -> None:
        problems = [f"leads_to: {origin!r} is no origin" for origin in leads_to if not _ORIGIN.fullmatch(origin)]
        if not purpose.single_use:
            problems.append(f"{purpose.name} must be for single use: a link that works twice is a password in a mail")
        ConfigurationError.raise_if(f"magic link: {problem}" for problem in problems)
        self._purpose = purpose
        self._on_success = on_success
        self._tokens = tokens
        self._texts = MagicLinkTexts() if texts is None else texts
        self._new_link = new_link
        self._same_browser = same_browser
        self._headers = pages.headers(leads_to=leads_to)

    async def answer(self, request: Request) -> Response:
        """The answer to a request; every one says that it must neither be kept nor told to anybody."""
        response = await (self._use(request) if request.method == "POST" else self._look(request))
        for name, value in pages.UNSEEN.items():
            response.headers.setdefault(name, value)
        return response

    async def _look(self, request: Request) -> Response:
        token = request.query_params.getlist("token")
        if len(token) != 1:
            return self._message(400, self._texts.broken)
        try:
            # Scanners and previews come by here: every check, and nothing is spent.
            if await self._peek(request, token[0]) is None:
                return self._message(403, self._texts.other_browser)
        except (InvalidTokenError, BackendError) as error:
            return self._refusal(error)
        return HTMLResponse(pages.confirmation(token[0], self._texts), headers=self._headers)

    async def _use(self, request: Request) -> Response:
        if is_from_another_site(request):
            return self._message(403, self._texts.other_site)
        form, request = await posted(request)
        token = form.get("token", "")
        if not token:
            return self._message(400, self._texts.broken)
        try:
            # Another browser must not spend it, so that is found out first.
            if self._same_browser is not None and await self._peek(request, token) is None:
                return self._message(403, self._texts.other_browser)
            used = await self._service(request).verify(token, self._purpose)
        except (InvalidTokenError, BackendError) as error:
            return self._refusal(error)
        return await self._on_success(request, used)

    async def _peek(self, request: Request, token: str) -> PeekedToken[C] | None:
        """A look at the token; None: it was asked for in another browser."""
        tokens = self._service(request)
        seen = await tokens.peek(token, self._purpose)
        if self._same_browser is None or await self._same_browser.asked_for(seen.id, request, tokens):
            return seen
        return None

    def _service(self, request: Request) -> TokenVerifier:
        return verifier_of(request) if self._tokens is None else self._tokens

    def _refusal(self, error: MintkeyError) -> Response:
        texts = self._texts
        if error.reason in _OVER:
            return self._message(410, texts.over)
        if isinstance(error, InvalidTokenError):
            return self._message(400, texts.broken)
        response = self._message(
            error.status_code, texts.in_use if error.reason is Reason.TOKEN_RESERVED else texts.unavailable
        )
        response.headers.update(answer_to(error).headers)
        return response

    def _message(self, status: int, words: Words) -> Response:
        page = pages.message(words, self._texts, new_link=self._new_link)
        return HTMLResponse(page, status_code=status, headers=self._headers)
