"""When keys rotate and how long their predecessors verify."""

from dataclasses import dataclass
from datetime import timedelta

from mintkey.errors import ConfigurationError

__all__ = ["RotationPolicy"]

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """When a key ring rotates, and how long previous versions keep verifying.

    Args:
        every: A version signs for this long, then its successor takes over; None: never by time.
        max_mints: A version signs at most so many tokens, counted over the whole fleet; None: never by count.
        previous_ttl: A previous version verifies for this long after it stopped signing, and not one second longer. It
            bounds the lifetime plus leeway of every token minted with these keys.
        publish_ahead: The next version is in the JWK Set for at least this long before it signs, so that verifiers
            which cache the set know it in time. Zero: nobody outside caches the keys. Rotation by count does not wait
            for it, the cap wins.

    Raises:
        ConfigurationError: A duration is not positive or a count is below one (`configuration`).

    Example:
        >>> RotationPolicy(every=timedelta(days=7), max_mints=1_000_000).previous_ttl
        datetime.timedelta(days=1)
    """

    every: timedelta | None = timedelta(days=30)
    max_mints: int | None = None
    previous_ttl: timedelta = timedelta(days=1)
    publish_ahead: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        problems: list[str] = []
        if self.every is not None and self.every <= _ZERO:
            problems.append("RotationPolicy.every must be positive, or None for never")
        if self.max_mints is not None and self.max_mints < 1:
            problems.append("RotationPolicy.max_mints must be at least 1, or None for no limit")
        if self.previous_ttl <= _ZERO:
            problems.append("RotationPolicy.previous_ttl must be positive")
        if self.publish_ahead < _ZERO:
            problems.append("RotationPolicy.publish_ahead must not be negative")
        ConfigurationError.raise_if(problems)
