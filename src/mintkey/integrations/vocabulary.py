"""What the sinks say of each event: one table, so that logs, metrics and traces use the same words.

Only what the table names leaves the process: no `sub`, no `jti`, no token. Labels of metrics are closed sets; a kid is
none, because rotation makes ever new ones, so it is left to logs and traces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mintkey.errors import KeyProviderError, Reason, RemoteKeysError, ReplayStoreError
from mintkey.events import (
    BackendDegraded,
    Event,
    KeyRevoked,
    Minted,
    Rejected,
    ReuseDetected,
    Revoked,
    Rotated,
    Spent,
    Verified,
)

__all__ = ["CHECK_FIGURE", "CHECK_OK", "OUTAGES", "WORDS", "BoundedWords", "Words", "amount_of"]

CHECK_OK = "check.ok"
"""The gauge that says whether a part of a service can do its work."""

CHECK_FIGURE = "check.figure"
"""The gauge with the number that goes with it."""

OUTAGES = frozenset((*KeyProviderError.reasons, *ReplayStoreError.reasons, *RemoteKeysError.reasons)) - {
    Reason.TOKEN_RESERVED
}
"""Why a token was rejected that is not to blame. `token_reserved` is not among them: somebody is spending it."""

_MOST = 300
"""Words of all labels that are told apart: more than any service has purposes and rings, fewer than hurt a database."""

_OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How one type of event is told.

    Attributes:
        name: In logs and traces.
        counter: The metric that counts it; its parts are joined by dots, or by underscores where these are usual.
        counted: What that metric counts.
        labels: The event's fields that are closed sets.
        details: Further fields, for logs and traces.
    """

    name: str
    counter: str
    counted: str
    labels: tuple[str, ...]
    details: tuple[str, ...] = ()

    def told(self, event: Event, /) -> dict[str, str | int]:
        """All that is said of an event, by field."""
        return {field: _plain(getattr(event, field)) for field in (*self.labels, *self.details)}

    def labelled(self, event: Event, bounded: "BoundedWords", /) -> dict[str, str]:
        """The labels of an event, by name."""
        return {field: bounded.bound(str(_plain(getattr(event, field)))) for field in self.labels}


WORDS: Mapping[type[Event], Words] = MappingProxyType(
    {
        Minted: Words(
            name="minted",
            counter="tokens.minted",
            counted="Tokens minted.",
            labels=("purpose",),
            details=("key_id", "count"),
        ),
        Verified: Words(
            name="verified",
            counter="tokens.verified",
            counted="Tokens that passed every check.",
            labels=("purpose",),
            details=("key_id",),
        ),
        Spent: Words(
            name="spent",
            counter="tokens.spent",
            counted="Single-use tokens spent.",
            labels=("purpose",),
            details=("key_id",),
        ),
        Rejected: Words(
            name="rejected",
            counter="tokens.rejected",
            counted="Tokens refused, or not decided about because a backend was away.",
            labels=("purpose", "reason"),
        ),
        Revoked: Words(
            name="revoked",
            counter="revocations",
            counted="Revocations of tokens, ids, subjects and families.",
            labels=("purpose", "what"),
        ),
        ReuseDetected: Words(
            name="reuse_detected",
            counter="reuse.detected",
            counted="Families of refresh tokens revoked because one came again after it was replaced.",
            labels=("purpose",),
        ),
        BackendDegraded: Words(
            name="backend_degraded",
            counter="backend.degraded",
            counted="Failures of a backend that changed no outcome.",
            labels=("purpose", "reason"),
        ),
        Rotated: Words(
            name="rotated",
            counter="keys.rotated",
            counted="Rotations that this process made (is_own) or saw.",
            labels=("ring", "is_own"),
            details=("key_id", "previous_key_id"),
        ),
        KeyRevoked: Words(
            name="key_revoked",
            counter="keys.revoked",
            counted="Key versions that this process revoked (is_own) or saw revoked.",
            labels=("ring", "is_own"),
            details=("key_id",),
        ),
    }
)
"""By the very type of an event. A type that is missing, such as one of somebody's own, is told by no sink."""


class BoundedWords:
    """Keeps labels closed where code could make ever new ones: beyond the first 300 words there is only `other`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def bound(self, word: str, /) -> str:
        """The word itself, or `other`."""
        if word not in self._known:
            if len(self._known) >= _MOST:
                return _OTHER
            self._known.add(word)
        return word


def amount_of(event: Event, /) -> int:
    """How much an event adds to its counter.

    Example:
        >>> amount_of(Minted(purpose="access", key_id="k1", count=500))
        500
    """
    return event.count if isinstance(event, Minted) else 1


def _plain(value: object) -> str | int:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return value
        case _:
            return str(value)
