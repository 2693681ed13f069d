"""The key ring, pure: versions, their states, and what to do with them at a moment.

```
 created_at            activates_at           retires_at                 verify_until
   ───┬──── pending ────────┬───── active ─────────┬────── retiring ────────────┬──── retired
      published, not signing  published, signs       published, verifies           refused: key_retired
```

Nothing here awaits, reads a clock or draws randomness. Time is float seconds since the epoch and comes in as an
argument; `plan` says what to change, `apply` changes it, and both return new values.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import reduce
from math import inf

from mintkey.keys.base import KeyState
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial

__all__ = [
    "END_OF_TIME",
    "TOMBSTONES",
    "Create",
    "Drop",
    "Edit",
    "HandOver",
    "Intent",
    "Revoke",
    "Rewrap",
    "Ring",
    "RingVersion",
    "Tombstone",
    "apply",
    "change_due_at",
    "drop",
    "end_of",
    "keys_needed",
    "plan",
    "public_for",
    "retired",
    "rotation_due_at",
]

TOMBSTONES = 256
"""How many dropped kids are remembered, so that `key_retired` and `key_revoked` can be told from `key_unknown`."""

END_OF_TIME = 253_402_300_799.0
"""The last second that a datetime can tell; nothing lasts longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingVersion:
    """One version of the key: its material and its times.

    Attributes:
        material: The key as its custodian describes it.
        created_at: Since when it is published.
        activates_at: From when on it signs; None while that is open.
        retires_at: From when on it no longer signs; None while that is open.
        verify_until: From when on it no longer verifies; None while that is open.
        revoked_at: When it was revoked; refused from then on, whatever its times say.
        revoked_because: The operator's words, for the audit trail.
    """

    material: KeyMaterial
    created_at: float
    activates_at: float | None = None
    retires_at: float | None = None
    verify_until: float | None = None
    revoked_at: float | None = None
    revoked_because: str = ""

    @property
    def kid(self) -> str:
        """The key id."""
        return self.material.kid

    @property
    def signs_since(self) -> float:
        """When it began to sign; infinity while that is open."""
        return inf if self.activates_at is None else self.activates_at

    @property
    def still_to_retire(self) -> bool:
        """Whether it signs, or may sign one day."""
        return self.retires_at is None and self.revoked_at is None

    def verifies_at(self, now: float, /) -> bool:
        """Whether what it signed is accepted at a moment: the one predicate, for verifying and for the JWK Set."""
        return self.revoked_at is None and (self.verify_until is None or now < self.verify_until)

    def is_past(self, now: float, /) -> bool:
        """Whether its time is over, so that it may be dropped; a revoked one is kept for as long as a retiring one."""
        return self.verify_until is not None and now >= self.verify_until

    def at_rest(self) -> "RingVersion":
        """Itself without the private half, if it needs none any more: it stopped signing, and verifying needs none."""
        if self.still_to_retire or not self.material.erase_when_retiring:
            return self
        return replace(self, material=replace(self.material, handle=""))


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a dropped version: its kid, and whether it had been revoked."""

    kid: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Ring:
    """All versions of one key, oldest first, and the kids of those that were dropped, oldest first.

    Example:
        >>> Ring().signer is None
        True
    """

    versions: tuple[RingVersion, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()

    @property
    def signer(self) -> RingVersion | None:
        """The version that signs: activated last, not replaced since, not revoked."""
        signing = (v for v in self.versions if v.activates_at is not None and v.still_to_retire)
        return max(signing, key=lambda v: (v.signs_since, v.kid), default=None)

    @property
    def successors(self) -> tuple[RingVersion, ...]:
        """The versions that may take over, the one that was published first in front."""
        return tuple(v for v in self.versions if v.activates_at is None and v.still_to_retire)

    def find(self, kid: str, /) -> RingVersion | None:
        """The version of a kid, compared whole."""
        return next((version for version in self.versions if version.kid == kid), None)

    def tombstone(self, kid: str, /) -> Tombstone | None:
        """What is left of a dropped version."""
        return next((stone for stone in self.tombstones if stone.kid == kid), None)

    def knows(self, kid: str, /) -> bool:
        """Whether a kid is, or was, one of this ring's."""
        return self.find(kid) is not None or self.tombstone(kid) is not None

    def moment(self, now: float, /) -> float:
        """Now, but never before this ring's last hand-over.

        The machine that wrote it may have a clock ahead of ours. Without this a ring could have no active version for a
        while, or retire one before it activated.
        """
        signer = self.signer
        return now if signer is None else max(now, signer.signs_since)

    def state(self, version: RingVersion, now: float, /) -> KeyState:
        """Where a version stands at a moment, computed from its times."""
        if version.revoked_at is not None:
            return KeyState.REVOKED
        if version.is_past(now):
            return KeyState.RETIRED
        moment = self.moment(now)
        if version.retires_at is not None and moment >= version.retires_at:
            return KeyState.RETIRING
        if moment >= version.signs_since:
            return KeyState.ACTIVE
        return KeyState.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What somebody wants done beyond what time asks for.

    Attributes:
        relieve: If one of these signs, its successor takes over at once: it is at its cap, or an operator said so.
            Naming the version makes the wish safe to repeat: whoever lost a race finds it fulfilled.
        revoke: Refuse everything that this version signed.
        because: The operator's words on that.
        prune: Drop versions that are past their time.
    """

    relieve: frozenset[str] = field(default_factory=frozenset[str])
    revoke: str | None = None
    because: str = ""
    prune: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """A new version, published from now on. Takes one key material."""

    at: float


@dataclass(frozen=True, slots=True)
class HandOver:
    """The first successor signs from now on. Whoever signed until now retires in the same edit."""

    at: float
    verify_until: float


@dataclass(frozen=True, slots=True)
class Revoke:
    """A version is refused from now on; if it still had a future, that ends too."""

    kid: str
    at: float
    verify_until: float
    because: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A version goes; its kid is remembered."""

    kid: str


