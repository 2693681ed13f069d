"""A link that works in the browser in which it was asked for, and nowhere else."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mintkey.errors import InvalidTokenError
from mintkey.integrations.bearer import Answer
from mintkey.integrations.cookies import TokenCookie
from mintkey.integrations.web.forms import is_from_another_site
from mintkey.integrations.web.refusing import RefusedError
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import MintedToken
from mintkey.verifier import TokenVerifier

__all__ = ["SameBrowser"]

_SUFFIX = ".browser"


class SameBrowser:
    """Binds links to the browser in which they were asked for, by a cookie that names the link and that we signed.

    Whoever else gets hold of the message cannot use the link then, and nobody can have a victim press the button of a
    link to the attacker's account. People who ask on one device and read on another are kept out, too.

    Args:
        purpose: What the links are for.
        cookie: The cookie; by default `magic-link`. Not `strict`: the link is followed from elsewhere.

    Example:
        ```python
        bound = SameBrowser(LOGIN)
        app.include_router(magic_link_router(LOGIN, on_success=sign_in, same_browser=bound))

        @app.post("/links")
        async def ask_for_link(
            email: Annotated[str, Form()], tokens: ServiceDep, request: Request, response: Response
        ) -> None:
            link = await tokens.mint(LOGIN, subject=email)
            await bound.bind(request, response, link, tokens)
            await send_mail(email, f"https://myapp.example/magic?token={link}")
        ```
    """

    def __init__(self, purpose: Purpose[Any], /, *, cookie: TokenCookie | None = None) -> None:
        self._cookie = TokenCookie("magic-link") if cookie is None else cookie
        name = purpose.name[: 64 - len(_SUFFIX)] + _SUFFIX
        self._purpose = Purpose(name, lifetime=purpose.lifetime, leeway=purpose.leeway, required=("sub",))

    async def bind(
        self, request: Request, response: Response, link: MintedToken | str, tokens: TokenService, /
    ) -> None:
        """Have this browser keep what the link will be compared with; it replaces that of an earlier link.

        Args:
            request: Asks for a link.
            response: The answer to it.
            link: The link's token, or the id that it will have: whoever mints it later says `token_id=` then.
            tokens: The service that mints it.

        Raises:
            RefusedError: A page of another site asks (403): it would bind this browser to a link of its own.
            BackendError: As for `TokenService.mint`.
        """
        if is_from_another_site(request):
            raise RefusedError(Answer(403, "invalid_request", {}))
        mark = await tokens.mint(self._purpose, subject=link.id if isinstance(link, MintedToken) else link)
        self._cookie.set(response, mark, max_age=self._purpose.lifetime)

    async def asked_for(self, link_id: str, request: Request, tokens: TokenVerifier, /) -> bool:
        """Whether the link of this id was asked for in the browser that sends this request.

        Raises:
            BackendError: As for `TokenVerifier.verify`.
        """
        held = self._cookie.read(request)
        if held is None:
            return False
        try:
            return (await tokens.verify(held, self._purpose)).subject == link_id
        except InvalidTokenError:
            return False
