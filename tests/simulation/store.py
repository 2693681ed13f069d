"""A ring store without I/O: a ring, its revision and its counts; it may forget."""

from collections.abc import Mapping
from dataclasses import dataclass

from mintkey.keys.ring import Ring

__all__ = ["Store", "Stored"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A ring as a look at the store finds it."""

    ring: Ring
    revision: int
    mints: Mapping[str, int]
    returned: Mapping[str, int]

    def counted(self, kid: str, /) -> int:
        """What was ever counted: a number that only grows, unless the store forgot."""
        return self.mints.get(kid, 0) + self.returned.get(kid, 0)


class Store:
    """What all nodes share."""

    def __init__(self) -> None:
        self.stored: Stored | None = None
        self._backup: Stored | None = None

    def swap(self, ring: Ring, /, *, expected: int) -> bool:
        """Replace the ring if nobody did since; whether that happened."""
        stored = self.stored
        if expected != (0 if stored is None else stored.revision):
            return False
        mints, returned = ({}, {}) if stored is None else (stored.mints, stored.returned)
        self.stored = Stored(ring, expected + 1, mints, returned)
        return True

    def reserve(self, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints, never beyond `limit` in all; how many were granted."""
        if self.stored is None:
            return 0
        counted = self.stored.mints.get(kid, 0)
        granted = max(0, min(want, limit - counted))
        self._count(kid, mints=granted, returned=0)
        return granted

    def give_back(self, kid: str, /, *, count: int) -> None:
        """Take mints back that nobody used."""
        if self.stored is not None:
            count = min(count, self.stored.mints.get(kid, 0))
            self._count(kid, mints=-count, returned=count)

    def back_up(self) -> None:
        """Keep what is there, for `roll_back`."""
        self._backup = self.stored

    def lose(self) -> None:
        """Forget everything."""
        self.stored = None

    def roll_back(self) -> None:
        """Go back to the backup, or to nothing if there is none."""
        self.stored = self._backup

    def _count(self, kid: str, *, mints: int, returned: int) -> None:
        stored = self.stored
        assert stored is not None
        self.stored = Stored(
            stored.ring,
            stored.revision,
            {**stored.mints, kid: stored.mints.get(kid, 0) + mints},
            {**stored.returned, kid: stored.returned.get(kid, 0) + returned} if returned else stored.returned,
        )
