"""Token revocation (RFC 7009) as a plain function: whatever is handed in, outsiders hear the same."""

from collections.abc import Sequence
from typing import Any

from mintkey.errors import ConfigurationError, InvalidTokenError
from mintkey.oauth.client_claim import client_of
from mintkey.purpose import Purpose
from mintkey.verifier import TokenVerifier

__all__ = ["revoke"]


async def revoke(
    tokens: TokenVerifier, token: str, purposes: Sequence[Purpose[Any]], /, *, client_id: str | None = None
) -> None:
    """Refuse a token from now on, if it is one of ours; say nothing if it is not.

    The body of an endpoint that answers 200 when this returns (RFC 7009 §2.2) and 503 on a `BackendError` (§2.2.1). A
    forged, foreign, expired, spent or revoked token, one of another client and no token at all: nothing happens, and
    the answer is the same as for a good one. The client must have been authenticated before (§2.1).

    A refresh token of a `RefreshFlow` is better given to its `revoke`, which ends the whole family.

    Args:
        tokens: The service whose tokens these are; hooks are told of each purpose that does not fit.
        token: The `token` of the request, as it came. Its `token_type_hint` is not needed.
        purposes: What may be revoked here, tried in this order; each `revocable` or for single use.
        client_id: The client that asks: only tokens whose claim `client_id` names it are revoked (§2.1). None: whoever
            holds a token may give it up.

    Raises:
        BackendError: Keys or marks cannot be read or written: the token may still be good, ask again.
        ConfigurationError: No purpose is given, or one whose tokens cannot be revoked, or there is no store, whatever
            the token is (`configuration`).

    Example:
        ```python
        @app.post("/oauth/revoke")
        async def revocation(
            token: Annotated[str, Form()], client: Annotated[Client, Depends(authenticated)]
        ) -> Response:
            await revoke(tokens, token, [REFRESH, ACCESS], client_id=client.id)
            return Response(status_code=200)
        ```
    """
    problems = [
        f"{purpose.name} is neither revocable nor for single use" for purpose in purposes if not purpose.stateful
    ]
    if not purposes:
        problems.append("at least one purpose is needed")
    ConfigurationError.raise_if(f"oauth.revoke: {problem}" for problem in problems)
    for purpose in purposes:
        try:
            # The look refuses what is over or spent; nobody misses that it is not revoked on top.
            if client_id is None or client_of((await tokens.peek(token, purpose)).claims) == client_id:
                await tokens.revoke(token, purpose)
                return
        except InvalidTokenError:
            continue
