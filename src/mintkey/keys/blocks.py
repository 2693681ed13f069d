"""Blocks of mints: how many to set aside at once, and what is left of them."""

from dataclasses import dataclass

from mintkey.keys.base import SigningGrant, SigningKey

__all__ = ["MintBlock", "next_size", "reservation"]

_LARGEST = 16_384
_AT_ONCE, _QUICK, _SLOW = 1.0, 60.0, 300.0  # seconds that a block lasted
_SHARE = 64
"""No process sets aside more than this part of what is left below the cap: it may crash and waste it."""
_SMALL = 4
"""Smaller blocks are used up before the next one is asked for; of others, half is kept for when the store is away."""


@dataclass(slots=True)
class MintBlock:
    """Mints of one version that the store granted to this process and that nobody used yet.

    Attributes:
        key: The version.
        left: How many there are.
        began_at: Since when, in monotonic seconds.
        low_water: With no more left than this, it is time to ask for the next; below zero: not before it is used up.
    """

    key: SigningKey
    left: int
    began_at: float
    low_water: int = -1

    @classmethod
    def of(cls, key: SigningKey, left: int, /, *, began_at: float) -> "MintBlock":
        """A new block, which says for itself when the next is to be asked for."""
        return cls(key, left, began_at, left // 2 if left >= _SMALL else -1)

    @property
    def is_low(self) -> bool:
        """Whether it is time to ask for the next one."""
        return self.left <= self.low_water

    def take(self, want: int, /) -> SigningGrant | None:
        """Up to so many of them; None if there are none."""
        count = min(want, self.left)
        if not count:
            return None
        self.left -= count
        return SigningGrant(self.key, count)


def next_size(size: int, /, *, lasted: float) -> int:
    """The size of the next block, so that it lasts for some minutes at the present pace.

    Args:
        size: The last one's.
        lasted: How long it lasted, in seconds.

    Example:
        >>> [next_size(8, lasted=lasted) for lasted in (0.2, 5, 100, 1000)]
        [32, 16, 8, 4]
    """
    if lasted < _QUICK:
        return min(_LARGEST, size * (4 if lasted < _AT_ONCE else 2))
    return max(1, size // 2) if lasted > _SLOW else size


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
