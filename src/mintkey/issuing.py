"""What goes into a token, decided by pure functions: the claim set of a purpose and a request."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from mintkey.claims import strict_json
from mintkey.claims.registered import REGISTERED
from mintkey.errors import ClaimError, ConfigurationError
from mintkey.purpose import Purpose, names
from mintkey.tokens import MintRequest

__all__ = ["Draft", "check_headers", "draft"]

C = TypeVar("C")

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""A scope word (RFC 6749 §3.3)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The claim set of one token, but for what the moment of signing adds."""

    claims: dict[str, Any] = field(repr=False)
    lifetime: float
    token_id: str | None

    def payload(self, *, now: float, token_id: str) -> tuple[bytes, float]:
        """The payload of a token issued now, and its `exp` in seconds since the epoch.

        `iat` is rounded down to whole seconds: every comparison with it, the store's fence included, counts on that.

        Raises:
            ConfigurationError: A claim has no JSON form (`configuration`).
        """
        issued_at = math.floor(now)
        expires_at = _numeric_date(issued_at + self.lifetime)
        claims = {**self.claims, "iat": issued_at, "exp": expires_at, "jti": token_id}
        try:
            return strict_json.dumps(claims), expires_at
        except strict_json.StrictJSONError as error:
            raise ConfigurationError(f"the claims cannot be written as JSON: {error}") from None


def draft(purpose: Purpose[C], request: MintRequest[C], /, *, issuer: str, max_token_age: timedelta | None) -> Draft:
    """The claim set of a request, checked against its purpose.

    Args:
        purpose: What the token is for.
        request: What the caller asks.
        issuer: The `iss`.
        max_token_age: The longest lifetime plus leeway that the key provider can honour.

    Raises:
        ConfigurationError: Anything in the request contradicts the purpose or the provider; all problems at once
            (`configuration`).
    """
    lifetime = purpose.lifetime if request.lifetime is None else request.lifetime
    audience = purpose.audience if request.audience is None else names(request.audience)
    scopes = names(request.scopes)
    private = {} if request.claims is None else purpose.codec.encode(request.claims)
    claims: dict[str, Any] = {**private, "iss": issuer}
    if request.subject is not None:
        claims["sub"] = request.subject
    if audience:
        claims["aud"] = audience[0] if len(audience) == 1 else list(audience)
    if scopes:
        claims["scope"] = " ".join(scopes)
    if request.not_before is not None:
        claims["nbf"] = _numeric_date(request.not_before.timestamp())
    problems = [
        *_request_problems(request, audience, scopes),
        *_lifetime_problems(purpose, lifetime, max_token_age),
        *_claim_problems(purpose, request, private, claims),
    ]
    ConfigurationError.raise_if(f"{purpose.name}: {problem}" for problem in problems)
    return Draft(claims, lifetime.total_seconds(), request.token_id)


def check_headers(purpose: Purpose[Any], headers: Mapping[str, object], /) -> None:
    """Refuse private header members that the purpose does not name.

    Raises:
        ConfigurationError: There are some (`configuration`).
    """
    strange = sorted(set(headers) - purpose.headers)
    if strange:
        raise ConfigurationError(f"{purpose.name}: Purpose.headers does not name {', '.join(strange)}")


def _request_problems(request: MintRequest[Any], audience: tuple[str, ...], scopes: tuple[str, ...]) -> Iterator[str]:
    if request.subject == "":
        yield "subject must not be empty"
    if request.token_id == "":
        yield "token_id must not be empty"
    if request.audience is not None and not (audience and all(audience)):
        yield "audience must be a non-empty string or several"
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        yield "scopes must be words without spaces, quotes and backslashes (RFC 6749 §3.3)"
    if request.not_before is not None and request.not_before.tzinfo is None:
        yield "not_before must be an aware datetime"


def _lifetime_problems(purpose: Purpose[Any], lifetime: timedelta, max_token_age: timedelta | None) -> Iterator[str]:
    if lifetime <= timedelta(0):
        yield "lifetime must be positive"
    if lifetime > purpose.lifetime:
        yield f"lifetime {lifetime} is longer than the purpose's {purpose.lifetime}"
    if max_token_age is not None and lifetime + purpose.leeway > max_token_age:
        yield (
            f"lifetime {lifetime} plus leeway {purpose.leeway} outlives the keys' RotationPolicy.previous_ttl "
            f"of {max_token_age}: shorten Purpose.lifetime or raise previous_ttl"
        )


def _claim_problems(
    purpose: Purpose[Any], request: MintRequest[Any], private: dict[str, Any], claims: dict[str, Any]
) -> Iterator[str]:
    taken = sorted(REGISTERED & private.keys())
    if taken:
        yield f"claims must not contain registered claims: {', '.join(taken)}"
    missing = sorted(purpose.required - claims.keys() - {"exp", "iat", "jti"})
    if missing:
        yield f"claims that the purpose requires are missing: {', '.join(missing)}"
    if request.claims is None:
        try:
            purpose.codec.decode({})
        except ClaimError as error:
            yield f"claims= is needed, {error.claim!r} has no default"


def _numeric_date(seconds: float) -> float:
    """A NumericDate (RFC 7519 §2), without a needless fraction."""
    return int(seconds) if float(seconds).is_integer() else round(seconds, 6)
