"""What a refresh token says beside the registered claims: which session it is of, and what the next pair says. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mintkey.claims.narrow import is_object
from mintkey.errors import ClaimError, PurposeMismatchError, Reason

__all__ = ["Session", "claims_of", "read_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all refresh tokens of a family say alike.

    Attributes:
        family: The family's id.
        subject: Whose session it is.
        scopes: What was granted, in the order in which it is written.
        claims: The private claims of the access tokens, as JSON members; None if there are none.
    """

    family: str
    subject: str | None = field(repr=False)
    scopes: tuple[str, ...]
    claims: Mapping[str, Any] | None = field(repr=False)


def claims_of(session: Session, /, *, generation: int, access: str) -> dict[str, Any]:
    """The private claims of a refresh token.

    Args:
        session: The session it is of.
        generation: How many refresh tokens the family had before it.
        access: The name of the access tokens' purpose: a refresh token leads to no other.
    """
    claims: dict[str, Any] = {"family": session.family, "generation": generation, "access": access}
    return claims if session.claims is None else {**claims, "claims": session.claims}


def read_session(
    claims: Mapping[str, Any], /, *, subject: str | None, scopes: Collection[str], access: str
) -> tuple[Session, int]:
    """The session of an authentic refresh token, and the token's generation.

    Args:
        claims: Its private claims.
        subject: Its `sub`.
        scopes: Its `scope`.
        access: The name of the purpose that its access tokens must be for.

    Raises:
        ClaimError: A flow did not mint it (`claim_missing`, `claim_invalid`).
        PurposeMismatchError: It leads to access tokens for another purpose (`purpose_mismatch`).
    """
    for name in ("family", "generation", "access"):
        if name not in claims:
            raise ClaimError(f"the claim {name!r} is missing", claim=name, reason=Reason.CLAIM_MISSING)
    family, generation, carried = claims["family"], claims["generation"], claims.get("claims")
    if not isinstance(family, str) or not family:
        raise ClaimError("the claim 'family' must be a non-empty string", claim="family")
    if type(generation) is not int or generation < 0:
        raise ClaimError("the claim 'generation' must be a whole number", claim="generation")
    if carried is not None and not is_object(carried):
        raise ClaimError("the claim 'claims' must be an object", claim="claims")
    if claims["access"] != access:
        raise PurposeMismatchError("the refresh token leads to access tokens for another purpose")
    return Session(family=family, subject=subject, scopes=tuple(sorted(scopes)), claims=carried), generation
