"""When a version is published, signs, verifies and goes: the pure ring."""

from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import (
    END_OF_TIME,
    TOMBSTONES,
    Intent,
    Ring,
    RingVersion,
    Tombstone,
    apply,
    change_due_at,
    plan,
    rotation_due_at,
)
from tests.support.rings import POLICY, Keys, material, states, version

BY_HAND = RotationPolicy(every=None, previous_ttl=timedelta(seconds=500), publish_ahead=timedelta(0))


def relieve(kid: str) -> Intent:
    return Intent(relieve=frozenset({kid}))


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def ring(keys: Keys) -> Ring:
    """v1 signs since 0, v2 stands ready."""
    return keys.walk(Ring(), 0.0)


class TestStates:
    def test_follow_from_the_times(self) -> None:
        life = version("v", created_at=10, activates_at=20, retires_at=30, verify_until=40)
        ring = Ring((life,))
        seen = [str(ring.state(life, now)) for now in (10, 19.9, 20, 29.9, 30, 39.9, 40)]
        assert seen == ["pending", "pending", "active", "active", "retiring", "retiring", "retired"]

    def test_a_revoked_version_is_revoked_whatever_its_times_say(self) -> None:
        for times in ({}, {"activates_at": 1.0}, {"activates_at": 1.0, "retires_at": 2.0, "verify_until": 3.0}):
            revoked = version("v", revoked_at=2.0, **times)
            assert [str(Ring((revoked,)).state(revoked, now)) for now in (0, 2, 9)] == ["revoked"] * 3

    def test_a_version_verifies_from_its_creation_until_its_end(self) -> None:
        assert version("v").verifies_at(1e9)
        assert version("v", retires_at=5, verify_until=10).verifies_at(9.999)
        assert not version("v", retires_at=5, verify_until=10).verifies_at(10)
        assert not version("v", revoked_at=5).verifies_at(1)

    def test_the_ring_is_never_before_its_last_hand_over(self, keys: Keys) -> None:
        """The machine that rotated may have a clock ahead of ours: even so exactly one version is active."""
        rotated = keys.walk(keys.walk(Ring(), 100.0), 105.0, relieve("v1"))
        assert states(rotated, 101.0) == {"v1": "retiring", "v2": "active", "v3": "pending"}

    def test_a_ring_without_versions_has_no_signer(self) -> None:
        assert Ring().signer is None
        assert Ring().moment(7.0) == 7.0


class TestFirstRing:
    def test_has_a_version_that_signs_at_once_and_one_that_waits(self, ring: Ring) -> None:
        assert states(ring, 0.0) == {"v1": "active", "v2": "pending"}

    def test_is_all_well_afterwards(self, ring: Ring) -> None:
        assert plan(ring, 0.0, POLICY, Intent()) == ()
        assert plan(ring, 999.9, POLICY, Intent(prune=True)) == ()


class TestRotationByTime:
    def test_is_due_when_the_active_version_signed_for_long_enough(self, ring: Ring) -> None:
        assert rotation_due_at(ring, POLICY) == change_due_at(ring, POLICY) == 1000.0

    def test_sets_both_ends_of_the_hand_over_in_one_edit(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 1000.0)
        old, new, next_one = rotated.versions
        assert (old.retires_at, new.activates_at, next_one.created_at) == (1000.0, 1000.0, 1000.0)
        assert old.verify_until == 1500.0
        assert states(rotated, 1000.0) == {"v1": "retiring", "v2": "active", "v3": "pending"}

    def test_that_was_missed_happens_once_and_counts_from_now(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 1_000_000.0)
        assert len(rotated.versions) == 3
        assert rotation_due_at(rotated, POLICY) == 1_001_000.0

    def test_waits_until_the_successor_was_public_for_long_enough(self, keys: Keys, ring: Ring) -> None:
        late = keys.walk(ring, 990.0, Intent(revoke="v2"))
        assert rotation_due_at(late, POLICY) == 1090.0
        assert keys.walk(late, 1089.9) == late
        assert states(keys.walk(late, 1090.0), 1090.0)["v3"] == "active"

    def test_never_waits_for_longer_than_a_period(self, ring: Ring) -> None:
        hasty = replace(POLICY, publish_ahead=timedelta(days=1))
        assert rotation_due_at(ring, hasty) == 1000.0

    def test_never_happens_without_a_period(self, keys: Keys, ring: Ring) -> None:
        assert rotation_due_at(ring, BY_HAND) == inf
        assert keys.walk(ring, 1e9, policy=BY_HAND) == ring


class TestRelief:
    """By count and by hand: the named version hands over at once."""

    def test_does_not_wait_for_publication(self, keys: Keys, ring: Ring) -> None:
        assert states(keys.walk(ring, 1.0, relieve("v1")), 1.0) == {"v1": "retiring", "v2": "active", "v3": "pending"}

    def test_asked_for_twice_happens_once(self, keys: Keys, ring: Ring) -> None:
        once = keys.walk(ring, 1.0, relieve("v1"))
        assert keys.walk(once, 2.0, relieve("v1")) == once

    def test_of_a_version_that_does_not_sign_is_nothing(self, keys: Keys, ring: Ring) -> None:
        assert keys.walk(ring, 1.0, relieve("v2")) == ring
        assert keys.walk(ring, 1.0, relieve("unknown")) == ring

    def test_without_a_successor_makes_one_that_signs_at_once(self, keys: Keys) -> None:
        keys.made = 1
        alone = Ring((version("v1", activates_at=0.0),))
        assert change_due_at(alone, POLICY) == -inf
        assert states(keys.walk(alone, 5.0), 5.0) == {"v1": "active", "v2": "pending"}
        keys.made = 1
        assert states(keys.walk(alone, 5.0, relieve("v1")), 5.0) == {"v1": "retiring", "v2": "active", "v3": "pending"}


