"""The guard of a route: the token of a request, verified, or a refusal by RFC 6750."""

from collections.abc import Collection
from typing import Any, Generic, TypeVar

from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection

from mintkey.errors import BackendError, InsufficientScopeError, InvalidTokenError
from mintkey.integrations import bearer
from mintkey.integrations.cookies import TokenCookie
from mintkey.integrations.web.refusing import refusal
from mintkey.integrations.web.state import verifier_of
from mintkey.purpose import Purpose
from mintkey.tokens import VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = ["TokenGuard"]

C = TypeVar("C")

_SPENT = "mintkey.spent"


class TokenGuard(Generic[C]):
    """The verified token of a request or a WebSocket.

    Args:
        purpose: What the token must be for.
        tokens: Verifies it; by default the service in the application's state.
        cookie: A cookie that may carry it in place of the `Authorization` field.
        realm: What is protected, for people.

    Raises:
        ConfigurationError: The realm has characters that do not fit between quotes (`configuration`).

    Example:
        ```python
        guard = TokenGuard(ACCESS)

        async def orders(request: Request) -> JSONResponse:
            user = await guard(request, scopes=["orders:read"])
            return JSONResponse({"user": user.subject})
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
    ) -> None:
        bearer.check_realm(realm)
        self.purpose: Purpose[C] = purpose
        self._tokens = tokens
        self._cookie = cookie
        self._realm = realm

    async def __call__(self, connection: HTTPConnection, /, *, scopes: Collection[str] = ()) -> VerifiedToken[C]:
        """The token; a purpose for single use is spent by it.

        Args:
            connection: The request, or a WebSocket before it is accepted.
            scopes: Scopes that the token must have, all of them.

        Raises:
            HTTPException: The request is refused.
            WebSocketException: The WebSocket is refused, and the server cannot send a response.
            ConfigurationError: There is no service in the state, or no store for what needs one (`configuration`).
        """
        scope = connection.scope
        headers = scope["headers"]
        cookies = () if self._cookie is None else self._cookie.values_in(headers)
        try:
            token = bearer.find_token(headers, query=scope.get("query_string", b""), cookies=cookies)
        except ValueError:
            raise refusal(connection, bearer.two_tokens(realm=self._realm)) from None
        if token is None:
            raise refusal(connection, bearer.missing_token(realm=self._realm))
        tokens = verifier_of(connection) if self._tokens is None else self._tokens
        try:
            if self.purpose.single_use:
                return await self._spent(scope, tokens, token, scopes)
            return await tokens.verify(token, self.purpose, scopes=scopes)
        except (InvalidTokenError, BackendError) as error:
            raise self.refuse(connection, error) from error

    async def _spent(self, scope: Any, tokens: TokenVerifier, token: str, scopes: Collection[str]) -> VerifiedToken[C]:
        """The token of a request, spent once, however many guards of an application ask for it with other scopes."""
        known: dict[object, VerifiedToken[C]] = scope.setdefault(_SPENT, {})
        asked = id(tokens), id(self.purpose), token
        if asked not in known:
            known[asked] = await tokens.verify(token, self.purpose, scopes=scopes)
        elif not known[asked].scopes.issuperset(scopes):
            raise InsufficientScopeError("the token lacks a scope", details={"scopes": tuple(sorted(scopes))})
        return known[asked]

    def refuse(self, connection: HTTPConnection, error: Exception, /) -> HTTPException | WebSocketException:
        """What to raise for a request whose token is refused with this error."""
        return refusal(connection, bearer.answer_to(error, realm=self._realm))
