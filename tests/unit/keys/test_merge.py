"""What a process does when the store forgot something that it still holds."""

from dataclasses import replace

import pytest

from mintkey.keys.merge import merge
from mintkey.keys.ring import TOMBSTONES, Intent, Ring, Tombstone
from tests.support.rings import POLICY, Keys, states, version


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def ring(keys: Keys) -> Ring:
    """v1 signs since 0, v2 stands ready."""
    return keys.walk(Ring(), 0.0)


def rotate(keys: Keys, ring: Ring, now: float) -> Ring:
    assert ring.signer is not None
    return keys.walk(ring, now, Intent(relieve=frozenset({ring.signer.kid})))


def test_what_a_store_changed_since_is_left_as_it_is(keys: Keys, ring: Ring) -> None:
    later = ring
    for step in range(1, 8):
        later = keys.walk(rotate(keys, later, 100.0 * step), 100.0 * step, Intent(prune=True, revoke=f"v{step}"))
        assert merge(later, ring, 100.0 * step, POLICY) == later


def test_a_lost_ring_comes_back_as_it_was(keys: Keys, ring: Ring) -> None:
    ours = rotate(keys, ring, 100.0)
    assert merge(Ring(), ours, 101.0, POLICY) == ours


def test_what_is_past_its_time_comes_back_as_a_tombstone(keys: Keys, ring: Ring) -> None:
    merged = merge(Ring(), rotate(keys, ring, 100.0), 600.0, POLICY)
    assert states(merged, 600.0) == {"v2": "active", "v3": "pending"}
    assert merged.tombstones == (Tombstone("v1", revoked=False),)


def test_what_is_past_its_time_and_not_yet_pruned_is_left_to_pruning(keys: Keys, ring: Ring) -> None:
    known = rotate(keys, ring, 100.0)
    later = rotate(keys, known, 700.0)
    assert merge(later, known, 700.0, POLICY) == later


def test_a_lost_rotation_is_done_again_with_the_same_times(keys: Keys, ring: Ring) -> None:
    """The store fell back to a replica that had not seen the last change."""
    ours = rotate(keys, ring, 100.0)
    assert merge(ring, ours, 101.0, POLICY) == ours


def test_a_younger_ring_goes_on_signing_and_gets_our_versions(keys: Keys, ring: Ring) -> None:
    keys.made = 7
    theirs = keys.walk(Ring(), 90.0)
    merged = merge(theirs, ring, 100.0, POLICY)
    assert states(merged, 100.0) == {"v1": "retiring", "v2": "pending", "v8": "active", "v9": "pending"}
    ours = merged.find("v1")
    assert ours is not None
    assert (ours.retires_at, ours.verify_until, ours.material.handle) == (100.0, 600.0, "")


def test_a_fallen_back_signer_that_went_on_is_kept(keys: Keys, ring: Ring) -> None:
    """Where the fleet signs already, it goes on, even if we saw a later hand-over."""
    keys.made = 5
    ours = replace(ring, versions=(*ring.versions, version("other", created_at=150.0, activates_at=150.0)))
    merged = merge(ring, ours, 200.0, POLICY)
    assert states(merged, 200.0) == {"v1": "active", "v2": "pending", "other": "retiring"}


def test_a_revocation_wins(keys: Keys, ring: Ring) -> None:
    ours = keys.walk(ring, 50.0, Intent(revoke="v1", because="leaked"))
    merged = merge(ring, ours, 60.0, POLICY)
    assert merged == ours
    merged = merge(ours, ring, 60.0, POLICY)
    assert merged == ours


def test_the_earlier_of_two_ends_counts(keys: Keys, ring: Ring) -> None:
    """Two processes rotated, and the store lost one of it: nothing verifies for longer than anyone said."""
    early, late = rotate(keys, ring, 100.0), rotate(keys, ring, 110.0)
    merged = merge(late, early, 120.0, POLICY)
    assert [(v.kid, v.retires_at, v.verify_until) for v in merged.versions if v.retires_at] == [("v1", 100.0, 600.0)]


def test_what_is_buried_stays_buried(keys: Keys, ring: Ring) -> None:
    """A restored backup holds versions whose time was over long ago."""
    ours = keys.walk(rotate(keys, ring, 100.0), 700.0, Intent(prune=True))
    merged = merge(ring, ours, 800.0, POLICY)
    assert merged.find("v1") is None
    assert merged.tombstones == (Tombstone("v1", revoked=False),)
    assert states(merged, 800.0) == {"v2": "active", "v3": "pending"}


def test_a_burial_as_revoked_is_not_forgotten(ring: Ring) -> None:
    """Whether the store has no tombstone, a milder one, or the version itself."""
    stone = Tombstone("old", revoked=True)
    ours = replace(ring, tombstones=(stone,))
    for theirs in (
        ring,
        replace(ring, tombstones=(Tombstone("old", revoked=False),)),
        replace(ring, versions=(version("old"), *ring.versions)),
    ):
        assert merge(theirs, ours, 10.0, POLICY).tombstones == (stone,)


def test_a_burial_by_whoever_did_not_know_of_a_revocation_is_one_as_revoked(keys: Keys, ring: Ring) -> None:
    ours = keys.walk(ring, 10.0, Intent(revoke="v1"))
    theirs = Ring(ours.versions[1:], (Tombstone("v1", revoked=False),))
    assert merge(theirs, ours, 20.0, POLICY).tombstones == (Tombstone("v1", revoked=True),)


def test_a_full_graveyard_lost_nothing(ring: Ring) -> None:
    """Tombstones make room for one another: older ones that only we remember are not written back for ever."""
    theirs = replace(ring, tombstones=tuple(Tombstone(f"t{n}", revoked=False) for n in range(TOMBSTONES)))
    ours = replace(ring, tombstones=(Tombstone("older", revoked=False),))
    assert merge(theirs, ours, 10.0, POLICY) == theirs
