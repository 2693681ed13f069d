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
    EXTRA_MISSING = "extra_missing"
    UNSUPPORTED = "unsupported"

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    HEADER_UNSUPPORTED = "header_unsupported"
    SIGNATURE_INVALID = "signature_invalid"
    ALGORITHM_MISMATCH = "algorithm_mismatch"
    KEY_UNKNOWN = "key_unknown"
    KEY_RETIRED = "key_retired"
    KEY_REVOKED = "key_revoked"
    PURPOSE_MISMATCH = "purpose_mismatch"
    CLAIM_MISSING = "claim_missing"
    CLAIM_INVALID = "claim_invalid"
    ISSUER_MISMATCH = "issuer_mismatch"
    AUDIENCE_MISMATCH = "audience_mismatch"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REPLAYED = "replayed"
    REPLAY_UNPROVABLE = "replay_unprovable"
    REVOKED = "revoked"
    INSUFFICIENT_SCOPE = "insufficient_scope"

    KEYS_UNAVAILABLE = "keys_unavailable"
    SIGNING_FAILED = "signing_failed"
    ROTATION_CONFLICT = "rotation_conflict"
    KEY_EXHAUSTED = "key_exhausted"
    REPLAY_UNAVAILABLE = "replay_unavailable"
    REPLAY_OUTCOME_UNKNOWN = "replay_outcome_unknown"
    TOKEN_RESERVED = "token_reserved"  # noqa: S105 - a reason, not a password
    JWKS_UNAVAILABLE = "jwks_unavailable"
    JWKS_INVALID = "jwks_invalid"
    TOKEN_ENDPOINT_UNAVAILABLE = "token_endpoint_unavailable"  # noqa: S105 - a reason, not a password
    TOKEN_ENDPOINT_REJECTED = "token_endpoint_rejected"  # noqa: S105 - a reason, not a password

    BUS_UNAVAILABLE = "bus_unavailable"
    BUS_OUTCOME_UNKNOWN = "bus_outcome_unknown"
