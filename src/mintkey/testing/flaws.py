"""What can be wrong with a token, and the reason with which it has to be refused then."""

from enum import StrEnum
from typing import Any, Self

from mintkey.purpose import Purpose
from mintkey.reasons import Reason

__all__ = ["Flaw", "flaws_of"]


class Flaw(StrEnum):
    """What is wrong with a token: each is a case of a test, and knows how a service has to refuse it.

    `flaws_of` has those that tokens of a purpose can have, `flawed_token` makes one.

    Attributes:
        reason: With which `verify`, `peek` and `redeem` refuse it.

    Example:
        >>> Flaw.FORGED.reason
        <Reason.SIGNATURE_INVALID: 'signature_invalid'>
    """

    reason: Reason

    def __new__(cls, word: str, reason: Reason) -> Self:
        """A word, and the reason that goes with it."""
        flaw = str.__new__(cls, word)
        flaw._value_ = word
        flaw.reason = reason
        return flaw

    EXPIRED = "expired", Reason.EXPIRED
    """It was good once; its `exp` and the leeway are over."""
    NOT_YET_VALID = "not yet valid", Reason.NOT_YET_VALID
    """Its `nbf` is an hour ahead."""
    WITHOUT_EXPIRY = "without expiry", Reason.CLAIM_MISSING
    """The key signed it, and it has no `exp`: it would be good for ever."""
    OTHER_ISSUER = "of another issuer", Reason.ISSUER_MISMATCH
    """The key signed it for an `iss` that is not ours, as where two issuers share a key."""
    OTHER_AUDIENCE = "for another audience", Reason.AUDIENCE_MISMATCH
    """It is ours and for somebody else: its `aud` names another service."""
    WITHOUT_AUDIENCE = "without audience", Reason.CLAIM_MISSING
    """It names no `aud`, and the purpose does."""
    OTHER_PURPOSE = "for another purpose", Reason.PURPOSE_MISMATCH
    """Everything fits but its `typ` (RFC 8725 §3.11)."""
    FORGED = "forged", Reason.SIGNATURE_INVALID
    """Another key signed it, and its `kid` is that of ours."""
    ALTERED = "altered", Reason.SIGNATURE_INVALID
    """Somebody put another `sub` into a good one."""
    UNKNOWN_KEY = "of an unknown key", Reason.KEY_UNKNOWN
    """Another key signed it, and its `kid` is that of this key."""
    OWN_KEY = "with a key of its own", Reason.HEADER_UNSUPPORTED
    """It brings the key to verify it with in its header (`jwk`)."""
    UNSIGNED = "unsigned", Reason.ALGORITHM_MISMATCH
    """Its `alg` is `none`, and there is no signature."""
    PUBLIC_KEY_AS_SECRET = "with the public key as a secret", Reason.ALGORITHM_MISMATCH
    """An HMAC, whose secret is what everybody knows: the public key in PEM (RFC 8725 §2.1)."""
    TRUNCATED = "truncated", Reason.MALFORMED
    """Its end is missing, as when a mail program breaks a link in two."""
    SPENT = "spent", Reason.REPLAYED
    """It was used before; for purposes with `single_use`."""
    REVOKED = "revoked", Reason.REVOKED
    """It was taken back; for purposes with `single_use` or `revocable`."""


def flaws_of(purpose: Purpose[Any], /) -> tuple[Flaw, ...]:
    """Everything that can be wrong with a token of a purpose: what to parametrise a test with.

    Args:
        purpose: What the tokens are for.

    Example:
        >>> from datetime import timedelta
        >>> access = Purpose("access", lifetime=timedelta(minutes=5), audience="api")
        >>> sorted(set(Flaw) - set(flaws_of(access)))
        [<Flaw.REVOKED: 'revoked'>, <Flaw.SPENT: 'spent'>]
    """
    impossible = {
        Flaw.WITHOUT_AUDIENCE: not purpose.audience,
        Flaw.SPENT: not purpose.single_use,
        Flaw.REVOKED: not purpose.stateful,
    }
    return tuple(flaw for flaw in Flaw if not impossible.get(flaw))
