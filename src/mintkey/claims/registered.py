"""The registered claims (RFC 7519 §4.1) and `scope` (RFC 8693 §4.2): read, compared and timed by pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mintkey.claims.narrow import is_list
from mintkey.errors import ClaimError, ExpiredTokenError, InsufficientScopeError, NotYetValidError, Reason

__all__ = ["REGISTERED", "RegisteredClaims", "check_scopes", "check_times", "read_registered"]

REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"})
"""The claims that are ours: never taken from a caller's mapping at mint."""

_ALWAYS = ("iss", "exp", "iat", "jti")

_LATEST = 253_370_764_800
"""9999-01-01: the last instant that leaves room for leeway and margins in a `datetime`."""


@dataclass(frozen=True, slots=True)
class RegisteredClaims:
    """The registered claims of a token, each of the right type. Instants are seconds since the epoch."""

    issuer: str
    subject: str | None
    audience: tuple[str, ...]
    token_id: str
    issued_at: float
    not_before: float | None
    expires_at: float
    scopes: frozenset[str]


def read_registered(
    claims: Mapping[str, Any], *, issuer: str, audience: tuple[str, ...], required: Collection[str]
) -> RegisteredClaims:
    """The registered claims, present, of the right type, from the right issuer and for the right audience.

    Args:
        claims: The claim set as the strict reader returned it.
        issuer: The only `iss` that is accepted, compared whole.
        audience: Who we are; empty: the token must not name an audience.
        required: Claims that must be present beside the ones that always must.

    Raises:
        ClaimError: `claim_missing`, `issuer_mismatch`, `audience_mismatch` or `claim_invalid`.
    """
    for name in (*_ALWAYS, *(("aud",) if audience else ()), *sorted(required)):
        if name not in claims:
            raise ClaimError(f"the claim {name!r} is missing", claim=name, reason=Reason.CLAIM_MISSING)
    if claims["iss"] != issuer:
        raise ClaimError("the token is from another issuer", claim="iss", reason=Reason.ISSUER_MISMATCH)
    return RegisteredClaims(
        issuer=issuer,
        audience=_audience(claims, audience),
        expires_at=_instant(claims, "exp"),
        issued_at=_instant(claims, "iat"),
        not_before=_instant(claims, "nbf") if "nbf" in claims else None,
        token_id=_text(claims, "jti"),
        subject=_text(claims, "sub") if "sub" in claims else None,
        scopes=_scopes(claims),
    )


def check_times(claims: RegisteredClaims, *, now: float, leeway: float, max_age: float | None) -> None:
    """Refuse a token whose time is over or has not come (RFC 7519 §4.1.4–4.1.6).

    Args:
        claims: What `read_registered` returned.
        now: Seconds since the epoch.
        leeway: Seconds by which clocks may differ.
        max_age: Seconds since `iat` after which a token is refused; None: no limit.

    Raises:
        ExpiredTokenError: Past `exp`, or older than `max_age` (`expired`).
        NotYetValidError: Before `nbf`, or issued in the future (`not_yet_valid`).
    """
    if now >= claims.expires_at + leeway:
        raise ExpiredTokenError("the token has expired", claim="exp")
    if claims.not_before is not None and now < claims.not_before - leeway:
        raise NotYetValidError("the token is not valid yet", claim="nbf")
    if claims.issued_at > now + leeway:
        raise NotYetValidError("the token was issued in the future", claim="iat")
    if max_age is not None and now >= claims.issued_at + max_age + leeway:
        raise ExpiredTokenError("the token is older than the purpose's max_age", claim="iat")


def check_scopes(claims: RegisteredClaims, needed: Collection[str], /) -> None:
    """Refuse a token that lacks a scope; scopes are compared whole, never by prefix or substring.

    Raises:
        InsufficientScopeError: At least one is missing (`insufficient_scope`); `details["scopes"]` names all needed.
    """
    if not claims.scopes.issuperset(needed):
        raise InsufficientScopeError(
            "the token lacks a scope that is needed here", details={"scopes": tuple(sorted(needed))}
        )


def _invalid(name: str, what: str) -> ClaimError:
    return ClaimError(f"the claim {name!r} must be {what}", claim=name)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise _invalid(name, "a non-empty string")
    return value


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    # bool is an int in Python, and true is no NumericDate (RFC 7519 §2).
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise _invalid(name, "a number of seconds since the epoch")
    return value


def _audience(claims: Mapping[str, Any], expected: tuple[str, ...]) -> tuple[str, ...]:
    if "aud" not in claims:
        return ()
    value = claims["aud"]
    several = value if is_list(value) else [value]
    if not several or not all(isinstance(name, str) and name for name in several):
        raise _invalid("aud", "a non-empty string or a list of them")
    found: tuple[str, ...] = tuple(several)
    if not set(expected).intersection(found):
        raise ClaimError("the token is for another audience", claim="aud", reason=Reason.AUDIENCE_MISMATCH)
    return found


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    value = claims.get("scope", "")
    if not isinstance(value, str):
        raise _invalid("scope", "a string of words with a space between them")
    return frozenset(value.split(" ")) - {""}
