"""The values that callers hold: a minted token, what a look or a verification found, and a request to mint."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from mintkey.claims.registered import RegisteredClaims
from mintkey.clock import from_timestamp
from mintkey.frozen import frozen

__all__ = [
    "Found",
    "MintRequest",
    "MintedToken",
    "PeekedToken",
    "VerifiedToken",
    "minted",
    "seen",
]

C = TypeVar("C")


class MintedToken(str):
    """A token, usable wherever a string is, that knows its id, expiry, key and purpose. Its `repr` never shows it.

    Attributes:
        id: The `jti` (RFC 7519 §4.1.7).
        exp: The `exp`, in seconds since the epoch.
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

    __slots__ = ("exp", "id", "key_id", "purpose")

    exp: float
    id: str
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
        return minted(cls, token, id, expires_at.timestamp(), key_id, purpose)

    @property
    def expires_at(self) -> datetime:
        """The `exp`, an aware UTC datetime."""
        return from_timestamp(self.exp)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Survive a queue or a process pool."""
        return minted, (type(self), str(self), self.id, self.exp, self.key_id, self.purpose)

    def __repr__(self) -> str:
        return _describe(self, self.purpose, self.id, self.key_id, self.expires_at)


T = TypeVar("T", bound=MintedToken)


def minted(  # noqa: PLR0917 - by position: every token comes by here
    kind: type[T], text: str, token_id: str, exp: float, key_id: str, purpose: str, /
) -> T:
    """A token of this class, and what is known about it; `exp` in seconds since the epoch."""
    token = str.__new__(kind, text)
    token.exp = exp
    token.id = token_id
    token.key_id = key_id
    token.purpose = purpose
    return token


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


Found = tuple[RegisteredClaims, str, str, Mapping[str, Any], dict[str, Any]]
"""What does not change about a token once its signature was found good for a purpose: the registered claims, the
purpose's name, the `kid`, the private header members and the private claims."""


class _Open(Generic[C]):
    """A token in the making: its members can still be set."""

    __slots__ = ("_found", "claims")

    _found: Found
    claims: C


@frozen
class _SeenToken(_Open[C]):
    """A token that somebody looked at: a view of what was found, so that nothing is computed that nobody asks for."""

    __slots__ = ()

    def __init__(
        self,
        *,
        claims: C,
        subject: str | None,
        issuer: str,
        audience: tuple[str, ...],
        scopes: frozenset[str],
        id: str,  # noqa: A002 - the attribute's name
        issued_at: datetime,
        expires_at: datetime,
        purpose: str,
        key_id: str,
        headers: Mapping[str, Any],
    ) -> None:
        times = issued_at.timestamp(), None, expires_at.timestamp()
        found: Found = (issuer, subject, audience, id, *times, scopes), purpose, key_id, headers, {}
        object.__setattr__(self, "_found", found)
        object.__setattr__(self, "claims", claims)

    @property
    def subject(self) -> str | None:
        """The `sub`, if there is one."""
        return self._found[0][1]

    @property
    def issuer(self) -> str:
        """The `iss`."""
        return self._found[0][0]

    @property
    def audience(self) -> tuple[str, ...]:
        """The `aud`, as a tuple; empty if there is none."""
        return self._found[0][2]

    @property
    def scopes(self) -> frozenset[str]:
        """The `scope`, whole words."""
        return self._found[0][7]

    @property
    def id(self) -> str:
        """The `jti`; empty if there is none, which only a purpose takes that has it as `optional`."""
        return self._found[0][3]

    @property
    def issued_at(self) -> datetime:
        """The `iat`, an aware UTC datetime."""
        return from_timestamp(self._found[0][4])

    @property
    def expires_at(self) -> datetime:
        """The `exp`, an aware UTC datetime."""
        return from_timestamp(self._found[0][6])

    @property
    def purpose(self) -> str:
        """The purpose's name."""
        return self._found[1]

    @property
    def key_id(self) -> str:
        """The `kid`."""
        return self._found[2]

    @property
    def headers(self) -> Mapping[str, Any]:
        """The private header members that the purpose allows."""
        return self._found[3]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((type(self), self.issuer, self.purpose, self.id))

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Survive a queue or a process pool."""
        nothing: dict[str, Any] = {}
        return seen, (type(self), (*self._found[:4], nothing), self.claims)

    def __repr__(self) -> str:
        return _describe(self, self.purpose, self.id, self.key_id, self.expires_at)


_open: Any = _Open


def seen(kind: type[Any], found: Found, claims: object, /) -> Any:
    """A `VerifiedToken` or `PeekedToken` of what was found, with its typed claims."""
    # Filled while that is a plain assignment, and frozen then: every other way takes half as long again.
    token = _open()
    token._found = found  # noqa: SLF001
    token.claims = claims
    token.__class__ = kind
    return token


class VerifiedToken(_SeenToken[C]):
    """A token that passed every check and, if it is for single use, is spent by this very call.

    Attributes:
        claims: The private claims, of the purpose's type.

    Example:
        ```python
        used = await tokens.verify(token, LOGIN)
        used.subject, used.claims["email"]
        ```
    """

    __slots__ = ()


class PeekedToken(_SeenToken[C]):
    """What a look at a token found; the fields are those of `VerifiedToken`. Nothing is spent: it is no authority.

    Example:
        ```python
        seen = await tokens.peek(token, LOGIN)  # what a GET handler calls, so that link scanners spend nothing
        ```
    """

    __slots__ = ()


def _describe(value: object, purpose: str, token_id: str, key_id: str, expires_at: datetime) -> str:
    name = type(value).__name__
    return f"{name}(purpose={purpose!r}, id={token_id!r}, key_id={key_id!r}, expires_at={expires_at.isoformat()!r})"
