"""Two rings become one, pure: what a process does when the store forgot something that it still holds.

A store may lose a ring (a restart without persistence, a fail-over to a replica that lagged, a restored backup), and
another process may have begun a younger one there. Tokens signed by our versions are out, so those versions join
whatever the store holds now. Two instants of the same event become the earlier one, a fact beats an open question, and
a revocation wins over everything.
"""

from dataclasses import replace
from functools import reduce

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import TOMBSTONES, Ring, RingVersion, drop, end_of, retired

__all__ = ["merge"]


def merge(theirs: Ring, ours: Ring, now: float, policy: RotationPolicy, /) -> Ring:
    """The store's ring with everything that only we still know; equal to the store's if it forgot nothing.

    Args:
        theirs: The ring as the store holds it.
        ours: The ring as we last saw it.
        now: Seconds since the epoch.
        policy: How long a version verifies that has to retire because two of them signed.
    """
    joined = tuple(_joined(version, ours.find(version.kid)) for version in theirs.versions)
    forgotten = tuple(version for version in ours.versions if not theirs.knows(version.kid))
    # What is past its time is not worth bringing back, only its kid is.
    ours = reduce(drop, (version.kid for version in forgotten if version.is_past(now)), ours)
    forgotten = tuple(version for version in forgotten if not version.is_past(now))
    versions = tuple(sorted((*forgotten, *joined), key=lambda v: v.created_at)) if forgotten else joined
    merged = _with_tombstones(Ring(versions, theirs.tombstones), ours)
    return _with_one_signer(merged, theirs, now, policy)


def _joined(theirs: RingVersion, ours: RingVersion | None) -> RingVersion:
    if ours is None:
        return theirs
    return replace(
        theirs,
        activates_at=_earlier(theirs.activates_at, ours.activates_at),
        retires_at=_earlier(theirs.retires_at, ours.retires_at),
        verify_until=_earlier(theirs.verify_until, ours.verify_until),
        revoked_at=_earlier(theirs.revoked_at, ours.revoked_at),
        revoked_because=theirs.revoked_because or ours.revoked_because,
    ).at_rest()


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _with_tombstones(ring: Ring, ours: Ring) -> Ring:
    stones = ours.tombstones
    # What is buried stays buried, even if a restored backup holds it alive.
    ring = reduce(drop, (stone.kid for stone in stones if ring.find(stone.kid)), ring)
    revoked = {stone.kid for stone in stones if stone.revoked}
    revoked |= {version.kid for version in ours.versions if version.revoked_at is not None}
    kept = tuple(replace(stone, revoked=stone.revoked or stone.kid in revoked) for stone in ring.tombstones)
    if len(kept) < TOMBSTONES:  # a full graveyard has not lost the others: they made room
        known = {stone.kid for stone in kept}
        kept = (*(stone for stone in stones if stone.kid not in known), *kept)[-TOMBSTONES:]
    return replace(ring, tombstones=kept)


def _with_one_signer(merged: Ring, theirs: Ring, now: float, policy: RotationPolicy) -> Ring:
    signing = [v for v in merged.versions if v.activates_at is not None and v.still_to_retire]
    # The rest of the fleet signs with the store's version already, so that one goes on.
    stays = next((v for v in signing if theirs.signer is not None and v.kid == theirs.signer.kid), merged.signer)
    moment = merged.moment(now)
    until = end_of(moment, policy)
    return replace(
        merged,
        versions=tuple(retired(v, moment, until) if v in signing and v != stays else v for v in merged.versions),
    )
