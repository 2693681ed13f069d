"""Blocks of mints: how many to set aside at once, and what is left of them."""

from contextlib import suppress
from dataclasses import dataclass, field

from mintkey.keys.base import SigningGrant, SigningKey

__all__ = ["MintBlock", "next_size", "reservation"]

_LARGEST = 16_384
_LASTS = 120.0  # seconds that a block should last, so that a store may be away for a while
_GROWTH, _SHRINKING = 16, 2  # by how much the next block differs at most: one measurement is no trend
_SHARE = 64
"""No process sets aside more than this part of what is left below the cap: it may crash and waste it."""
_SMALL = 4
"""Smaller blocks are used up before the next one is asked for; of others, half is kept for when the store is away."""


@dataclass(slots=True)
class MintBlock:
    """Mints of one version that the store granted to this process and that nobody used yet.

    Attributes:
        key: The version.
        began_at: Since when, in monotonic seconds.
        size: How many there were at the beginning.
        low_water: With no more left than this, it is time to ask for the next; below zero: not before it is used up.
    """

    key: SigningKey
    began_at: float
    size: int
    low_water: int
    _free: list[SigningGrant] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Event loops of several threads may take from one block, and none may be given what another one was. Taking
        # from the end of a list is one step; to count down would be two, or need a lock for every token.
        self._free = [SigningGrant(self.key, 1)] * self.size

    @classmethod
    def of(cls, key: SigningKey, left: int, /, *, began_at: float) -> "MintBlock":
        """A new block, which says for itself when the next is to be asked for."""
        return cls(key, began_at, size=left, low_water=left // 2 if left >= _SMALL else -1)

    @property
    def left(self) -> int:
        """How many there are."""
        return len(self._free)

    @property
    def is_low(self) -> bool:
        """Whether it is time to ask for the next one."""
        return len(self._free) <= self.low_water

    def take(self, want: int, /) -> SigningGrant | None:
        """Up to so many of them; None if there are none."""
        if want == 1:  # which is what nearly everybody asks for
            try:
                return self._free.pop()
            except IndexError:
                return None
        count = self._remove(want)
        return SigningGrant(self.key, count) if count else None

    def empty(self) -> int:
        """Take all that is left; how many that was."""
        return self._remove(self.size)

    def _remove(self, most: int) -> int:
        count = 0
        with suppress(IndexError):
            while count < most:
                self._free.pop()
                count += 1
        return count


def next_size(size: int, /, *, used: int, lasted: float) -> int:
    """The size of the next block, so that it lasts about two minutes at the present pace.

    Args:
        size: The last one's.
        used: How many mints of it were used.
        lasted: In how many seconds.

    Example:
        >>> [next_size(100, used=50, lasted=lasted) for lasted in (0.1, 6, 60, 120, 1000)]
        [1600, 1000, 100, 50, 50]
    """
    wanted = round(used / lasted * _LASTS) if lasted > 0 else _LARGEST
    return max(1, size // _SHRINKING, min(wanted, size * _GROWTH, _LARGEST))


def reservation(size: int, /, *, waiting: int, left: int | None) -> int:
    """How many mints to ask the store for.

    Args:
        size: What would be a good block.
        waiting: What callers wait for right now; it will not be wasted, so neither the size nor the share bounds it.
        left: What is left below the cap as far as is known; None: there is no cap.

    Example:
        >>> [reservation(64, waiting=waiting, left=left) for waiting, left in [(1, None), (1, 640), (40, 640), (1, 7)]]
        [64, 10, 40, 1]
    """
    if left is not None:
        size = min(size, max(1, left // _SHARE))
    return min(_LARGEST, max(size, waiting))
