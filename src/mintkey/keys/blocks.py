"""Blocks of mints: how many to set aside at once, and what is left of them."""

from dataclasses import dataclass

from mintkey.keys.base import SigningGrant, SigningKey

__all__ = ["MintBlock", "next_size", "reservation"]

_LARGEST = 1024
_QUICK, _SLOW = 1.0, 10.0  # seconds that a block lasted
_SHARE = 64
"""No process sets aside more than this part of what is left below the cap: it may crash and waste it."""


@dataclass(slots=True)
class MintBlock:
    """Mints of one version that the store granted to this process and that nobody used yet.

    Attributes:
        key: The version.
        left: How many there are.
        began_at: Since when, in monotonic seconds.
    """

    key: SigningKey
    left: int
    began_at: float

    def take(self, want: int, /) -> SigningGrant | None:
        """Up to so many of them; None if there are none."""
        count = min(want, self.left)
        if not count:
            return None
        self.left -= count
        return SigningGrant(self.key, count)


def next_size(size: int, /, *, lasted: float) -> int:
    """The size of the next block: doubled if the last one was used up quickly, halved if slowly.

    Args:
        size: The last one's.
        lasted: How long it lasted, in seconds.

    Example:
        >>> next_size(8, lasted=0.2), next_size(8, lasted=5), next_size(8, lasted=60)
        (16, 8, 4)
    """
    if lasted < _QUICK:
        return min(_LARGEST, size * 2)
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