@dataclass(frozen=True, slots=True)
class Rewrap:
    """The private half of a version is sealed anew, unless it was erased or sealed anew meanwhile.

    Attributes:
        kid: The version.
        before: Its handle so far.
        after: Its handle from now on.
    """

    kid: str
    before: str = field(repr=False)
    after: str = field(repr=False)


Edit = Create | HandOver | Revoke | Drop | Rewrap
"""One change to a ring."""


def rotation_due_at(ring: Ring, policy: RotationPolicy, /) -> float:
    """When the active version has signed for long enough and its successor was public for long enough.

    Returns:
        Seconds since the epoch; infinity if that never happens by time alone.
    """
    signer, successors = ring.signer, ring.successors
    if policy.every is None or signer is None or not successors:
        return inf
    ready_at = successors[0].created_at + public_for(policy).total_seconds()
    return max(signer.signs_since + policy.every.total_seconds(), ready_at)


def public_for(policy: RotationPolicy, /) -> timedelta:
    """How long a successor is public before it takes over by time.

    It cannot be asked for longer than a whole period: it is only created when one begins.
    """
    return policy.publish_ahead if policy.every is None else min(policy.publish_ahead, policy.every)


def end_of(at: float, policy: RotationPolicy, /) -> float:
    """Until when a version verifies that stops signing at a moment."""
    return min(END_OF_TIME, at + policy.previous_ttl.total_seconds())


def change_due_at(ring: Ring, policy: RotationPolicy, /) -> float:
    """When `plan` has something to do without being asked: at once if nobody signs or no successor stands ready."""
    return -inf if ring.signer is None or not ring.successors else rotation_due_at(ring, policy)


