"""Which keys elsewhere are left over: made for a ring, and not in it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from mintkey.errors import ConfigurationError
from mintkey.keys.ports import KeyMaterial

__all__ = ["Leftovers"]

_TIME_TO_GET_INTO_THE_RING = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What to go by.

    Attributes:
        handles: What the custodian calls the keys that are in use.
        kids: Their key ids.
        made_before: Seconds since the epoch; younger keys may be on their way into the ring.
    """

    handles: frozenset[str]
    kids: frozenset[str]
    made_before: float

    @classmethod
    def beside(cls, in_use: Collection[KeyMaterial], /, *, older_than: timedelta, now: float) -> Self:
        """Those that are none of these keys, and old enough.

        Raises:
            ConfigurationError: A key may be on its way for longer than that (`configuration`).
        """
        if older_than < _TIME_TO_GET_INTO_THE_RING:
            raise ConfigurationError("sweep: older_than must be at least two hours, for keys that are just being made")
        return cls(
            frozenset(material.handle for material in in_use),
            frozenset(material.kid for material in in_use),
            now - older_than.total_seconds(),
        )

    def has(self, *, handle: str, kid: str) -> bool:
        """Whether a key of this name, which is old enough, is one of them."""
        return handle not in self.handles and kid not in self.kids
