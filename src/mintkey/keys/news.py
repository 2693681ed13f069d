"""What became of a ring's versions between two looks at it, and who is told."""

from collections.abc import Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from mintkey.events import Hook, KeyEvent, KeyRevoked, Rotated, emit
from mintkey.keys.ring import Ring

__all__ = ["KeyNews", "news_between"]


class KeyNews:
    """Tells hooks of rotations and revocations of keys.

    Args:
        ring: The ring's name.
    """

    def __init__(self, ring: str, /) -> None:
        self._ring = ring
        # Weakly: a provider outlives services that share it, and nobody should have to sign off.
        self._audience: WeakKeyDictionary[object, Sequence[Hook]] = WeakKeyDictionary()
        self._guard = Lock()  # a service may begin in one thread while another hears of news

    def announce_to(self, hooks: Sequence[Hook], /, *, of: object) -> None:
        """Tell these hooks from now on, for as long as their owner lives; a hook of several owners is told once."""
        with self._guard:
            self._audience[of] = hooks

    def compare(self, before: Ring | None, after: Ring, /, *, is_own: bool) -> None:
        """Tell what is new, if anybody listens.

        Args:
            before: The ring as this process knew it; None if it knew none, so that nothing is news.
            after: The ring as it is.
            is_own: Whether this process made the change.
        """
        if before is None or before is after or not self._audience:
            return
        hooks: list[Hook] = []
        with self._guard:
            audience = tuple(self._audience.values())
        for theirs in audience:
            hooks += [hook for hook in theirs if hook not in hooks]
        for event in news_between(before, after, ring=self._ring, is_own=is_own):
            emit(hooks, event)


def news_between(before: Ring, after: Ring, /, *, ring: str, is_own: bool) -> Sequence[KeyEvent]:
    """The events that lead from one state of a ring to another; a ring's first version is none."""
    events: list[KeyEvent] = [
        KeyRevoked(ring=ring, key_id=kid, is_own=is_own) for kid in sorted(_revoked(after) - _revoked(before))
    ]
    old, new = before.signer, after.signer
    if old is not None and new is not None and old.kid != new.kid:
        events.append(Rotated(ring=ring, key_id=new.kid, previous_key_id=old.kid, is_own=is_own))
    return events


def _revoked(ring: Ring) -> set[str]:
    alive = {version.kid for version in ring.versions if version.revoked_at is not None}
    return alive | {stone.kid for stone in ring.tombstones if stone.revoked}