def plan(ring: Ring, now: float, policy: RotationPolicy, intent: Intent, /) -> tuple[Edit, ...]:
    """What to change in a ring, in this order; nothing if all is well.

    Afterwards exactly one version signs and at least one successor stands ready, so that the next rotation is instant.

    Args:
        ring: The ring as the store holds it.
        now: Seconds since the epoch.
        policy: When to rotate, and how long predecessors verify.
        intent: What is wanted beyond that.
    """
    at = ring.moment(now)
    verify_until = end_of(at, policy)
    edits: list[Edit] = []

    revoked = ring.find(intent.revoke) if intent.revoke is not None else None
    if revoked is not None and revoked.revoked_at is None:
        edits.append(Revoke(revoked.kid, at, verify_until, intent.because))
        ring = apply(ring, edits, ())  # what follows is planned for what is left

    signer, ready = ring.signer, len(ring.successors)
    if signer is None or signer.kid in intent.relieve or now >= rotation_due_at(ring, policy):
        # An emergency may find nobody published ahead: then a fresh key signs at once. So does a ring's very first.
        if not ready:
            edits.append(Create(at))
            ready += 1
        edits.append(HandOver(at, verify_until))
        ready -= 1
    if not ready:
        edits.append(Create(at))
    if intent.prune:
        edits.extend(Drop(version.kid) for version in ring.versions if version.is_past(now))
    return tuple(edits)


def keys_needed(edits: Collection[Edit], /) -> int:
    """How many new keys these edits take."""
    return sum(isinstance(edit, Create) for edit in edits)


def apply(ring: Ring, edits: Sequence[Edit], materials: Sequence[KeyMaterial], /) -> Ring:
    """The ring after these edits.

    Args:
        ring: The ring that they were planned for.
        edits: What `plan` returned.
        materials: At least `keys_needed(edits)` new keys, used from the front.
    """
    supply = iter(materials)
    return reduce(lambda changed, edit: _apply_one(changed, edit, supply), edits, ring)


def _apply_one(ring: Ring, edit: Edit, supply: Iterator[KeyMaterial]) -> Ring:
    match edit:
        case Create(at):
            return replace(ring, versions=(*ring.versions, RingVersion(material=next(supply), created_at=at)))
        case HandOver(at, verify_until):
            return _hand_over(ring, at, verify_until)
        case Revoke(kid, at, verify_until, because):
            return _changed(ring, kid, lambda version: _revoked(version, at, verify_until, because))
        case Rewrap(kid, before, after):
            return _changed(ring, kid, lambda version: _rewrapped(version, before, after))
        case _:
            return drop(ring, edit.kid)


def _hand_over(ring: Ring, at: float, verify_until: float) -> Ring:
    signer, successor = ring.signer, ring.successors[0]
    if signer is not None:
        ring = _changed(ring, signer.kid, lambda version: retired(version, at, verify_until))
    return _changed(ring, successor.kid, lambda version: replace(version, activates_at=at))


def retired(version: RingVersion, at: float, verify_until: float, /) -> RingVersion:
    """The version with its end set: it signs no more, verifies for a while, and its private half is gone."""
    return replace(version, retires_at=at, verify_until=verify_until).at_rest()


def _revoked(version: RingVersion, at: float, verify_until: float, because: str) -> RingVersion:
    if version.retires_at is None:
        version = retired(version, at, verify_until)
    return replace(version, revoked_at=at, revoked_because=because).at_rest()


def _rewrapped(version: RingVersion, before: str, after: str) -> RingVersion:
    if version.material.handle != before:
        return version
    return replace(version, material=replace(version.material, handle=after))


def drop(ring: Ring, kid: str, /) -> Ring:
    """The ring without a version, its kid remembered."""
    stones = (Tombstone(version.kid, version.revoked_at is not None) for version in ring.versions if version.kid == kid)
    return Ring(
        tuple(version for version in ring.versions if version.kid != kid), (*ring.tombstones, *stones)[-TOMBSTONES:]
    )


def _changed(ring: Ring, kid: str, change: Callable[[RingVersion], RingVersion]) -> Ring:
    return replace(ring, versions=tuple(change(v) if v.kid == kid else v for v in ring.versions))
