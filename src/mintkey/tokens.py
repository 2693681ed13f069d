"""The values that callers hold: a minted token, what a look or a verification found, and a request to mint."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from mintkey.claims.registered import RegisteredClaims
from mintkey.clock import from_timestamp
from mintkey.frozen import frozen
from mintkey.purpose import Purpose

__all__ = ["Authentic", "MintRequest", "MintedToken", "PeekedToken", "VerifiedToken"]

C = TypeVar("C")


class MintedToken(str):
    """A token, usable wherever a string is, that knows its id, expiry, key and purpose. Its `repr` never shows it.

    Attributes:
        id: The `jti` (RFC 7519 §4.1.7).
        expires_at: The `exp`, an aware UTC datetime.
        key_id: The `kid` of the version that signed.
        purpose: The purpose's name.

    Example:
        >>> from datetime import UTC
        >>> expiry = datetime(2026, 1, 1, tzinfo=UTC)
        >>> token = MintedToken("a.b.c", id="1", expires_at=expiry, key_id="k", purpose="login")
        >>> f"https://myapp.example/in?token={token}"
        'https://myapp.example/in?token=a.b.c'
        >>> token
        MintedToken(purpose='login', id='1', key_id='k', expires_at='2026-01-01T00:00:00+00:00')
    """

    __slots__ = ("expires_at", "id", "key_id", "purpose")

    id: str
    expires_at: datetime
    key_id: str
    purpose: str

    def __new__(
        cls,
        token: str,
        /,
        *,
        id: str,  # noqa: A002 - the attribute's name
        expires_at: datetime,
        key_id: str,
        purpose: str,
    ) -> Self:
        """A token and what is known about it."""
        self = super().__new__(cls, token)
        self.id = id
        self.expires_at = expires_at
        self.key_id = key_id
        self.purpose = purpose
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        """Survive a queue or a process pool."""
        return (str(self),), {name: getattr(self, name) for name in MintedToken.__slots__}

    def __repr__(self) -> str:
        return _describe(self, self.purpose, self.id, self.key_id, self.expires_at)


@frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class MintRequest(Generic[C]):
    """One token of many to mint; the fields are those of `TokenService.mint`.

    Example:
        >>> MintRequest(subject="20", claims={"email": "alice@example.com"}).subject
        '20'
    """

    subject: str | None = None
    claims: C | None = None
    scopes: Collection[str] = ()
    audience: str | Sequence[str] | None = None
    lifetime: timedelta | None = None
    not_before: datetime | None = None
    token_id: str | None = None

    def __repr__(self) -> str:
        # Claims and subjects are people's data and stay out of logs.
        return f"{type(self).__name__}(…)"


@dataclass(frozen=True, slots=True)
class Authentic:
    """What does not change about a token once its signature was found good for a purpose."""

    purpose: Purpose[Any]
    key_id: str
    claims: RegisteredClaims
    private: dict[str, Any]
    headers: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(purpose={self.purpose.name!r}, key_id={self.key_id!r})"


@frozen
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _SeenToken(Generic[C]):
    claims: C
    subject: str | None
    issuer: str
    audience: tuple[str, ...]
    scopes: frozenset[str]
    id: str
    issued_at: datetime
    expires_at: datetime
    purpose: str
    key_id: str
    headers: Mapping[str, Any]

    @classmethod
    def of(cls, found: Authentic, claims: C, /) -> Self:
        """The value for a token that passed every check, with its typed claims."""
        registered = found.claims
        return cls(
            claims=claims,
            subject=registered.subject,
            issuer=registered.issuer,
            audience=registered.audience,
            scopes=registered.scopes,
            id=registered.token_id,
            issued_at=from_timestamp(registered.issued_at),
            expires_at=from_timestamp(registered.expires_at),
            purpose=found.purpose.name,
            key_id=found.key_id,
            headers=found.headers,
        )

    def __repr__(self) -> str:
        return _describe(self, self.purpose, self.id, self.key_id, self.expires_at)


@frozen
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VerifiedToken(_SeenToken[C]):
    """A token that passed every check and, if it is for single use, is spent by this very call.

    Attributes:
        claims: The private claims, of the purpose's type.
        subject: The `sub`, if there is one.
        issuer: The `iss`.
        audience: The `aud`, as a tuple.
        scopes: The `scope`, whole words.
        id: The `jti`.
        issued_at: The `iat`, an aware UTC datetime.
        expires_at: The `exp`, an aware UTC datetime.
        purpose: The purpose's name.
        key_id: The `kid`.
        headers: The private header members that the purpose allows.

    Example:
        ```python
        used = await tokens.verify(token, LOGIN)
        used.subject, used.claims["email"]
        ```
    """


@frozen
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PeekedToken(_SeenToken[C]):
    """What a look at a token found; the fields are those of `VerifiedToken`. Nothing is spent: it is no authority.

    Example:
        ```python
        seen = await tokens.peek(token, LOGIN)  # what a GET handler calls, so that link scanners spend nothing
        ```
    """


def _describe(value: object, purpose: str, token_id: str, key_id: str, expires_at: datetime) -> str:
    name = type(value).__name__
    return f"{name}(purpose={purpose!r}, id={token_id!r}, key_id={key_id!r}, expires_at={expires_at.isoformat()!r})"
