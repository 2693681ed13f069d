"""What can be done with a ring while no key can be made."""

from collections.abc import Sequence

from mintkey.keys.ring import Create, Edit, HandOver, Revoke, Ring

__all__ = ["without_new_keys"]


def without_new_keys(ring: Ring, edits: Sequence[Edit], /) -> tuple[Edit, ...]:
    """Those of the planned edits that need no new key: a successor that stands ready may still take over.

    Args:
        ring: The ring before the edits.
        edits: What was planned.

    Example:
        >>> without_new_keys(Ring(), [Create(at=0.0), HandOver(at=0.0, verify_until=60.0)])
        ()
    """
    revoked = {edit.kid for edit in edits if isinstance(edit, Revoke)}
    has_successor = any(version.kid not in revoked for version in ring.successors)
    bare = (edit for edit in edits if not isinstance(edit, Create))
    return tuple(edit for edit in bare if has_successor or not isinstance(edit, HandOver))
