"""Sealing a whole ring anew, so that an old key-encryption key can go."""

from collections.abc import Sequence
from functools import partial

from mintkey.errors import KeyProviderError, Reason, UnsupportedOperationError
from mintkey.keys.ring import Rewrap, Ring, apply
from mintkey.keys.workings import RingWorkings

__all__ = ["rewrap"]

_TRIES = 16
"""Each one more means that somebody else sealed a key under an older key-encryption key meanwhile."""


async def rewrap(workings: RingWorkings, /) -> int:
    """Seal every private key and the document under the first key-encryption key; how many keys that concerned.

    Args:
        workings: The provider's.

    Raises:
        UnsupportedOperationError: The custodian keeps the keys elsewhere, and nothing seals the ring (`unsupported`).
        KeyProviderError: The store cannot answer, or a key does not open (`keys_unavailable`), or others seal with an
            older key as fast as this process seals anew (`rotation_conflict`).
    """
    done: set[str] = set()
    snapshot = await workings.keeper.refresh()
    for _ in range(_TRIES):
        edits = await _edits(workings, snapshot.ring)
        if snapshot.stored is None:
            break  # there is no ring, and sealing begins none
        snapshot = (await workings.keeper.edit(partial(_applied, edits=edits))).snapshot
        handles = {version.material.handle for version in snapshot.ring.versions}
        done |= {edit.kid for edit in edits if edit.after in handles}
        if not edits:  # what others added meanwhile, sealed under the older key, was looked at too
            break
    else:
        raise KeyProviderError(
            "other processes seal with another key as fast as this one seals anew: put the new one in front everywhere",
            reason=Reason.ROTATION_CONFLICT,
            details={"ring": workings.access.ring},
        )
    return len(done)


async def _edits(workings: RingWorkings, ring: Ring) -> Sequence[Rewrap]:
    try:
        return await workings.keychain.rewrap(ring)
    except UnsupportedOperationError:
        if not workings.access.is_sealed:
            raise
        return ()  # no key is ours to seal anew, but the ring around them is


def _applied(ring: Ring, edits: Sequence[Rewrap]) -> Ring:
    return apply(ring, edits, ())
