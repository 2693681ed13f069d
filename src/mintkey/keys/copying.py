"""Moving a ring from one store to another while the processes on both go on signing and verifying."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from mintkey.errors import ConfigurationError
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.merge import merge
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion, end_of
from mintkey.keys.snapshot import Snapshot
from mintkey.keys.workings import RingWorkings

__all__ = ["Copied", "copy_ring"]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy left in the target.

    Attributes:
        versions: How many versions the target has now.
        added: How many of them it did not have before.
        revision: The revision of the target's ring.
    """

    versions: int
    added: int
    revision: int


async def copy_ring(
    source: RotatingKeyProvider,
    target: RotatingKeyProvider,
    /,
    *,
    max_mints: int | None,
    progress: Callable[[int, int], object] | None = None,
) -> Copied:
    """Make the target know every version that the source knows, so that each accepts what the other one signs.

    What the target has already is joined with it, so this may be run again at any time, also after it was interrupted,
    to bring over what happened since; and in the other direction. Private halves that stand sealed in the source are
    sealed anew for the target; names of keys that a custodian keeps elsewhere are copied as they are.

    To move a fleet: copy; move the processes to the target one by one; copy again; stop the last one on the source.

    * The version that signs and the one that signs next are known on both sides from the first copy on, so one
      rotation on either side does no harm. Before there is a second one on a side, copy from it to the other side.
    * A revocation counts as a rotation, because it makes a new version too; the other side learns of it by a copy.
    * A side that rotated accepts the version before for `previous_ttl` from then on. So the other side should stop
      signing with it, by a copy or by the end of the move, while more of that is left than the lifetime of a token.
    * A ring that the target began on its own goes on signing there. Copy back at once, before any process moves, and
      it signs on both.

    The cap holds for both stores together: of the mints that are left of a version, the source keeps one half and the
    target gets the other one. What was divided once is not divided again.

    Args:
        source: Where the ring is.
        target: Where it is wanted, with the same `policy`; it need not have been used before.
        max_mints: The cap in the policies of both fleets; None: neither has one, and counts are copied for operators.
        progress: Told after each version how many are ready to be written to the target, and how many there are. What
            it raises ends the copy, which may be run again.

    Raises:
        ConfigurationError: The source has no ring, `max_mints` is below 1, the target is for keys of the other kind
            (secrets and public keys), or keeps its private keys in another way (`configuration`).
        KeyProviderError: A store cannot answer, a document or a key does not open (`keys_unavailable`), or the target
            changes faster than it can be copied to (`rotation_conflict`). It is safe to run it again.

    Example:
        >>> import asyncio
        >>> from mintkey.keys import MemoryKeyProvider
        >>> async def move() -> Copied:
        ...     old, new = MemoryKeyProvider(), MemoryKeyProvider()
        ...     await old.acquire()
        ...     return await copy_ring(old, new, max_mints=None)
        >>> asyncio.run(move())
        Copied(versions=2, added=2, revision=2)
    """
    if max_mints is not None and max_mints < 1:
        raise ConfigurationError("copy_ring: max_mints must be at least 1, or None")
    # A caller who is cancelled does not leave it half done, and if the process dies, the next run goes on.
    return await target.workings.tasks.run(_copy(source.workings, target.workings, max_mints, progress))


async def _copy(
    source: RingWorkings, target: RingWorkings, cap: int | None, progress: Callable[[int, int], object] | None
) -> Copied:
    found = await source.keeper.refresh()
    if not found.ring.versions:
        raise ConfigurationError(f"copy_ring: the source has no ring {source.access.ring!r}")
    target.keychain.check_kind(found.ring)
    before = await target.keeper.refresh()
    moved = await _moved(found.ring, before.ring, source, target)
    if before.stored is None:
        # A store counts for rings that it has, and the counts have to stand before anybody can sign there.
        before = (await target.keeper.edit(_unchanged)).snapshot
    for ready, version in enumerate(moved.versions, start=1):
        if not before.ring.knows(version.kid) and not before.mints.get(version.kid):
            await _divide(version, found, source, target, cap)
        if progress is not None:
            progress(ready, len(moved.versions))
    after = (await target.keeper.edit(partial(_joined, moved=moved, target=target))).snapshot
    added = sum(before.ring.find(version.kid) is None for version in after.ring.versions)
    return Copied(len(after.ring.versions), added, 0 if after.stored is None else after.stored.revision)


async def _moved(ring: Ring, known: Ring, source: RingWorkings, target: RingWorkings) -> Ring:
    """The ring with its private halves as the target keeps them."""
    return replace(ring, versions=tuple([await _moved_version(v, known, source, target) for v in ring.versions]))


async def _moved_version(version: RingVersion, known: Ring, source: RingWorkings, target: RingWorkings) -> RingVersion:
    material = version.material
    if not material.handle or known.knows(version.kid):
        return version  # nothing to move, or moved before: merging keeps what the target has
    return replace(version, material=await _moved_material(material, source, target))


async def _moved_material(material: KeyMaterial, source: RingWorkings, target: RingWorkings) -> KeyMaterial:
    here, there = source.keychain.custodian, target.keychain.custodian
    if isinstance(here, SealedCustodian) and isinstance(there, SealedCustodian):
        return await here.move_to(there, material)
    if type(here) is not type(there):
        raise ConfigurationError(
            "copy_ring: source and target keep private keys in different ways, and a key does not leave its custodian"
        )
    return material


async def _divide(
    version: RingVersion, found: Snapshot, source: RingWorkings, target: RingWorkings, cap: int | None
) -> None:
    """Set the target's count of a version that it does not know yet.

    First the source gives up a half, then the target counts everything but that half: whatever happens in between, and
    whoever mints meanwhile, both together stay below the cap. An interrupted division wastes what was given up.
    """
    counted = found.mints.get(version.kid, 0)
    if cap is None or not version.still_to_retire:
        if counted:
            await target.access.reserve(version.kid, want=counted, limit=counted)
        return
    half = max(0, cap - counted) // 2
    given_up = await source.access.reserve(version.kid, want=half, limit=cap) if half else 0
    await target.access.reserve(version.kid, want=cap, limit=cap - given_up)


def _joined(ring: Ring, *, moved: Ring, target: RingWorkings) -> Ring:
    now = target.clock.time()
    return merge(ring, _still_signing_until(now, moved, ring, end_of(now, target.policy)), now, target.policy)


def _still_signing_until(now: float, moved: Ring, ring: Ring, verify_until: float) -> Ring:
    """The source's ring; what it retired and the target still signs with retires now, and verifies for long enough."""

    def change(version: RingVersion) -> RingVersion:
        known = ring.find(version.kid)
        if known is None or not known.still_to_retire or version.still_to_retire or version.revoked_at is not None:
            return version
        return replace(version, retires_at=now, verify_until=verify_until)

    return replace(moved, versions=tuple(change(version) for version in moved.versions))


def _unchanged(ring: Ring) -> Ring:
    return ring
