"""Why an operation was refused: the closed set of words that logs, metrics and tests compare."""

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Why an operation was refused: a closed set that only grows.

    Meant for logs, metrics and tests. Outsiders are told `invalid_token` and nothing finer (RFC 6750 §3.1).

    Example:
        >>> Reason.REPLAYED == "replayed"
        True
    """

    CONFIGURATION = "configuration"
    """A setting or an argument is wrong; the message names all problems that were found."""
    EXTRA_MISSING = "extra_missing"
    """An optional package is not installed; the message names the extra that brings it."""
    UNSUPPORTED = "unsupported"
    """This backend cannot do that, ever: rotating keys that an operator rotates, for instance."""

    MALFORMED = "malformed"
    """The text is no compact JWS: its three parts, their base64url or their JSON are not as they must be."""
    TOO_LARGE = "too_large"
    """The text is longer than `max_token_bytes`; no more than its length was looked at."""
    HEADER_UNSUPPORTED = "header_unsupported"
    """The header has a member that the purpose does not allow, or one that nobody can allow, as `crit` or `jku`."""
    SIGNATURE_INVALID = "signature_invalid"
    """The signature is not that of the key which the header names."""
    ALGORITHM_MISMATCH = "algorithm_mismatch"
    """The header's `alg` is not that of the key."""
    KEY_UNKNOWN = "key_unknown"
    """Nobody knows a key of this `kid`: the token is forged, of another ring, or far too old."""
    KEY_RETIRED = "key_retired"
    """The key stopped signing longer ago than `previous_ttl`."""
    KEY_REVOKED = "key_revoked"
    """The key was revoked; everything that it signed is refused."""
    PURPOSE_MISMATCH = "purpose_mismatch"
    """The header's `typ` is that of another purpose."""
    CLAIM_MISSING = "claim_missing"
    """A claim that is required is not there."""
    CLAIM_INVALID = "claim_invalid"
    """A claim is of the wrong type, or does not fit the type of the purpose's claims."""
    ISSUER_MISMATCH = "issuer_mismatch"
    """`iss` is another issuer."""
    AUDIENCE_MISMATCH = "audience_mismatch"
    """`aud` does not name who verifies, or names somebody where the purpose has no audience."""
    EXPIRED = "expired"
    """`exp` and the leeway are over, or the token is older than the purpose's `max_age`."""
    NOT_YET_VALID = "not_yet_valid"
    """`nbf` has not come yet, or `iat` is in the future by more than the leeway."""
    REPLAYED = "replayed"
    """The token was spent before, or a refresh token came again after its grace."""
    REPLAY_UNPROVABLE = "replay_unprovable"
    """The token is older than the store's memory, so nobody can say that it was not spent."""
    REVOKED = "revoked"
    """The token was revoked, or everything of its subject or family."""
    INSUFFICIENT_SCOPE = "insufficient_scope"
    """The token is good and does not have a scope that is needed here."""

    KEYS_UNAVAILABLE = "keys_unavailable"
    """The keys cannot be had: their store or their custodian does not answer, or a sealed key does not open."""
    SIGNING_FAILED = "signing_failed"
    """Whoever holds the private key did not sign."""
    ROTATION_CONFLICT = "rotation_conflict"
    """Other processes changed the ring, or used up its new versions, faster than this one could."""
    KEY_EXHAUSTED = "key_exhausted"
    """The version that `kid` pins has signed as many tokens as it may."""
    REPLAY_UNAVAILABLE = "replay_unavailable"
    """The store cannot answer, and nothing can have been spent."""
    REPLAY_OUTCOME_UNKNOWN = "replay_outcome_unknown"
    """The store took the call and its answer was lost: the token may be spent."""
    TOKEN_RESERVED = "token_reserved"  # noqa: S105 - a reason, not a password
    """Somebody else is in `redeem` with this token right now."""
    JWKS_UNAVAILABLE = "jwks_unavailable"
    """A remote key set or an issuer's metadata cannot be fetched."""
    JWKS_INVALID = "jwks_invalid"
    """What was fetched is no key set or metadata that can be used."""
    TOKEN_ENDPOINT_UNAVAILABLE = "token_endpoint_unavailable"  # noqa: S105 - a reason, not a password
    """The token endpoint does not answer, or not with a token."""
    TOKEN_ENDPOINT_REJECTED = "token_endpoint_rejected"  # noqa: S105 - a reason, not a password
    """The token endpoint refuses this client."""

    BUS_UNAVAILABLE = "bus_unavailable"
    """The event bus does not answer; nothing was published."""
    BUS_OUTCOME_UNKNOWN = "bus_outcome_unknown"
    """The answer of the event bus was lost: the event may be published. Publishing its id again is safe."""