class TestRevocation:
    def test_of_the_active_version_activates_its_successor(self, keys: Keys, ring: Ring) -> None:
        revoked = keys.walk(ring, 10.0, Intent(revoke="v1", because="leaked"))
        assert states(revoked, 10.0) == {"v1": "revoked", "v2": "active", "v3": "pending"}
        gone = revoked.find("v1")
        assert gone is not None
        assert (gone.revoked_at, gone.retires_at, gone.verify_until, gone.revoked_because) == (10, 10, 510, "leaked")

    def test_of_the_successor_creates_another(self, keys: Keys, ring: Ring) -> None:
        revoked = keys.walk(ring, 10.0, Intent(revoke="v2"))
        assert states(revoked, 10.0) == {"v1": "active", "v2": "revoked", "v3": "pending"}

    def test_of_a_successor_that_was_about_to_take_over_delays_that(self, keys: Keys, ring: Ring) -> None:
        """By time nobody signs who was not published for long enough."""
        revoked = keys.walk(ring, 1000.0, Intent(revoke="v2"))
        assert states(revoked, 1000.0) == {"v1": "active", "v2": "revoked", "v3": "pending"}
        assert rotation_due_at(revoked, POLICY) == 1100.0

    def test_of_a_retiring_version_keeps_its_times(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 10.0, relieve("v1"))
        before, after = rotated.find("v1"), keys.walk(rotated, 20.0, Intent(revoke="v1")).find("v1")
        assert before is not None
        assert after == replace(before, revoked_at=20.0)

    def test_twice_changes_nothing(self, keys: Keys, ring: Ring) -> None:
        once = keys.walk(ring, 10.0, Intent(revoke="v1", because="first"))
        assert keys.walk(once, 11.0, Intent(revoke="v1", because="second")) == once

    def test_of_an_unknown_version_changes_nothing(self, keys: Keys, ring: Ring) -> None:
        assert keys.walk(ring, 10.0, Intent(revoke="unknown")) == ring


class TestPrivateHalves:
    def handle(self, ring: Ring, kid: str) -> str:
        found = ring.find(kid)
        assert found is not None
        return found.material.handle

    def test_go_with_the_last_signature(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 10.0, relieve("v1"))
        assert [self.handle(rotated, kid) for kid in ("v1", "v2", "v3")] == ["", "private v2", "private v3"]

    @pytest.mark.parametrize("kid", ["v1", "v2"])
    def test_go_with_a_revocation(self, keys: Keys, ring: Ring, kid: str) -> None:
        assert self.handle(keys.walk(ring, 10.0, Intent(revoke=kid)), kid) == ""

    def test_stay_where_something_else_needs_the_handle(self) -> None:
        """A secret verifies with it, and a key elsewhere is destroyed by it."""
        held = RingVersion(material=material("v", erase=False), created_at=0, retires_at=1, verify_until=2)
        assert held.at_rest() is held


class TestPruning:
    def test_drops_what_is_past_its_time_and_remembers_the_kid(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 10.0, relieve("v1"))
        revoked = keys.walk(rotated, 20.0, Intent(revoke="v2"))
        prune = Intent(prune=True)
        assert keys.walk(revoked, 509.9, prune) == revoked
        pruned = keys.walk(revoked, 520.0, prune)
        assert states(pruned, 520.0) == {"v3": "active", "v4": "pending"}
        assert pruned.tombstones == (Tombstone("v1", revoked=False), Tombstone("v2", revoked=True))
        assert pruned.knows("v1")
        assert not pruned.knows("v9")

    def test_is_not_done_unasked(self, keys: Keys, ring: Ring) -> None:
        rotated = keys.walk(ring, 10.0, relieve("v1"))
        assert states(keys.walk(rotated, 600.0), 600.0)["v1"] == "retired"

    def test_remembers_a_bounded_number_of_kids(self, keys: Keys, ring: Ring) -> None:
        for number in range(TOMBSTONES + 10):
            now = 1000.0 * number
            ring = keys.walk(ring, now, Intent(relieve=frozenset({f"v{number + 1}"}), prune=True))
        assert len(ring.tombstones) == TOMBSTONES
        assert ring.tombstones[-1].kid == f"v{TOMBSTONES + 9}"


def test_nothing_lasts_longer_than_a_datetime_can_tell(keys: Keys, ring: Ring) -> None:
    forever = replace(POLICY, previous_ttl=timedelta.max)
    old = keys.walk(ring, 10.0, relieve("v1"), forever).find("v1")
    assert old is not None
    assert old.verify_until == END_OF_TIME


def test_applying_nothing_changes_nothing(ring: Ring) -> None:
    assert apply(ring, (), ()) is ring
