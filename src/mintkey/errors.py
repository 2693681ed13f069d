"""Every error that mintkey raises.

```
MintkeyError
├── ConfigurationError            the caller or the deployment is to blame             500
│   ├── MissingExtraError         (also an ImportError)
│   └── UnsupportedOperationError
├── InvalidTokenError             the token is to blame                                401
│   ├── MalformedTokenError · SignatureError · PurposeMismatchError
│   ├── KeyNotFoundError ── KeyRevokedError
│   ├── ClaimError ──────── ExpiredTokenError · NotYetValidError
│   ├── TokenReplayedError · TokenRevokedError
│   └── InsufficientScopeError                                                         403
└── BackendError                  infrastructure is to blame: fail closed, retry later 503
    └── KeyProviderError · ReplayStoreError · RemoteKeysError · TokenEndpointError · EventBusError
```

`MintkeyError`, `InvalidTokenError` and `BackendError` are for catching and are never raised themselves. No message and
no detail contains a token, a key or a claim's value.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar

from mintkey.reasons import Reason

__all__ = [
    "BackendError",
    "ClaimError",
    "ConfigurationError",
    "EventBusError",
    "ExpiredTokenError",
    "InsufficientScopeError",
    "InvalidTokenError",
    "KeyNotFoundError",
    "KeyProviderError",
    "KeyRevokedError",
    "MalformedTokenError",
    "MintkeyError",
    "MissingExtraError",
    "NotYetValidError",
    "PurposeMismatchError",
    "Reason",
    "RemoteKeysError",
    "ReplayStoreError",
    "SignatureError",
    "TokenEndpointError",
    "TokenReplayedError",
    "TokenRevokedError",
    "UnsupportedOperationError",
]


_NO_DETAILS: Mapping[str, object] = MappingProxyType({})


class MintkeyError(Exception):
    """The base of every error of this library.

    Args:
        message: What went wrong and what to do about it, without secrets.
        reason: The fine reason; by default the first one of the class.
        details: Facts for logs (names, limits, counts), never a token, key or claim value.

    Attributes:
        reason: Why, from a closed set.
        retryable: Whether the same call may succeed later without a change.
        status_code: The HTTP status that suits it.
        details: The facts given, read-only.

    Example:
        >>> TokenReplayedError("the token was spent before").status_code
        401
    """

    reasons: ClassVar[tuple[Reason, ...]] = ()
    retryable: bool = False
    status_code: int = 500

    def __init__(
        self, message: str = "", /, *, reason: Reason | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.reason: Reason = reason if reason is not None else self.reasons[0]
        self.details: Mapping[str, object] = details if details is not None else _NO_DETAILS

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, object]]:
        """Survive a queue or a process pool; a read-only view of the details would not."""
        return type(self), self.args, {**vars(self), "details": dict(self.details)}


class ConfigurationError(MintkeyError):
    """A setting or an argument is wrong; retrying cannot help.

    Example:
        >>> ConfigurationError.of(["lifetime must be positive", "audience is empty"]).details["problems"]
        ('lifetime must be positive', 'audience is empty')
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.CONFIGURATION,)

    @classmethod
    def of(cls, problems: Iterable[str], /) -> "ConfigurationError":
        """One error that names all problems at once.

        Args:
            problems: Sentences, each naming the setting and what it takes.
        """
        found = tuple(problems)
        return cls("; ".join(found), details={"problems": found})

    @classmethod
    def raise_if(cls, problems: Iterable[str], /) -> None:
        """Raise `of(problems)` unless there are none.

        Raises:
            ConfigurationError: There is at least one problem (`configuration`).
        """
        found = tuple(problems)
        if found:
            raise cls.of(found)


class MissingExtraError(ConfigurationError, ImportError):
    """An optional package is not installed; the message names the extra that brings it.

    Example:
        >>> issubclass(MissingExtraError, ImportError)
        True
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.EXTRA_MISSING,)


class UnsupportedOperationError(ConfigurationError):
    """This backend cannot do that, ever (for instance rotating a read-only provider).

    Example:
        >>> UnsupportedOperationError("a static key set is rotated by its operator").reason
        <Reason.UNSUPPORTED: 'unsupported'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.UNSUPPORTED,)


class InvalidTokenError(MintkeyError):
    """The token is to blame. Catch this one to refuse a request.

    Example:
        >>> issubclass(ExpiredTokenError, InvalidTokenError)
        True
    """

    status_code = 401


class MalformedTokenError(InvalidTokenError):
    """The text is no compact JWS that we read (RFC 7515 §7.1).

    Example:
        >>> MalformedTokenError("the token has no second dot").reason
        <Reason.MALFORMED: 'malformed'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.MALFORMED, Reason.TOO_LARGE, Reason.HEADER_UNSUPPORTED)


class SignatureError(InvalidTokenError):
    """The signature is not that of the key, or not by the key's algorithm (RFC 7515 §5.2, RFC 8725 §3.1).

    Example:
        >>> SignatureError("the signature does not fit").reason
        <Reason.SIGNATURE_INVALID: 'signature_invalid'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.SIGNATURE_INVALID, Reason.ALGORITHM_MISMATCH)


