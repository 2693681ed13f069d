"""How long a token that somebody gave us is used: a pure function of its lifetime and of the margin before its end."""

from dataclasses import dataclass, field

__all__ = ["Grant", "Lease", "lease"]

_LEAST_SHARE = 0.2
"""The part of its life for which a token is used at least, however long the margin."""

_AHEAD_SHARE = 0.1
"""The part of the time before the margin in which renewal begins behind the callers; never over half a margin."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that was just got.

    Attributes:
        token: The token.
        lifetime: Seconds for which it is good, counted from before it was asked for.
    """

    token: str = field(repr=False)
    lifetime: float


@dataclass(frozen=True, slots=True)
class Lease:
    """A token in use. Instants are monotonic seconds.

    Attributes:
        token: The token.
        ahead_at: From here on it is renewed behind whoever asks.
        due_at: From here on, the margin, whoever asks would rather have a new one.
        expires_at: From here on it is no good.
    """

    token: str = field(repr=False)
    ahead_at: float
    due_at: float
    expires_at: float


def lease(grant: Grant, /, *, since: float, margin: float) -> Lease:
    """When to renew a token, and when to give it up.

    Args:
        grant: The token.
        since: The monotonic instant before it was asked for.
        margin: Seconds before its end from which on it should not be begun with. A token that lives hardly longer than
            that is still used for a fifth of its life: otherwise every call would ask for another one.

    Example:
        >>> lease(Grant("…", 3600), since=0, margin=60)
        Lease(ahead_at=3510.0, due_at=3540, expires_at=3600)
    """
    kept = max(grant.lifetime - margin, grant.lifetime * _LEAST_SHARE)
    ahead = min(kept * _AHEAD_SHARE, margin / 2)
    return Lease(grant.token, since + kept - ahead, since + kept, since + grant.lifetime)
