"""Token introspection (RFC 7662) as a plain function: what a good token says, and of all others nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mintkey.errors import ConfigurationError, InvalidTokenError
from mintkey.oauth.client_claim import client_of
from mintkey.purpose import Purpose
from mintkey.tokens import PeekedToken
from mintkey.verifier import TokenVerifier

__all__ = ["introspect"]


async def introspect(tokens: TokenVerifier, token: str, purposes: Sequence[Purpose[Any]], /) -> dict[str, object]:
    """The JSON object that answers an introspection request (RFC 7662 §2.2). Only looks, never spends.

    A token that passes every check of one of the purposes is `active`, with what its registered claims say, and of the
    private ones `client_id` alone. Everything else, be it forged, foreign, expired, spent, revoked or no token at all,
    is `{"active": False}` and not a word more. Whoever asks must have been authenticated before (§2.1), so that the
    endpoint is no place to try tokens at.

    List only what the one who asks may let in: an answer says `active` and nothing that tells a refresh token from an
    access token, so a resource server that is told of both takes both. Whether a refresh token was exchanged already,
    its `RefreshFlow` alone knows.

    Args:
        tokens: The service whose tokens these are; hooks are told of each purpose that does not fit.
        token: The `token` of the request, as it came. Its `token_type_hint` is not needed.
        purposes: What may be asked about here, tried in this order.

    Raises:
        BackendError: Keys or marks cannot be read: nobody knows, so answer 503 and not `active: false`, which a
            resource server may cache.
        ConfigurationError: No purpose is given, or one that needs a store is tried and there is none (`configuration`).

    Example:
        ```python
        @app.post("/oauth/introspect", dependencies=[Depends(authenticated)])
        async def introspection(token: Annotated[str, Form()]) -> dict[str, object]:
            return await introspect(tokens, token, [ACCESS])
        ```
    """
    if not purposes:
        raise ConfigurationError("oauth.introspect: at least one purpose is needed")
    for purpose in purposes:
        try:
            seen = await tokens.peek(token, purpose)
        except InvalidTokenError:
            continue
        return _members(seen)
    return {"active": False}


def _members(seen: PeekedToken[Any]) -> dict[str, object]:
    """What there is to say of a good token; claims that it does not have are left out."""
    audience = seen.audience
    said: dict[str, object | None] = {
        "active": True,
        "scope": " ".join(sorted(seen.scopes)) or None,
        "client_id": client_of(seen.claims),
        "token_type": "Bearer",
        "exp": _numeric_date(seen.expires_at),
        "iat": _numeric_date(seen.issued_at),
        "sub": seen.subject,
        "aud": (audience[0] if len(audience) == 1 else list(audience)) if audience else None,
        "iss": seen.issuer,
        "jti": seen.id or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _numeric_date(instant: datetime) -> int:
    """An instant in whole seconds: RFC 7662 §2.2 knows no others. Rounded down, so that nothing lives longer for it."""
    return int(instant.timestamp())
