"""What goes into a token, decided by pure functions: the claim set of a purpose and a request."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from mintkey.claims import strict_json
from mintkey.claims.registered import ALWAYS, REGISTERED
from mintkey.claims.template import ClaimsTemplate
from mintkey.errors import ClaimError, ConfigurationError
from mintkey.purpose import Purpose, names

__all__ = ["Draft", "Form", "check_headers", "payload_of"]

C = TypeVar("C")

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""A scope word (RFC 6749 §3.3)."""

_ZERO = timedelta(0)


Draft = tuple[bytes, bytes, float, str | None]
"""The text of one claim set, but for what the moment of signing adds: up to and including the name of `iat`, behind the
value of `jti`, the lifetime in seconds, and the `jti` if the caller chose it."""


def payload_of(draft: Draft, token_id: str, now: float, /) -> tuple[bytes, float]:
    """The payload of a token issued now, and its `exp` in seconds since the epoch.

    `iat` is rounded down to whole seconds: every comparison with it, the store's fence included, counts on that.
    """
    before, after, lifetime, chosen_id = draft
    issued_at = math.floor(now)
    expires_at = issued_at + lifetime
    # An id that was drawn has no character that needs an escape.
    jti = b'"%b"' % token_id.encode() if chosen_id is None else strict_json.encode_text(token_id)
    return b'%b%d,"exp":%b,"jti":%b%b' % (before, issued_at, str(expires_at).encode(), jti, after), expires_at


class Form(Generic[C]):
    """What all tokens of a purpose have in common as one issuer writes them; a request fills in the rest.

    Args:
        purpose: What the tokens are for.
        template: The claim set of the purpose.
    """

    __slots__ = ("_age", "_claims_needed", "_lifetime", "_purpose", "_required", "_template")

    def __init__(self, purpose: Purpose[C], template: ClaimsTemplate, /) -> None:
        self._purpose = purpose
        self._template = template
        self._lifetime = _numeric_date(purpose.lifetime.total_seconds())
        self._age = purpose.lifetime + purpose.leeway
        self._required = purpose.required.difference(ALWAYS)
        self._claims_needed = tuple(_claims_needed(purpose))

    def fill(
        self,
        *,
        subject: str | None,
        claims: C | None,
        scopes: Collection[str],
        audience: str | Sequence[str] | None,
        lifetime: timedelta | None,
        not_before: datetime | None,
        token_id: str | None,
        max_token_age: timedelta | None,
    ) -> Draft:
        """The claim set of a request, checked against its purpose.

        Args:
            subject: The `sub`.
            claims: Private claims.
            scopes: The `scope`.
            audience: The `aud`; None: the purpose's.
            lifetime: None: the purpose's.
            not_before: The `nbf`.
            token_id: The `jti`; None: a new one is drawn.
            max_token_age: The longest lifetime plus leeway that the key provider can honour.

        Raises:
            ConfigurationError: Anything in the request contradicts the purpose or the provider; all problems at once
                (`configuration`).
        """
        purpose = self._purpose
        problems = list(self._claims_needed) if claims is None else []
        private = {} if claims is None else self._private(claims, problems)
        if subject == "":
            problems.append("subject must not be empty")
        if token_id == "":
            problems.append("token_id must not be empty")
        seconds, age = self._lifetime, self._age
        if lifetime is not None:
            seconds, age = _numeric_date(lifetime.total_seconds()), lifetime + purpose.leeway
            problems += _lifetime_problems(lifetime, purpose.lifetime)
        if max_token_age is not None and age > max_token_age:
            problems.append(_outlives(age, purpose.leeway, max_token_age))
        aud = None if audience is None else names(audience)
        if aud is not None and not (aud and all(aud)):
            problems.append("audience must be a non-empty string or several")
        others = _others(names(scopes), not_before, problems) if scopes or not_before is not None else {}
        others.update(private)
        if self._required:
            problems += _missing(self._required, others, subject, purpose.audience if aud is None else aud)
        if problems:
            ConfigurationError.raise_if(f"{purpose.name}: {problem}" for problem in problems)
        try:
            after = b"," + strict_json.dumps(others)[1:] if others else b"}"
            if token_id is not None:
                strict_json.encode_text(token_id)
            return self._template.begin(subject, aud), after, seconds, token_id
        except strict_json.StrictJSONError as error:
            raise ConfigurationError(f"{purpose.name}: the claims cannot be written as JSON: {error}") from None

    def _private(self, claims: C, problems: list[str]) -> dict[str, Any]:
        private = self._purpose.codec.encode(claims)
        if not REGISTERED.isdisjoint(private):
            taken = sorted(REGISTERED & private.keys())
            problems.append(f"claims must not contain registered claims: {', '.join(taken)}")
        return private


def check_headers(purpose: Purpose[Any], headers: Mapping[str, object], /) -> None:
    """Refuse private header members that the purpose does not name.

    Raises:
        ConfigurationError: There are some (`configuration`).
    """
    strange = sorted(set(headers) - purpose.headers)
    if strange:
        raise ConfigurationError(f"{purpose.name}: Purpose.headers does not name {', '.join(strange)}")


def _claims_needed(purpose: Purpose[Any]) -> Iterator[str]:
    """What is wrong with a request without claims."""
    try:
        purpose.codec.decode({})
    except ClaimError as error:
        yield f"claims= is needed, {error.claim!r} has no default"


def _lifetime_problems(lifetime: timedelta, longest: timedelta) -> Iterator[str]:
    if lifetime <= _ZERO:
        yield "lifetime must be positive"
    if lifetime > longest:
        yield f"lifetime {lifetime} is longer than the purpose's {longest}"


def _outlives(age: timedelta, leeway: timedelta, max_token_age: timedelta) -> str:
    return (
        f"lifetime {age - leeway} plus leeway {leeway} outlives the keys' RotationPolicy.previous_ttl "
        f"of {max_token_age}: shorten Purpose.lifetime or raise previous_ttl"
    )


def _others(scopes: tuple[str, ...], not_before: datetime | None, problems: list[str]) -> dict[str, Any]:
    """The registered claims that few tokens have."""
    claims: dict[str, Any] = {}
    if scopes:
        claims["scope"] = " ".join(scopes)
        if not all(_SCOPE.fullmatch(scope) for scope in scopes):
            problems.append("scopes must be words without spaces, quotes and backslashes (RFC 6749 §3.3)")
    if not_before is not None:
        claims["nbf"] = _numeric_date(not_before.timestamp())
        if not_before.tzinfo is None:
            problems.append("not_before must be an aware datetime")
    return claims


def _missing(
    required: frozenset[str], claims: Mapping[str, Any], subject: str | None, audience: tuple[str, ...]
) -> Iterator[str]:
    present = {*claims, *(("sub",) if subject is not None else ()), *(("aud",) if audience else ())}
    missing = sorted(required - present)
    if missing:
        yield f"claims that the purpose requires are missing: {', '.join(missing)}"


def _numeric_date(seconds: float) -> float:
    """A NumericDate (RFC 7519 §2), without a needless fraction."""
    return int(seconds) if seconds.is_integer() else seconds
