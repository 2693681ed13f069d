"""An application with the same route three times: open, guarded by mintkey, and guarded by PyJWT."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jwt import InvalidTokenError as JWTError

from benchmarks.pyjwt import PyJWT
from benchmarks.services import SESSION
from mintkey import TokenService, VerifiedToken
from mintkey.integrations.fastapi import TokenBearer

__all__ = ["application"]

_REFUSED = 401


def application(tokens: TokenService, theirs: PyJWT, /) -> FastAPI:
    """The routes `/open`, `/ours` and `/theirs`.

    Args:
        tokens: Guards one of them, by `TokenBearer`.
        theirs: Guards another, behind FastAPI's own `HTTPBearer`.
    """
    app = FastAPI()
    ours, bearer = TokenBearer(SESSION, tokens=tokens), HTTPBearer()

    async def their_guard(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> dict[str, Any]:
        try:
            return theirs.decode_by_kid(credentials.credentials)
        except (JWTError, KeyError) as error:
            raise HTTPException(_REFUSED, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error

    @app.get("/open")
    async def _open() -> dict[str, str]:
        return {"subject": "0"}

    @app.get("/ours")
    async def _ours(user: Annotated[VerifiedToken[dict[str, Any]], Depends(ours)]) -> dict[str, str | None]:
        return {"subject": user.subject}

    @app.get("/theirs")
    async def _theirs(user: Annotated[dict[str, Any], Depends(their_guard)]) -> dict[str, str]:
        return {"subject": user["sub"]}

    return app
