"""What the store counts of each version by now, as far as this process can tell: its last look, and grants since.

Calls overlap. A grant is added to a look only if the store was asked for it after that look had been answered, because
otherwise the look may hold it already: what is said here may be too little, and never is too much.
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from mintkey.keys.ports import StoredRing
from mintkey.keys.snapshot import Snapshot

__all__ = ["KnownCounts", "ever_counted"]


class KnownCounts:
    """Mints of one ring that the store granted to this process, or took back from it, by look.

    Example:
        >>> counts = KnownCounts()
        >>> asked_before = counts.looks
        >>> look = counts.looked()
        >>> counts.add("k1", 2, asked_after=asked_before)
        >>> counts.add("k1", 3, asked_after=look)
        >>> counts.granted("k1", since=look)
        3
    """

    def __init__(self) -> None:
        self._looks = 0
        self._granted: dict[int, Counter[str]] = {}
        self._returned: dict[int, Counter[str]] = {}
        self._guard = Lock()  # event loops of several threads share one; held for moments, never over an await

    @property
    def looks(self) -> int:
        """How many looks at the store were answered so far: the number of the last one."""
        return self._looks

    def looked(self) -> int:
        """A look was answered; its number."""
        with self._guard:
            self._looks += 1
            return self._looks

    def add(self, kid: str, granted: int, /, *, returned: int = 0, asked_after: int) -> None:
        """The store granted mints, or took some back.

        Args:
            kid: The version.
            granted: How many it granted.
            returned: How many it took back.
            asked_after: The number of the last look that had been answered when it was asked.
        """
        with self._guard:
            self._granted.setdefault(asked_after, Counter())[kid] += granted
            self._returned.setdefault(asked_after, Counter())[kid] += returned

    def granted(self, kid: str, /, *, since: int) -> int:
        """How many mints of a version were granted since a look, to this process alone."""
        return self._sum(self._granted, kid, since)

    def mints(self, snapshot: Snapshot, kid: str, /) -> int:
        """What the store counts by now: reserved and not given back."""
        since = snapshot.look
        change = self.granted(kid, since=since) - self._sum(self._returned, kid, since)
        return snapshot.mints.get(kid, 0) + change

    def least(self, snapshot: Snapshot, /) -> Mapping[str, int]:
        """All mints that were ever reserved, at least, of each version that may sign: who says less forgot some."""
        return {
            version.kid: ever_counted(snapshot.stored, version.kid) + self.granted(version.kid, since=snapshot.look)
            for version in snapshot.ring.versions
            if version.still_to_retire
        }

    def forget(self, before: int, /) -> None:
        """Let go of what was added to earlier looks than this one."""
        with self._guard:
            for changes in (self._granted, self._returned):
                for look in [look for look in changes if look < before]:
                    del changes[look]

    def begin_in_copy(self) -> None:
        """Begin in a copy of the process: what the other one is granted from now on is not for this one to tell."""
        self._guard = Lock()  # another thread may have held it when the copy was made

    def _sum(self, changes: dict[int, Counter[str]], kid: str, since: int) -> int:
        with self._guard:
            return sum(counted[kid] for look, counted in changes.items() if look >= since)


def ever_counted(stored: StoredRing | None, kid: str, /) -> int:
    """All mints that were ever reserved: a number that only goes down where the store forgot something.

    Example:
        >>> ever_counted(StoredRing(b"{}", 1, mints={"k1": 20}, returned={"k1": 5}), "k1")
        25
    """
    return 0 if stored is None else stored.mints.get(kid, 0) + stored.returned.get(kid, 0)
