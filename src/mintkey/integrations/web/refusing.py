"""How a refusal leaves: as a response, as what a framework expects to be raised, or as the end of a WebSocket."""

import logging
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketState

from mintkey.errors import ConfigurationError, MintkeyError
from mintkey.integrations.bearer import Answer, answer_to

__all__ = ["RefusedError", "install_error_handlers", "refusal", "respond"]

_log = logging.getLogger("mintkey")

_POLICY_VIOLATION, _INTERNAL_ERROR, _TRY_AGAIN_LATER = 1008, 1011, 1013
"""Close codes of WebSockets (RFC 6455 §7.4.1 and its registry)."""


class RefusedError(HTTPException):
    """A request was refused by a guard; frameworks know it as an `HTTPException`.

    Its `__cause__` is the error of mintkey, with the fine reason, if there was one.

    Attributes:
        answer: Status, word and headers.

    Example:
        ```python
        async def to_the_login_page(request: Request, refused: RefusedError) -> Response:
            return RedirectResponse("/login", 303) if refused.status_code == 401 else respond(refused.answer)

        app.add_exception_handler(RefusedError, to_the_login_page)
        ```
    """

    def __init__(self, answer: Answer, /) -> None:
        super().__init__(answer.status, detail=answer.word, headers=dict(answer.headers))
        self.answer = answer


def respond(answer: Answer, /) -> JSONResponse:
    """The answer as JSON, with its status and headers.

    Example:
        >>> from mintkey import KeyProviderError
        >>> respond(answer_to(KeyProviderError("away"))).body
        b'{"detail":"temporarily_unavailable"}'
    """
    headers = {**answer.headers, "Cache-Control": "no-store"}
    return JSONResponse({"detail": answer.word}, status_code=answer.status, headers=headers)


def refusal(connection: HTTPConnection, answer: Answer, /) -> HTTPException | WebSocketException:
    """What to raise.

    A WebSocket that is not accepted yet is refused with the same response as a request, if the server can do that, and
    with the code of a policy violation otherwise.
    """
    if connection.scope["type"] == "websocket" and not _may_be_denied(connection):
        return WebSocketException(_close_code(answer), answer.word)
    return RefusedError(answer)


def install_error_handlers(app: Starlette, /) -> None:
    """Have an application answer every error of mintkey as RFC 6750 says, wherever a route raises it.

    Guards do not need it; routes that call `verify`, `mint` and the like do. A `ConfigurationError` is a mistake of
    ours: it is logged, and outsiders hear of a server error.

    Args:
        app: An application of FastAPI or Starlette.

    Example:
        ```python
        app = FastAPI(lifespan=lifespan(tokens))
        install_error_handlers(app)
        ```
    """
    # What a guard raises is an HTTPException, which Starlette and FastAPI write in two ways of their own.
    app.add_exception_handler(RefusedError, cast("Any", _on_refused))
    app.add_exception_handler(MintkeyError, cast("Any", _on_error))


async def _on_refused(connection: HTTPConnection, refused: RefusedError) -> Response | None:
    return await _answered(connection, refused.answer)


async def _on_error(connection: HTTPConnection, error: MintkeyError) -> Response | None:
    if isinstance(error, ConfigurationError):
        _log.error("a request met a mistake in the configuration", exc_info=error)
    return await _answered(connection, answer_to(error))


async def _answered(connection: HTTPConnection, answer: Answer) -> Response | None:
    if isinstance(connection, WebSocket) and not _may_be_denied(connection):
        await connection.close(_close_code(answer), answer.word)
        return None
    return respond(answer)


def _may_be_denied(connection: HTTPConnection) -> bool:
    """Whether a WebSocket can still be refused with a response (ASGI extension `websocket.http.response`)."""
    if isinstance(connection, WebSocket) and connection.application_state is not WebSocketState.CONNECTING:
        return False
    return "websocket.http.response" in (connection.scope.get("extensions") or ())


def _close_code(answer: Answer) -> int:
    if "Retry-After" in answer.headers:
        return _TRY_AGAIN_LATER
    return _INTERNAL_ERROR if answer.word == "server_error" else _POLICY_VIOLATION
