"""A ring as the outside sees it."""

from collections.abc import Mapping

from mintkey.clock import from_timestamp
from mintkey.keys.base import KeyVersion
from mintkey.keys.ring import Ring, RingVersion

__all__ = ["describe_all"]


def describe_all(ring: Ring, now: float, /, *, mints: Mapping[str, int]) -> tuple[KeyVersion, ...]:
    """All versions, newest first.

    Args:
        ring: The ring.
        now: Seconds since the epoch.
        mints: Tokens counted so far, by kid.
    """
    return tuple(_describe(ring, version, now, mints.get(version.kid, 0)) for version in reversed(ring.versions))


def _describe(ring: Ring, version: RingVersion, now: float, mints: int) -> KeyVersion:
    material = version.material
    return KeyVersion(
        kid=material.kid,
        algorithm=material.algorithm,
        state=ring.state(version, now),
        created_at=from_timestamp(version.created_at),
        activates_at=None if version.activates_at is None else from_timestamp(version.activates_at),
        retires_at=None if version.retires_at is None else from_timestamp(version.retires_at),
        verify_until=None if version.verify_until is None else from_timestamp(version.verify_until),
        mints=mints,
        public_jwk=None if material.public_jwk is None else dict(material.public_jwk),
    )
