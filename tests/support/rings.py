"""Rings for pure tests: materials by name, time in seconds."""

from datetime import timedelta

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Intent, Ring, RingVersion, apply, keys_needed, plan

POLICY = RotationPolicy(
    every=timedelta(seconds=1000), previous_ttl=timedelta(seconds=500), publish_ahead=timedelta(seconds=100)
)


def material(kid: str, *, erase: bool = True) -> KeyMaterial:
    return KeyMaterial(
        kid=kid, algorithm="EdDSA", public_jwk={"kid": kid}, handle=f"private {kid}", erase_when_retiring=erase
    )


def version(
    kid: str,
    *,
    created_at: float = 0.0,
    activates_at: float | None = None,
    retires_at: float | None = None,
    verify_until: float | None = None,
    revoked_at: float | None = None,
) -> RingVersion:
    return RingVersion(
        material=material(kid),
        created_at=created_at,
        activates_at=activates_at,
        retires_at=retires_at,
        verify_until=verify_until,
        revoked_at=revoked_at,
    ).at_rest()


class Keys:
    """Names the versions v1, v2, …, in the order in which they are made."""

    def __init__(self) -> None:
        self.made = 0

    def walk(self, ring: Ring, now: float, intent: Intent | None = None, policy: RotationPolicy = POLICY) -> Ring:
        """Plan and apply, as the engine does."""
        edits = plan(ring, now, policy, intent or Intent())
        needed = keys_needed(edits)
        materials = [material(f"v{self.made + number}") for number in range(1, needed + 1)]
        self.made += needed
        return apply(ring, edits, materials)


def states(ring: Ring, now: float) -> dict[str, str]:
    return {each.kid: str(ring.state(each, now)) for each in ring.versions}
