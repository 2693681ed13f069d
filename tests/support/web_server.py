"""An application as it is served: uvicorn in a process of its own, on a free port, with everything in one Redis."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Form, Request, WebSocket
from fastapi.responses import PlainTextResponse, Response

from mintkey import Purpose, TokenService, VerifiedToken
from mintkey.integrations.fastapi import (
    ServiceDep,
    TokenBearer,
    install_error_handlers,
    jwks_router,
    lifespan,
    magic_link_router,
)
from mintkey.keys import Plaintext
from mintkey.keys.redis import RedisKeyProvider
from mintkey.replay.redis import RedisReplayStore
from tests.support.processes import process, say

__all__ = ["application", "serving"]

LOGIN = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="app", single_use=True)
SESSION = Purpose("session", lifetime=timedelta(hours=1), audience="app", revocable=True)

_PATIENCE = timedelta(seconds=1.5)


def application(redis: str) -> FastAPI:
    """Links, sessions and keys."""

    def make() -> TokenService:
        return TokenService(
            issuer="https://app.example",
            keys=RedisKeyProvider(redis, sealer=Plaintext()),
            replay=RedisReplayStore(redis, timeout=_PATIENCE),
        )

    async def welcome(_request: Request, used: VerifiedToken[dict[str, Any]]) -> Response:
        return PlainTextResponse(used.subject)

    app = FastAPI(lifespan=lifespan(make))
    app.include_router(jwks_router())
    app.include_router(magic_link_router(LOGIN, on_success=welcome))
    install_error_handlers(app)
    session = TokenBearer(SESSION)

    @app.post("/links")
    async def _links(subject: Annotated[str, Form()], tokens: ServiceDep) -> str:
        return await tokens.mint(LOGIN, subject=subject)

    @app.post("/sessions")
    async def _sessions(subject: Annotated[str, Form()], tokens: ServiceDep) -> str:
        return await tokens.mint(SESSION, subject=subject)

    @app.get("/me")
    async def _me(user: Annotated[VerifiedToken[dict[str, Any]], Depends(session)]) -> str | None:
        return user.subject

    @app.websocket("/news")
    async def _news(websocket: WebSocket, user: Annotated[VerifiedToken[dict[str, Any]], Depends(session)]) -> None:
        await websocket.accept()
        await websocket.close(reason=user.subject)

    return app


@contextmanager
def serving(redis: str) -> Iterator[str]:
    """The URL of an application in a process of its own, for as long as the block lasts."""
    with process("tests.support.web_server", (redis,)) as started:
        assert started.stdout is not None
        port = started.stdout.readline().strip()
        assert port, "the server does not start"
        yield f"http://127.0.0.1:{port}"


def _serve(redis: str) -> None:
    # Said to be TCP: of what is not, asyncio does not turn Nagle's algorithm off, and answers wait for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        say(str(listening.getsockname()[1]))
        uvicorn.Server(uvicorn.Config(application(redis), log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    import json

    _serve(*json.loads(sys.argv[1])[0])
