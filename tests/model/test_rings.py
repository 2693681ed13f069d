"""Every state that two or three processes with one ring can come to keeps every promise about keys."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Create, Edit, HandOver, Intent, Ring, apply, plan
from tests.model.ring_promises import BrokenError, search
from tests.model.rings import LIFETIME, STALE, Bounds, RingWorld

SCENARIOS = {
    "time alone": Bounds(seconds=4, revisions=2),
    "many revisions": Bounds(seconds=2, revisions=3),
    "by hand": Bounds(seconds=3, rotations=1, revisions=2),
    "an emergency": Bounds(seconds=3, revocations=1, revisions=2),
    "a crash": Bounds(seconds=3, crashes=1, revisions=2),
    "a stop": Bounds(seconds=4, stops=2, revisions=2),
    "three processes": Bounds(processes=3, seconds=2, revisions=2),
}
LARGE = {
    "time alone": Bounds(seconds=5, revisions=3),
    "by hand and a crash": Bounds(seconds=4, rotations=1, crashes=1, revisions=2),
    "an emergency and a crash": Bounds(seconds=4, revocations=1, crashes=1, revisions=2),
    "by hand and a stop": Bounds(seconds=4, rotations=1, stops=2, revisions=2),
    "three processes": Bounds(processes=3, seconds=3, revisions=2),
}
if os.environ.get("MINTKEY_MODEL") == "large":
    SCENARIOS = LARGE


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda name: name.replace(" ", "-"))
def test_every_promise_is_kept(scenario: str) -> None:
    bounds = SCENARIOS[scenario]
    states, steps = search(RingWorld(bounds))
    assert states > 10_000
    # A bound that lets nothing happen would leave its promises untested.
    assert ("somebody wishes to rotate" in steps) == bool(bounds.rotations)
    assert ("somebody wishes to revoke" in steps) == bool(bounds.revocations)
    assert ("somebody crashes" in steps) == bool(bounds.crashes)
    assert ("somebody finds his plan too old" in steps) == bool(bounds.stops)
    assert {"somebody signs with", "somebody reserves", "somebody is at the cap"} <= set(steps)


class TakesAnySwap(RingWorld):
    """The store does not compare before it swaps."""

    def accepts(self, revision: int, expected: int) -> bool:
        return True


class GrantsForEver(RingWorld):
    """The store does not count."""

    def grants(self, granted: int) -> bool:
        return True


class WritesOldPlans(RingWorld):
    """Whoever was stopped goes on where he was."""

    def is_too_old(self, age: int) -> bool:
        return False


class ForgetsStaleness(RingWorld):
    """Nobody thinks of who signs without knowing that his key was replaced."""

    policy = RotationPolicy(
        every=timedelta(seconds=3),
        max_mints=2,
        previous_ttl=timedelta(seconds=LIFETIME),
        publish_ahead=timedelta(seconds=3),
    )


class PublishesLate(RingWorld):
    """A key signs as soon as the oldest snapshot in use could have it, if it were written at once."""

    policy = RotationPolicy(
        every=timedelta(seconds=1),
        max_mints=2,
        previous_ttl=timedelta(seconds=4),
        publish_ahead=timedelta(seconds=STALE),
    )


class LeavesNoSuccessor(RingWorld):
    """Whoever hands over makes no key for the next time."""

    @staticmethod
    def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent) -> tuple[Edit, ...]:
        edits = plan(ring, now, policy, intent)
        hands_over = ring.versions and any(isinstance(edit, HandOver) for edit in edits)
        return tuple(edit for edit in edits if not (hands_over and isinstance(edit, Create)))


class RetiresNobody(RingWorld):
    """A hand-over begins one version and ends none."""

    @staticmethod
    def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial]) -> Ring:
        after = apply(ring, edits, materials)
        kept = {version.kid: version for version in ring.versions}
        return replace(
            after,
            versions=tuple(
                replace(version, retires_at=None, verify_until=None) if version.kid in kept else version
                for version in after.versions
            ),
        )


class ForgetsRevocations(RingWorld):
    """The next change takes a revocation back."""

    @staticmethod
    def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial]) -> Ring:
        pardoned = replace(ring, versions=tuple(replace(version, revoked_at=None) for version in ring.versions))
        return apply(pardoned, edits, materials)


class DropsEarly(RingWorld):
    """Versions go as soon as they retire."""

    @staticmethod
    def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial]) -> Ring:
        after = apply(ring, edits, materials)
        return replace(after, versions=tuple(version for version in after.versions if version.retires_at is None))


@pytest.mark.parametrize(
    ("defect", "bounds", "broken"),
    [
        (TakesAnySwap, Bounds(seconds=2), "vanished|at another time"),
        (GrantsForEver, Bounds(seconds=2), "3 mints of"),
        (WritesOldPlans, Bounds(seconds=3, stops=2), "has no key"),
        (ForgetsStaleness, Bounds(seconds=4), "verifies no more|is gone"),
        (PublishesLate, Bounds(seconds=3), "has no key"),
        (LeavesNoSuccessor, Bounds(seconds=2), "no successor stands ready"),
        (RetiresNobody, Bounds(seconds=2), "2 versions are active"),
        (ForgetsRevocations, Bounds(seconds=2, revocations=1), "not revoked any more"),
        (DropsEarly, Bounds(seconds=2), "is gone"),
    ],
    ids=lambda value: getattr(value, "__name__", "bounds" if isinstance(value, Bounds) else "broken"),
)
def test_a_defect_is_found(defect: type[RingWorld], bounds: Bounds, broken: str) -> None:
    with pytest.raises(BrokenError, match=broken):
        search(defect(bounds))
