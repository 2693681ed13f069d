"""Nodes with one defect each: what the simulator has to notice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import ClassVar

from mintkey.keys import ring as pure
from mintkey.keys.merge import merge
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Create, Drop, Edit, HandOver, Intent, Ring
from tests.simulation.fleet import UnavailableError
from tests.simulation.node import Node

__all__ = ["DEFECTS", "DropsTooEarly"]


class HandsOverTooEarly(Node):
    """Does not wait until the successor was published for long enough."""

    @staticmethod
    def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent) -> tuple[Edit, ...]:
        return pure.plan(ring, now, replace(policy, publish_ahead=timedelta(0)), intent)

    @staticmethod
    def change_due_at(ring: Ring, policy: RotationPolicy) -> float:
        return pure.change_due_at(ring, replace(policy, publish_ahead=timedelta(0)))


class PublishesNothingAhead(Node):
    """Makes the successor when it is needed: it is published and signs in the same edit."""

    @staticmethod
    def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent) -> tuple[Edit, ...]:
        edits = pure.plan(ring, now, policy, intent)
        return tuple(Create(edit.at) if isinstance(edit, HandOver) else edit for edit in edits) + tuple(
            edit for edit in edits if isinstance(edit, HandOver)
        )

    @staticmethod
    def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial]) -> Ring:
        changed = pure.apply(ring, [edit for edit in edits if not isinstance(edit, HandOver)], materials)
        for edit in edits:
            if isinstance(edit, HandOver):
                # The youngest goes first.
                waiting = changed.successors
                others = tuple(version for version in changed.versions if version not in waiting)
                changed = pure.apply(replace(changed, versions=(*others, *reversed(waiting))), [edit], ())
        return changed


class ForgetsTheEnd(Node):
    """Retires a version without saying until when it verifies."""

    @staticmethod
    def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial]) -> Ring:
        edits = [replace(edit, verify_until=pure.END_OF_TIME) if isinstance(edit, HandOver) else edit for edit in edits]
        return pure.apply(ring, edits, materials)


class CountsAlone(Node):
    """Holds the cap against its own mints only."""

    def begin(self) -> None:
        super().begin()
        self._own: Counter[str] = Counter()

    def _reserve(self, kid: str, want: int) -> int:
        cap = self.policy.max_mints
        granted = want if cap is None else max(0, min(want, cap - self._own[kid]))
        self._own[kid] += granted
        return granted


class GrantsItself(Node):
    """Takes a block for granted when the store does not answer."""

    def _reserve(self, kid: str, want: int) -> int:
        try:
            return super()._reserve(kid, want)
        except UnavailableError:
            return want


class KeepsItsBlock(Node):
    """Gives its block back and goes on with it."""

    def close(self) -> None:
        block = self._block
        super().close()
        self._block = block


class BelievesTheStore(Node):
    """Lets the store's view of a revocation win."""

    @staticmethod
    def merge(theirs: Ring, ours: Ring, now: float, policy: RotationPolicy) -> Ring:
        merged = merge(theirs, ours, now, policy)
        versions = (
            replace(version, revoked_at=None)
            if (known := theirs.find(version.kid)) is not None and known.revoked_at is None
            else version
            for version in merged.versions
        )
        return replace(merged, versions=tuple(versions))


class BringsNothingBack(Node):
    """Takes the ring as the store holds it, whatever it knew before."""

    @staticmethod
    def merge(theirs: Ring, ours: Ring, now: float, policy: RotationPolicy) -> Ring:
        return theirs


class DropsTooEarly(Node):
    """Drops versions when half of their time is over."""

    @staticmethod
    def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent) -> tuple[Edit, ...]:
        edits = pure.plan(ring, now, policy, intent)
        half = policy.previous_ttl.total_seconds() / 2
        early = (v.kid for v in ring.versions if not v.is_past(now) and v.is_past(now + half))
        return (*edits, *(Drop(kid) for kid in early if intent.prune))


class RevokesLater(Node):
    """Revokes by letting the version retire."""

    @staticmethod
    def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent) -> tuple[Edit, ...]:
        relieve = intent.relieve | ({intent.revoke} if intent.revoke is not None else set())
        return pure.plan(ring, now, policy, replace(intent, revoke=None, relieve=relieve))


class ServesForTooLong(Node):
    """Lets a set be cached for as long as ever, however old it is that a node cut off from the store serves."""

    minds_age: ClassVar[bool] = False


class WritesOldPlans(Node):
    """Goes on with what it planned before it was stopped."""

    plan_lasts: ClassVar[float] = inf


class DatesBeforeLooking(Node):
    """Takes the time before it asks the store, and not when it has the answer."""

    plan_lasts: ClassVar[float] = inf
    dates_before_looking: ClassVar[bool] = True


class ForgetsItsGrants(Node):
    """Compares counts with those of its last look, and asks for as much as it likes."""

    knows_own_grants: ClassVar[bool] = False


DEFECTS: dict[type[Node], str] = {
    HandsOverTooEarly: "no valid token is rejected outside",
    PublishesNothingAhead: "no valid token is rejected outside",
    ForgetsTheEnd: "none accepted after verify_until",
    CountsAlone: "no kid over its cap",
    GrantsItself: "no kid over its cap",
    KeepsItsBlock: "no kid over its cap",
    BelievesTheStore: "no revocation is undone",
    BringsNothingBack: "a kid's history goes on",
    DropsTooEarly: "no valid token is rejected inside",
    RevokesLater: "revoked keys are refused in time",
    ServesForTooLong: "no valid token is rejected outside",
    WritesOldPlans: "no valid token is rejected inside",
    DatesBeforeLooking: "no valid token is rejected inside",
    ForgetsItsGrants: "no kid over its cap",
}
"""Each with the promise that it breaks."""
