"""What a simulated process knows of the store's counts: those of its last look, and what it was granted since."""

from collections import Counter

from tests.simulation.fleet import Snapshot
from tests.simulation.store import Stored

__all__ = ["Counts"]


class Counts:
    """Follows `mintkey.keys.counts`; nothing overlaps here, so that one counter does."""

    def __init__(self) -> None:
        self._look: Snapshot | None = None
        self._since: Counter[str] = Counter()

    def add(self, snapshot: Snapshot, kid: str, granted: int) -> None:
        """The store granted mints after the look of this snapshot."""
        if self._look is not snapshot:
            self._look = snapshot
            self._since.clear()
        self._since[kid] += granted

    def mints(self, snapshot: Snapshot, kid: str) -> int:
        """What the store counts by now."""
        return (0 if snapshot.stored is None else snapshot.stored.mints.get(kid, 0)) + self._granted(snapshot, kid)

    def fallen(self, known: Snapshot, stored: Stored | None, *, own: bool) -> frozenset[str]:
        """The versions that may sign and of which the store counts less than it did.

        Args:
            known: What was known before.
            stored: What the store says now.
            own: Whether what it granted since is held against it.
        """
        if known.stored is None:
            return frozenset()
        fallen = {known.signing_kid} if stored is None else set[str]()
        for kid in (version.kid for version in known.ring.versions if version.still_to_retire):
            least = known.stored.counted(kid) + (self._granted(known, kid) if own else 0)
            if (0 if stored is None else stored.counted(kid)) < least:
                fallen.add(kid)
        return frozenset(fallen)

    def _granted(self, snapshot: Snapshot, kid: str) -> int:
        return self._since[kid] if self._look is snapshot else 0
