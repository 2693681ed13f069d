"""The JWK Set of a ring: what may be published, and for how long it may be cached."""

import hashlib
from datetime import timedelta

from mintkey.claims import strict_json
from mintkey.jose import base64url
from mintkey.keys.base import JWKSet
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import Ring, public_for

__all__ = ["cacheable_for", "render"]

_ZERO = timedelta(0)


def render(ring: Ring, now: float, /, *, max_age: timedelta) -> JWKSet:
    """The public keys of all versions that verify or will sign, newest first (RFC 7517 §5).

    Args:
        ring: The ring.
        now: Seconds since the epoch; the same predicate as in verifying decides what is in.
        max_age: How long verifiers may cache it.
    """
    published = (version.material for version in reversed(ring.versions) if version.verifies_at(now))
    # A secret has no public JWK, so it cannot get in here.
    keys = [material.public_jwk for material in published if material.public_jwk is not None]
    digest = hashlib.sha256(strict_json.dumps({"keys": keys})).digest()
    return JWKSet(keys, etag=f'"{base64url.encode(digest[:16])}"', max_age=max_age)


def cacheable_for(policy: RotationPolicy, /, *, delay: timedelta) -> timedelta:
    """How long verifiers may cache the set without meeting a token whose key is not in it.

    A version is public for `publish_ahead` before it signs (a shorter period leaves no more time than itself), less
    the time by which processes and clocks may be behind.

    Args:
        policy: The ring's policy.
        delay: Refresh interval plus clock skew.
    """
    return max(_ZERO, public_for(policy) - delay)
