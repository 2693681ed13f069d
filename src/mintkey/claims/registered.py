"""The registered claims (RFC 7519 §4.1) and `scope` (RFC 8693 §4.2): read, compared and timed by pure functions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mintkey.claims.narrow import is_list
from mintkey.errors import ClaimError, ExpiredTokenError, InsufficientScopeError, NotYetValidError, Reason

__all__ = [
    "ALWAYS",
    "NO_SCOPES",
    "REGISTERED",
    "ClaimRules",
    "RegisteredClaims",
    "admit",
    "scope_words",
    "take_registered",
]

REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"})
"""The claims that are ours: never taken from a caller's mapping at mint."""

ALWAYS = ("iss", "exp", "iat", "jti")
"""The claims that every token has."""

_LATEST = 253_370_764_800
"""9999-01-01: the last instant that leaves room for leeway and margins in a `datetime`."""

NO_SCOPES: frozenset[str] = frozenset()
"""What a token without a `scope` has."""


RegisteredClaims = tuple[str, str | None, tuple[str, ...], str, float, float | None, float, frozenset[str]]
"""The registered claims of a token, each of the right type: issuer, subject, audience, id, issued at, not before,
expires at, scopes. Instants are seconds since the epoch; an id that is missing is empty. A plain tuple: every token has
one, and a record with named fields takes ten times as long to make."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What a purpose asks of the registered claims, prepared once.

    Attributes:
        audience: Who we are; empty: the token must not name an audience.
        needed: The claims that must be present, in the order in which they are missed.
        leeway: Seconds by which clocks may differ.
        max_age: Seconds since `iat` after which a token is refused; None: no limit.
    """

    audience: frozenset[str]
    needed: tuple[str, ...]
    leeway: float
    max_age: float | None

    @classmethod
    def of(
        cls,
        *,
        audience: Collection[str],
        required: Collection[str],
        optional: Collection[str] = (),
        leeway: float,
        max_age: float | None,
    ) -> "ClaimRules":
        """The rules of a purpose that requires these claims beside the ones that always must be present.

        Args:
            audience: Who we are.
            required: Claims that must be present, too.
            optional: Those that need not be, although they always have to.
            leeway: Seconds by which clocks may differ.
            max_age: Seconds since `iat` after which a token is refused; None: no limit.
        """
        always = (name for name in ALWAYS if name not in optional)
        needed = (*always, *(("aud",) if audience else ()), *sorted(required))
        return cls(frozenset(audience), needed, leeway, max_age)


def take_registered(claims: dict[str, Any], rules: ClaimRules, /, *, issuer: str) -> RegisteredClaims:
    """The registered claims, present, of the right type, from the right issuer and for the right audience.

    Args:
        claims: The claim set as the strict reader returned it; what is left in it are the private claims.
        rules: What the purpose asks.
        issuer: The only `iss` that is accepted, compared whole.

    Raises:
        ClaimError: `claim_missing`, `issuer_mismatch`, `audience_mismatch` or `claim_invalid`.
    """
    for name in rules.needed:
        if name not in claims:
            raise ClaimError(f"the claim {name!r} is missing", claim=name, reason=Reason.CLAIM_MISSING)
    take = claims.pop
    if take("iss") != issuer:
        raise ClaimError("the token is from another issuer", claim="iss", reason=Reason.ISSUER_MISMATCH)
    audience = _audience(take("aud"), rules.audience) if "aud" in claims else ()
    expires_at = _instant(take("exp"), "exp")
    issued_at = _instant(take("iat"), "iat")
    not_before = _instant(take("nbf"), "nbf") if "nbf" in claims else None
    token_id = _text(take("jti"), "jti") if "jti" in claims else ""
    subject = _text(take("sub"), "sub") if "sub" in claims else None
    scopes = _scopes(take("scope")) if "scope" in claims else NO_SCOPES
    return issuer, subject, audience, token_id, issued_at, not_before, expires_at, scopes


def admit(claims: RegisteredClaims, rules: ClaimRules, now: float, scopes: Collection[str], /) -> None:
    """Refuse a token whose time is over or has not come (RFC 7519 §4.1.4–4.1.6), or that lacks a scope.

    Args:
        claims: What `take_registered` returned.
        rules: What the purpose asks.
        now: Seconds since the epoch.
        scopes: Those that the token must have; compared whole, never by prefix or substring.

    Raises:
        ExpiredTokenError: Past `exp`, or older than `max_age` (`expired`).
        NotYetValidError: Before `nbf`, or issued in the future (`not_yet_valid`).
        InsufficientScopeError: At least one is missing (`insufficient_scope`); `details["scopes"]` names all needed.
    """
    leeway, max_age = rules.leeway, rules.max_age
    _, _, _, _, issued_at, not_before, expires_at, granted = claims
    if now >= expires_at + leeway:
        raise ExpiredTokenError("the token has expired", claim="exp")
    if not_before is not None and now < not_before - leeway:
        raise NotYetValidError("the token is not valid yet", claim="nbf")
    if issued_at > now + leeway:
        raise NotYetValidError("the token was issued in the future", claim="iat")
    if max_age is not None and now >= issued_at + max_age + leeway:
        raise ExpiredTokenError("the token is older than the purpose's max_age", claim="iat")
    if scopes and not granted.issuperset(scopes):
        raise InsufficientScopeError(
            "the token lacks a scope that is needed here", details={"scopes": tuple(sorted(scopes))}
        )


def scope_words(scope: str, /) -> frozenset[str]:
    """The words of a `scope` (RFC 6749 §3.3).

    Example:
        >>> sorted(scope_words("orders:read orders:write"))
        ['orders:read', 'orders:write']
    """
    return frozenset(scope.split(" ")) - {""}


def _invalid(name: str, what: str) -> ClaimError:
    return ClaimError(f"the claim {name!r} must be {what}", claim=name)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise _invalid(name, "a non-empty string")
    return value


def _instant(value: object, name: str) -> float:
    # The very types: bool is an int in Python, and true is no NumericDate (RFC 7519 §2).
    if (type(value) is int or type(value) is float) and 0 <= value <= _LATEST:
        return float(value)
    raise _invalid(name, "a number of seconds since the epoch")


def _audience(value: object, expected: frozenset[str]) -> tuple[str, ...]:
    if isinstance(value, str) and value in expected:
        return (value,)
    several: list[Any] = value if is_list(value) else [value]
    if not several or not all(isinstance(name, str) and name for name in several):
        raise _invalid("aud", "a non-empty string or a list of them")
    found: tuple[str, ...] = tuple(several)
    if expected.isdisjoint(found):
        raise ClaimError("the token is for another audience", claim="aud", reason=Reason.AUDIENCE_MISMATCH)
    return found


def _scopes(value: object) -> frozenset[str]:
    if not isinstance(value, str):
        raise _invalid("scope", "a string of words with a space between them")
    return scope_words(value)
