"""The settings of a rotating provider, checked together."""

import logging
from datetime import timedelta

from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import check_kid
from mintkey.keys.policy import RotationPolicy

__all__ = ["check_settings"]

_logger = logging.getLogger("mintkey.keys")

_ZERO = timedelta(0)


def check_settings(
    *,
    ring: str,
    algorithm: str,
    policy: RotationPolicy,
    refresh_interval: timedelta,
    outage_tolerance: timedelta,
    max_clock_skew: timedelta,
) -> None:
    """Refuse settings that contradict themselves or one another, all problems at once.

    Raises:
        ConfigurationError: There is at least one problem (`configuration`).
    """
    problems: list[str] = []
    if not check_kid(ring):
        problems.append("ring must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")
    if algorithm not in SPECS:
        problems.append(f"algorithm must be one of {', '.join(SPECS)}")
    if refresh_interval <= _ZERO:
        problems.append("refresh_interval must be positive")
    if outage_tolerance < refresh_interval:
        problems.append("outage_tolerance must not be shorter than refresh_interval")
    if max_clock_skew < _ZERO:
        problems.append("max_clock_skew must not be negative")
    # Below that, another process could sign with a version that a verifier who did as he was told does not know.
    if _ZERO < policy.publish_ahead <= refresh_interval + max_clock_skew:
        problems.append(
            "RotationPolicy.publish_ahead must be longer than refresh_interval plus max_clock_skew, "
            "or zero if nobody outside caches the keys"
        )
    ConfigurationError.raise_if(problems)
    if policy.every is not None and policy.every <= refresh_interval + max_clock_skew < policy.publish_ahead:
        # Allowed, because who keeps all keys at home loses nothing by it. (Zero would have said so.)
        _logger.warning(
            "ring %r rotates every %s, which is no longer than refresh_interval plus max_clock_skew (%s): verifiers "
            "outside may meet a key before they can know it. Rotate less often, look more often, or set "
            "RotationPolicy.publish_ahead to zero if there are none",
            ring,
            policy.every,
            refresh_interval + max_clock_skew,
        )
    if policy.previous_ttl <= outage_tolerance + 2 * max_clock_skew:
        # Allowed: who has no long outages, or rotates while nobody is cut off, loses nothing by it.
        _logger.warning(
            "ring %r: a process that is cut off from its store signs for up to outage_tolerance (%s) with a key that "
            "others may have replaced, and previous_ttl (%s) leaves no time in which they still accept that key. "
            "Make previous_ttl longer than outage_tolerance and the longest lifetime together, or outage_tolerance "
            "shorter",
            ring,
            outage_tolerance,
            policy.previous_ttl,
        )
