"""What a token is for: one value fixes type, audience, lifetime, single use and the shape of the claims."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any, Generic, TypeVar, overload

from mintkey.claims.registered import ClaimRules
from mintkey.claims.typed import ClaimsCodec, codec_for
from mintkey.errors import ConfigurationError
from mintkey.frozen import frozen

__all__ = ["FORBIDDEN_HEADERS", "Purpose", "PurposeTable"]

C = TypeVar("C")
D = TypeVar("D")
T = TypeVar("T")

FORBIDDEN_HEADERS = frozenset({"alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty"})
"""Header members no purpose can allow: ours to set, or ways for a token to say how it is read (RFC 8725 §3.10)."""

MAX_LEEWAY = timedelta(minutes=10)

_NAME = re.compile(r"[a-z0-9._-]{1,64}")
_TYP = re.compile(r"[A-Za-z0-9!#$&^_.+/-]{1,127}")
_ZERO = timedelta(0)
_OPTIONAL = frozenset({"jti"})
_KEPT = 256


@frozen
@dataclass(frozen=True, slots=True, init=False)
class Purpose(Generic[C]):
    """What a token is for. Frozen, shared by whoever mints and whoever verifies.

    Args:
        name: 1–64 characters of `[a-z0-9._-]`.
        lifetime: How long a token lives, positive; a mint may ask for less, never for more.
        audience: Who may accept the token (RFC 7519 §4.1.3), one or several. A token with an audience that is not named
            here is refused, and so is one without where one is named.
        single_use: Verifying spends.
        revocable: Verifying asks the store whether the token, or everything of its subject, was revoked.
        claims: The type of the private claims: `dict`, a `TypedDict`, a dataclass, a `msgspec.Struct` or a pydantic
            model.
        leeway: How far clocks may differ, at most 10 minutes.
        typ: The header's `typ` (RFC 8725 §3.11); by default `<name>+jwt`.
        headers: Private header members that may appear. `x5t` and `x5t#S256` may be named, to be ignored.
        required: Claims that must be present, beside `iss`, `exp`, `iat`, `jti` and, if an audience is named, `aud`.
        max_age: A token is refused when it was issued longer ago than this, whatever its `exp` says.
        optional: What may be missing although it is always asked for: `jti` alone, for issuers elsewhere whose tokens
            have none. Ours always do. Not for purposes that spend or revoke: these know a token by its `jti`.

    Attributes:
        codec: Turns the private claims into a value of their type, and back.
        rules: What is asked of the registered claims, prepared.
        stateful: Whether verifying needs a store.

    Raises:
        ConfigurationError: Any of these does not fit; all problems at once (`configuration`).

    Example:
        >>> login = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="myapp.web", single_use=True)
        >>> login.typ, login.audience
        ('magic-login+jwt', ('myapp.web',))
    """

    name: str
    lifetime: timedelta
    audience: tuple[str, ...]
    single_use: bool
    revocable: bool
    claims: type[C]
    leeway: timedelta
    typ: str
    headers: frozenset[str]
    required: frozenset[str]
    max_age: timedelta | None
    optional: frozenset[str]
    codec: ClaimsCodec[C] = field(repr=False, compare=False)
    rules: ClaimRules = field(repr=False, compare=False)
    stateful: bool = field(repr=False, compare=False)

    @overload
    def __init__(
        self: "Purpose[dict[str, Any]]",
        name: str,
        /,
        *,
        lifetime: timedelta,
        audience: str | Sequence[str] | None = None,
        single_use: bool = False,
        revocable: bool = False,
        leeway: timedelta = timedelta(seconds=10),
        typ: str | None = None,
        headers: Collection[str] = (),
        required: Collection[str] = (),
        max_age: timedelta | None = None,
        optional: Collection[str] = (),
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        /,
        *,
        lifetime: timedelta,
        audience: str | Sequence[str] | None = None,
        single_use: bool = False,
        revocable: bool = False,
        claims: type[C],
        leeway: timedelta = timedelta(seconds=10),
        typ: str | None = None,
        headers: Collection[str] = (),
        required: Collection[str] = (),
        max_age: timedelta | None = None,
        optional: Collection[str] = (),
    ) -> None: ...

    def __init__(
        self,
        name: str,
        /,
        *,
        lifetime: timedelta,
        audience: str | Sequence[str] | None = None,
        single_use: bool = False,
        revocable: bool = False,
        claims: type[Any] = dict,
        leeway: timedelta = timedelta(seconds=10),
        typ: str | None = None,
        headers: Collection[str] = (),
        required: Collection[str] = (),
        max_age: timedelta | None = None,
        optional: Collection[str] = (),
    ) -> None:
        problems: list[str] = []
        codec: ClaimsCodec[Any] | None = None
        try:
            codec = codec_for(claims)
        except ConfigurationError as error:
            problems.append(str(error))
        settings: dict[str, object] = {
            "name": name,
            "lifetime": lifetime,
            "audience": names(audience),
            "single_use": single_use,
            "revocable": revocable,
            "claims": claims,
            "leeway": leeway,
            "typ": f"{name}+jwt" if typ is None else typ,
            "headers": frozenset(names(headers)),
            "required": frozenset(names(required)),
            "max_age": max_age,
            "optional": frozenset(names(optional)),
            "codec": codec,
            "stateful": single_use or revocable,
            "rules": ClaimRules.of(
                audience=names(audience),
                required=names(required),
                optional=names(optional),
                leeway=leeway.total_seconds(),
                max_age=None if max_age is None else max_age.total_seconds(),
            ),
        }
        for setting, value in settings.items():
            object.__setattr__(self, setting, value)
        problems += self._problems(audience)
        ConfigurationError.raise_if(f"Purpose({name!r}): {problem}" for problem in problems)

    def _problems(self, audience: str | Sequence[str] | None) -> list[str]:
        checks = {
            "the name must be 1–64 characters of [a-z0-9._-]": _NAME.fullmatch(self.name) is None,
            "lifetime must be positive": self.lifetime <= _ZERO,
            "audience must be a non-empty string or several": audience is not None
            and (not self.audience or not all(self.audience)),
            "leeway must be between zero and 10 minutes": not _ZERO <= self.leeway <= MAX_LEEWAY,
            "typ must be a media type name (RFC 7515 §4.1.9)": _TYP.fullmatch(self.typ) is None,
            f"headers can never allow {', '.join(sorted(self.headers & FORBIDDEN_HEADERS))}": bool(
                self.headers & FORBIDDEN_HEADERS
            ),
            "headers and required must not contain an empty name": "" in self.headers | self.required,
            "max_age must be positive, or None": self.max_age is not None and self.max_age <= _ZERO,
            "optional may name jti alone": not self.optional <= _OPTIONAL,
            "optional is not for single_use or revocable, which know a token by its jti": bool(self.optional)
            and self.stateful,
        }
        return [problem for problem, found in checks.items() if found]

    @overload
    def replace(
        self,
        *,
        name: str | None = None,
        lifetime: timedelta | None = None,
        audience: str | Sequence[str] | None = None,
        leeway: timedelta | None = None,
        required: Collection[str] | None = None,
    ) -> "Purpose[C]": ...

    @overload
    def replace(
        self,
        *,
        name: str | None = None,
        lifetime: timedelta | None = None,
        audience: str | Sequence[str] | None = None,
        leeway: timedelta | None = None,
        required: Collection[str] | None = None,
        claims: type[D],
    ) -> "Purpose[D]": ...

    def replace(
        self,
        *,
        name: str | None = None,
        lifetime: timedelta | None = None,
        audience: str | Sequence[str] | None = None,
        leeway: timedelta | None = None,
        required: Collection[str] | None = None,
        claims: type[Any] | None = None,
    ) -> "Purpose[Any]":
        """The same purpose with some settings changed: how a preset gets its audience.

        Args:
            name: Another name; a `typ` that was derived from the old one is derived anew.
            lifetime: Another lifetime.
            audience: Another audience.
            leeway: Another leeway.
            required: Other claims that must be present, instead of those that were.
            claims: Another type of the private claims.

        Raises:
            ConfigurationError: As for `Purpose` (`configuration`).

        Example:
            >>> from mintkey import presets
            >>> presets.MAGIC_LINK.replace(audience="myapp.web").audience
            ('myapp.web',)
        """
        return Purpose(
            self.name if name is None else name,
            lifetime=self.lifetime if lifetime is None else lifetime,
            audience=(self.audience or None) if audience is None else audience,
            single_use=self.single_use,
            revocable=self.revocable,
            claims=self.claims if claims is None else claims,
            leeway=self.leeway if leeway is None else leeway,
            typ=None if self.typ == f"{self.name}+jwt" else self.typ,
            headers=self.headers,
            required=self.required if required is None else required,
            max_age=self.max_age,
            optional=self.optional,
        )


class PurposeTable(Generic[T]):
    """What somebody prepared for each purpose that he met, made when it is first asked for.

    By identity: purposes are constants, and comparing two takes longer than most of what can be prepared for one.

    Args:
        make: Prepares it.

    Attributes:
        find: What was prepared, by the `id` of its purpose; None if that was not met yet.

    Example:
        >>> sizes = PurposeTable(lambda purpose: len(purpose.name))
        >>> login = Purpose("login", lifetime=timedelta(minutes=10))
        >>> sizes.find(id(login)) or sizes.add(login)
        5
    """

    __slots__ = ("_guard", "_made", "_make", "_met", "find")

    def __init__(self, make: Callable[[Purpose[Any]], T], /) -> None:
        self._make = make
        self._made: dict[int, T] = {}
        self._met: list[Purpose[Any]] = []
        self._guard = Lock()  # event loops of several threads may share a service
        self.find: Callable[[int], T | None] = self._made.get

    def __getitem__(self, purpose: Purpose[Any], /) -> T:
        found = self.find(id(purpose))
        return self.add(purpose) if found is None else found

    def add(self, purpose: Purpose[Any], /) -> T:
        """Prepare it for a purpose that was not met yet, and keep it."""
        made = self._make(purpose)
        with self._guard:
            if len(self._made) >= _KEPT:  # somebody makes a purpose for every call
                self._made.clear()
                self._met.clear()
            self._met.append(purpose)  # as long as it is here, nobody else has its id
            self._made[id(purpose)] = made
        return made


def names(given: str | Collection[str] | None, /) -> tuple[str, ...]:
    """One name or several as a tuple; a lone string is one name, not its letters."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)
