"""What a client gets when it signs in, and every time it refreshes."""

from dataclasses import dataclass

from mintkey.tokens import MintedToken

__all__ = ["TokenPair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """An access token and the refresh token that leads to the next one. Its `repr` shows neither.

    Attributes:
        access: For the API, for minutes.
        refresh: For `RefreshFlow.refresh` alone, once.
        family: The id of the session, the same from sign-in to sign-out: what a list of a user's devices keeps, and
            what `RefreshFlow.revoke_family` takes. Nobody gets in with it.

    Example:
        >>> from datetime import UTC, datetime
        >>> def token(purpose: str) -> MintedToken:
        ...     expires_at = datetime(2026, 1, 1, tzinfo=UTC)
        ...     return MintedToken("a.b.c", id="1", expires_at=expires_at, key_id="k", purpose=purpose)
        >>> pair = TokenPair(access=token("access"), refresh=token("refresh"), family="f")
        >>> {"access_token": pair.access, "token_type": "Bearer", "refresh_token": pair.refresh}["access_token"]
        MintedToken(purpose='access', id='1', key_id='k', expires_at='2026-01-01T00:00:00+00:00')
    """

    access: MintedToken
    refresh: MintedToken
    family: str
