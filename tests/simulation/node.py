"""One process of the fleet: decides what the engine decides, with the engine's pure functions, and awaits nothing.

Follows `mintkey.keys.keeper`, `refresh` and `minting` step by step; `test_engine_agrees` holds it against them. Work
that the engine does behind its callers is done at the end of the event here.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import ClassVar, TypeVar

from mintkey.keys.blocks import MintBlock, next_size, reservation
from mintkey.keys.merge import merge
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Edit, Intent, Ring, apply, change_due_at, keys_needed, plan
from tests.simulation.counting import Counts
from tests.simulation.fleet import Fleet, Key, RefusedError, ServedSet, Snapshot, UnavailableError, View
from tests.simulation.store import Store, Stored

__all__ = ["Node"]

T = TypeVar("T")

COOL_DOWN = 1.0
_PLAN_LASTS = 1.0
_TRIES, _FAR_BEHIND, _NO_CAP = 16, 64, 2**62


class Node:
    """A process.

    The pure functions are attributes, so that a test can put a defect in the place of one.
    """

    plan: Callable[[Ring, float, RotationPolicy, Intent], tuple[Edit, ...]] = staticmethod(plan)
    apply: Callable[[Ring, Sequence[Edit], Sequence[KeyMaterial]], Ring] = staticmethod(apply)
    merge: Callable[[Ring, Ring, float, RotationPolicy], Ring] = staticmethod(merge)
    change_due_at: Callable[[Ring, RotationPolicy], float] = staticmethod(change_due_at)
    minds_age: ClassVar[bool] = True
    """Whether a JWK Set is cacheable for less if it is older than the refresh interval."""
    plan_lasts: ClassVar[float] = _PLAN_LASTS
    """Seconds after which nobody writes any more what was planned."""
    knows_own_grants: ClassVar[bool] = True
    """Whether a store that counts less than it granted to this very process has forgotten something."""
    dates_before_looking: ClassVar[bool] = False
    """Whether the times of a change are those from before the look that it is planned for."""

    def __init__(self, name: str, offset: float, fleet: Fleet) -> None:
        self.name = name
        self.offset = offset
        self.fleet = fleet
        self.policy = fleet.settings.policy
        self.is_cut_off = False
        self.life = 0
        self.begin()

    def begin(self) -> None:
        """Know nothing, as a process that just started."""
        self.life += 1
        self.snapshot: Snapshot | None = None
        self.failed = False
        self.searched_at = -inf
        self._tried_at = -inf
        self._advance_failed_at: float | None = None
        self._uncountable: frozenset[str] = frozenset()
        self._spares: list[KeyMaterial] = []
        self._behind = False
        self._block: MintBlock | None = None
        self._size = 1
        self._counts = Counts()

    @property
    def now(self) -> float:
        """What its clock says."""
        return self.fleet.now + self.offset

    @property
    def reaches_store(self) -> bool:
        """Whether the store answers it."""
        return not (self.is_cut_off or self.fleet.fails or self.fleet.loses_answers)

    # --- what callers ask for

    def resolve(self, kid: str) -> None:
        """Return if what this kid signed is accepted."""
        snapshot = self.snapshot
        if snapshot is not None and self.fleet.now < snapshot.fresh_until:
            version = snapshot.view.versions.get(kid)
            if version is not None and version.verifies_at(self.now):
                return
        if self._knows(self._current(), kid) or ((newer := self._after_unknown()) and self._knows(newer, kid)):
            return
        if self.failed:
            raise UnavailableError
        raise RefusedError("unknown")

    def acquire(self, want: int) -> tuple[str, int]:
        """The kid that signs now, and how many mints of it were granted."""
        snapshot = self.snapshot
        if snapshot is None or self.fleet.now >= snapshot.fresh_until or self.now >= snapshot.view.change_due_at:
            snapshot = self._advanced_if_due()
        while True:
            granted = self._take(snapshot.signing_kid, want) or self._refill(snapshot.signing_kid, want)
            if granted:
                return snapshot.signing_kid, granted
            snapshot = self._advanced_if_due()

    def acquire_pinned(self) -> str | None:
        """The pending version with one mint of it granted; None if it is at its cap."""
        snapshot = self._begun()
        successors = snapshot.view.successors
        if not successors:
            return None
        kid = successors[0].kid
        self.flush()
        return kid if self._ask(snapshot, kid, 1) else None

    def rotate(self) -> None:
        """Rotate by hand."""
        signing = self._walk(None).signing_kid
        self._walk(Intent(relieve=frozenset({signing})))

    def revoke(self, kid: str) -> None:
        """Refuse a version from now on, if the ring still holds it."""
        if self._walk(None).ring.find(kid) is not None:
            self._walk(Intent(revoke=kid))

    def maintain(self) -> None:
        """Do what is due, and drop what is past its time."""
        self._walk(Intent(prune=True))

    def look(self) -> None:
        """Look at the store, as when somebody pushed news."""
        self._refresh()

    def serve_keys(self) -> ServedSet:
        """The JWK Set."""
        snapshot = self._begun()
        kids = frozenset(version.kid for version in snapshot.ring.versions if version.verifies_at(self.now))
        return self.fleet.serve(kids, age=self.fleet.now - snapshot.checked_at if self.minds_age else 0.0)

    def close(self) -> None:
        """Give back what was not used, and end."""
        block = self._block
        if block is not None and block.left:
            with suppress(UnavailableError):
                self._ask_store(lambda store: store.give_back(block.key.kid, count=block.left))
        self.begin()

    def flush(self) -> None:
        """Do what was left to be done behind a caller."""
        if self._behind:
            self._behind = False
            with suppress(UnavailableError):
                self._refresh()

    # --- refresh: how old a snapshot may be

    def _current(self) -> Snapshot:
        snapshot, now, settings = self.snapshot, self.fleet.now, self.fleet.settings
        if snapshot is None:
            return self._refresh()
        if now < snapshot.fresh_until:
            return snapshot
        age = now - snapshot.checked_at
        if age >= settings.outage_tolerance or (age >= settings.refresh_interval and not self.failed):
            with suppress(UnavailableError):
                snapshot = self._refresh()
        elif not self.failed or now - self._tried_at >= COOL_DOWN:
            self._behind = True
        if now - snapshot.checked_at >= settings.outage_tolerance:
            raise UnavailableError
        return snapshot

    def _after_unknown(self) -> Snapshot | None:
        if self.fleet.now - self.searched_at < COOL_DOWN:
            return None
        self.searched_at = self.fleet.now
        return self._refresh()

    def _refresh(self) -> Snapshot:
        self._tried_at = self.fleet.now
        return self._walk(None)

    def _knows(self, snapshot: Snapshot, kid: str) -> bool:
        version, stone = snapshot.view.versions.get(kid), snapshot.view.stones.get(kid)
        if version is None and stone is None:
            return False
        if (version is not None and version.revoked_at is not None) or (stone is not None and stone.revoked):
            raise RefusedError("revoked")
        if version is None or not version.verifies_at(self.now):
            raise RefusedError("retired")
        return True

    # --- engine: begin, and advance when that is due

    def _begun(self) -> Snapshot:
        snapshot = self._current()
        return snapshot if snapshot.signing_kid else self._advance()

    def _advanced_if_due(self) -> Snapshot:
        snapshot = self._begun()
        failed_at = self._advance_failed_at
        if self.now >= snapshot.change_due_at and (failed_at is None or self.fleet.now - failed_at >= COOL_DOWN):
            with suppress(UnavailableError):
                return self._advance()
        return snapshot

    def _advance(self) -> Snapshot:
        try:
            snapshot = self._walk(Intent())
        except UnavailableError:
            self._advance_failed_at = self.fleet.now
            raise
        self._advance_failed_at = None
        return snapshot

    # --- keeper: the walk to the next snapshot

    def _walk(self, intent: Intent | None) -> Snapshot:
        for _ in range(_TRIES):
            snapshot = self._try(intent)
            if snapshot is not None:
                return snapshot
        raise AssertionError("a healthy fleet needs two or three tries")

    def _try(self, intent: Intent | None) -> Snapshot | None:
        looked_at, now = self.fleet.now, self.now
        try:
            stored = self._ask_store(lambda store: store.stored)
        except UnavailableError:
            self.failed = True
            raise
        self.failed = False
        if intent is not None:
            self.fleet.answer_look()
        if not self.dates_before_looking:
            now = self.now
        theirs = Ring() if stored is None else stored.ring
        self._compare_counts(stored)
        ring, snapshot = self._joined(stored, theirs, now), None
        if ring is theirs:
            snapshot = self._adopt(stored, theirs, looked_at)
            if intent is None and not self._uncountable:
                return snapshot
        intent = intent or Intent()
        if self._uncountable:
            intent = replace(intent, relieve=intent.relieve | self._uncountable)
        edits = self.plan(ring, now, self.policy, intent)
        if snapshot is not None and not edits:
            self._use_up(self._uncountable)
            return snapshot
        after = self._applied(ring, edits)
        self.fleet.come_to_swap()
        if self.now - now > self.plan_lasts:
            return None
        return self._swap(stored, theirs, intent, after, looked_at)

    def _applied(self, ring: Ring, edits: Sequence[Edit]) -> Ring:
        needed = keys_needed(edits)
        self._spares = [spare for spare in self._spares if not ring.knows(spare.kid)]
        while len(self._spares) < needed:
            self._spares.append(self.fleet.new_material())
        return self.apply(ring, edits, self._spares[:needed])

    def _swap(
        self, stored: Stored | None, theirs: Ring, intent: Intent, after: Ring, looked_at: float
    ) -> Snapshot | None:
        expected = 0 if stored is None else stored.revision

        def swap(store: Store) -> bool:
            done = store.swap(after, expected=expected)
            if done:
                self.fleet.swapped(self, intent, theirs, after)
            return done

        if not self._ask_store(swap):
            return None
        uncountable = self._uncountable
        mints, returned = ({}, {}) if stored is None else (stored.mints, stored.returned)
        snapshot = self._adopt(Stored(after, expected + 1, mints, returned), after, looked_at)
        self._use_up(uncountable)
        return snapshot

    def _use_up(self, kids: frozenset[str]) -> None:
        for kid in kids:
            with suppress(UnavailableError):
                self._reserve(kid, self.policy.max_mints or 0)
                self._uncountable -= {kid}

    def _adopt(self, stored: Stored | None, ring: Ring, looked_at: float) -> Snapshot:
        view = self.fleet.view
        if view is None or view.ring is not ring:
            self.fleet.view = view = View(ring, self.change_due_at(ring, self.policy))
        self.snapshot = snapshot = Snapshot(
            view, stored, looked_at, looked_at + self.fleet.settings.refresh_interval / 2
        )
        self._uncountable &= {version.kid for version in ring.versions if version.still_to_retire}
        return snapshot

    def _joined(self, stored: Stored | None, theirs: Ring, now: float) -> Ring:
        known = self.snapshot
        if known is None or known.stored is None or theirs is known.ring or not self.fleet.settings.merges:
            return theirs
        if stored is not None and stored.revision - known.stored.revision > _FAR_BEHIND:
            return theirs
        compared = self.fleet.compared
        if compared is not None and compared[0] is theirs and compared[1] is known.ring:
            return theirs  # another node found that nothing was forgotten
        merged = self.merge(theirs, known.ring, now, self.policy)
        if merged != theirs:
            return merged
        self.fleet.compared = (theirs, known.ring)
        return theirs

    def _compare_counts(self, stored: Stored | None) -> None:
        if self.policy.max_mints is not None and self.snapshot is not None:
            self._uncountable |= self._counts.fallen(self.snapshot, stored, own=self.knows_own_grants)

    # --- minting: blocks

    def _take(self, kid: str, want: int) -> int:
        block = self._block
        grant = block.take(want) if block is not None and block.key.kid == kid else None
        return 0 if grant is None else grant.count

    def _refill(self, kid: str, want: int) -> int:
        self.flush()
        if self.policy.max_mints is None:
            return self._refill_or_owe(kid, want)
        self._size = self._next_size()
        for _ in range(_TRIES):
            snapshot = self._known()
            signing = snapshot.signing_kid
            left = self.policy.max_mints - self._counts.mints(snapshot, signing)
            granted = self._ask(snapshot, signing, reservation(self._size, waiting=want, left=left))
            if not granted:
                self._walk(Intent(relieve=frozenset({signing})))
            elif self._fill(signing, granted):
                return 0
        raise AssertionError("others took every mint of every new version")

    def _refill_or_owe(self, kid: str, want: int) -> int:
        snapshot = self._known()
        try:
            self._size = self._next_size()
            granted = self._ask(snapshot, snapshot.signing_kid, reservation(self._size, waiting=want, left=None))
            if granted:
                self._fill(snapshot.signing_kid, granted)
            else:
                self._walk(None)  # without a cap a store refuses only if it lost the ring
        except UnavailableError:
            return want  # nothing depends on the count, so it is owed
        return 0

    def _known(self) -> Snapshot:
        assert self.snapshot is not None
        return self.snapshot

    def _ask(self, snapshot: Snapshot, kid: str, want: int) -> int:
        cap = self.policy.max_mints
        if cap is not None and self.knows_own_grants:
            if self._counts.mints(snapshot, kid) >= cap:
                snapshot = self._walk(None)
            want = min(want, cap - self._counts.mints(snapshot, kid))
            if want < 1 or kid in self._uncountable:
                return 0
        granted = self._reserve(kid, want)
        self._counts.add(snapshot, kid, granted)
        return granted

    def _reserve(self, kid: str, want: int) -> int:
        limit = _NO_CAP if self.policy.max_mints is None else self.policy.max_mints
        return self._ask_store(lambda store: store.reserve(kid, want=want, limit=limit))

    def _fill(self, kid: str, granted: int) -> bool:
        before = self._block
        if self._known().signing_kid != kid:
            return False
        if before is not None and before.key.kid == kid:
            granted += before.left
        self._block = MintBlock.of(Key(kid), granted, began_at=self.fleet.now)
        return True

    def _next_size(self) -> int:
        block = self._block
        if block is None or block.left:
            return self._size
        return next_size(self._size, used=block.size - block.left, lasted=self.fleet.now - block.began_at)

    def _ask_store(self, ask: Callable[[Store], T]) -> T:
        if self.is_cut_off or self.fleet.fails:
            raise UnavailableError
        answer = ask(self.fleet.store)
        if self.fleet.loses_answers:
            raise UnavailableError
        return answer