class KeyNotFoundError(InvalidTokenError):
    """No key of this id verifies (any more).

    Example:
        >>> KeyNotFoundError("past its time", reason=Reason.KEY_RETIRED).reason
        <Reason.KEY_RETIRED: 'key_retired'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.KEY_UNKNOWN, Reason.KEY_RETIRED)


class KeyRevokedError(KeyNotFoundError):
    """The key was revoked; whatever it signed is refused.

    Example:
        >>> KeyRevokedError("the key was revoked").reason
        <Reason.KEY_REVOKED: 'key_revoked'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.KEY_REVOKED,)


class PurposeMismatchError(InvalidTokenError):
    """The token's `typ` is not that of the purpose (RFC 8725 §3.11).

    Example:
        >>> PurposeMismatchError("minted for another purpose").reason
        <Reason.PURPOSE_MISMATCH: 'purpose_mismatch'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.PURPOSE_MISMATCH,)


class ClaimError(InvalidTokenError):
    """A claim is missing or does not fit.

    Args:
        message: As for every error; never the claim's value.
        claim: The claim's name, or its path as in `address.city` or `roles[1]`.
        reason: One of `claim_invalid`, `claim_missing`, `issuer_mismatch`, `audience_mismatch`.
        details: As for every error.

    Example:
        >>> ClaimError("not an integer", claim="age").claim
        'age'
    """

    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.CLAIM_INVALID,
        Reason.CLAIM_MISSING,
        Reason.ISSUER_MISMATCH,
        Reason.AUDIENCE_MISMATCH,
    )

    def __init__(
        self,
        message: str = "",
        /,
        *,
        claim: str = "",
        reason: Reason | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, details=details)
        self.claim = claim


class ExpiredTokenError(ClaimError):
    """The token's time is over (RFC 7519 §4.1.4), or it is older than the purpose's `max_age`.

    Example:
        >>> ExpiredTokenError("expired", claim="exp").reason
        <Reason.EXPIRED: 'expired'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.EXPIRED,)


class NotYetValidError(ClaimError):
    """The token's time has not come (RFC 7519 §4.1.5), or it was issued in the future.

    Example:
        >>> NotYetValidError("not yet", claim="nbf").reason
        <Reason.NOT_YET_VALID: 'not_yet_valid'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.NOT_YET_VALID,)


class TokenReplayedError(InvalidTokenError):
    """A single-use token was spent before, or nobody can prove that it was not.

    Example:
        >>> TokenReplayedError("spent before").reason
        <Reason.REPLAYED: 'replayed'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.REPLAYED, Reason.REPLAY_UNPROVABLE)


class TokenRevokedError(InvalidTokenError):
    """The token, or everything of its subject, was revoked.

    Example:
        >>> TokenRevokedError("revoked").reason
        <Reason.REVOKED: 'revoked'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.REVOKED,)


class InsufficientScopeError(InvalidTokenError):
    """A good token without a scope that is needed here (RFC 6750 §3.1).

    Example:
        >>> InsufficientScopeError("needs admin").status_code
        403
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.INSUFFICIENT_SCOPE,)

    status_code = 403


class BackendError(MintkeyError):
    """Infrastructure is to blame. Nobody was let in; the same call may succeed later.

    Example:
        >>> ReplayStoreError("the store is away").retryable
        True
    """

    retryable = True
    status_code = 503


class KeyProviderError(BackendError):
    """Keys cannot be had, used or rotated right now.

    Example:
        >>> KeyProviderError("the ring cannot be read").reason
        <Reason.KEYS_UNAVAILABLE: 'keys_unavailable'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.KEYS_UNAVAILABLE,
        Reason.SIGNING_FAILED,
        Reason.ROTATION_CONFLICT,
        Reason.KEY_EXHAUSTED,
    )


class ReplayStoreError(BackendError):
    """The replay store cannot answer, its answer is not known, or the token is reserved by somebody else.

    Example:
        >>> ReplayStoreError("in use elsewhere", reason=Reason.TOKEN_RESERVED).status_code
        409
    """

    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.REPLAY_UNAVAILABLE,
        Reason.REPLAY_OUTCOME_UNKNOWN,
        Reason.TOKEN_RESERVED,
    )

    def __init__(
        self, message: str = "", /, *, reason: Reason | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, reason=reason, details=details)
        if self.reason is Reason.TOKEN_RESERVED:
            self.status_code = 409


class RemoteKeysError(BackendError):
    """A remote JWK Set cannot be fetched or read.

    Example:
        >>> RemoteKeysError("the endpoint does not answer").reason
        <Reason.JWKS_UNAVAILABLE: 'jwks_unavailable'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.JWKS_UNAVAILABLE, Reason.JWKS_INVALID)


class TokenEndpointError(BackendError):
    """A token endpoint cannot be reached, or refuses us.

    Example:
        >>> TokenEndpointError("no answer").reason
        <Reason.TOKEN_ENDPOINT_UNAVAILABLE: 'token_endpoint_unavailable'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TOKEN_ENDPOINT_UNAVAILABLE, Reason.TOKEN_ENDPOINT_REJECTED)


class EventBusError(BackendError):
    """The event bus cannot take or bring events, or nobody knows whether it took one.

    Publishing again under the same id is safe: the bus takes an id once.

    Example:
        >>> EventBusError("the server is away").reason
        <Reason.BUS_UNAVAILABLE: 'bus_unavailable'>
    """

    reasons: ClassVar[tuple[Reason, ...]] = (Reason.BUS_UNAVAILABLE, Reason.BUS_OUTCOME_UNKNOWN)
