"""The pure ring where times are equal, and where a document says what no edit of ours would have made."""

from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import (
    Create,
    Drop,
    HandOver,
    Intent,
    Rewrap,
    Ring,
    RingVersion,
    Tombstone,
    apply,
    change_due_at,
    drop,
    keys_needed,
    plan,
    public_for,
    rotation_due_at,
)
from tests.support.rings import POLICY, Keys, material, states, version


def handle_of(ring: Ring, kid: str) -> str:
    found = ring.find(kid)
    assert found is not None
    return found.material.handle


class TestTheSigner:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the other way round"])
    def test_of_two_that_were_activated_is_the_later_one(self, order: tuple[int, int]) -> None:
        two = (version("v1", activates_at=1.0), version("v2", activates_at=2.0))
        assert Ring(tuple(two[index] for index in order)).signer == two[1]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the other way round"])
    def test_of_two_that_were_activated_at_once_is_the_same_in_every_process(self, order: tuple[int, int]) -> None:
        two = (version("v1", activates_at=1.0), version("v2", activates_at=1.0))
        assert Ring(tuple(two[index] for index in order)).signer == two[1]

    def test_is_none_that_was_revoked_or_retired_whatever_else_its_times_say(self) -> None:
        assert Ring((version("v", activates_at=1.0, revoked_at=2.0),)).signer is None
        assert Ring((version("v", activates_at=1.0, retires_at=2.0),)).signer is None

    def test_is_none_of_the_successors(self) -> None:
        waiting, active = version("v1"), version("v2", activates_at=1.0)
        revoked, retired = version("v3", revoked_at=1.0), version("v4", retires_at=1.0)
        assert Ring((waiting, active, revoked, retired)).successors == (waiting,)


class TestARingWithoutASigner:
    ring = Ring((version("v1"), version("v2")))

    def test_is_due_at_once_though_a_successor_stands_ready(self) -> None:
        assert change_due_at(self.ring, POLICY) == -inf
        assert rotation_due_at(self.ring, POLICY) == inf

    def test_gets_the_one_that_was_published_first_and_keeps_the_other(self, keys: Keys) -> None:
        assert states(keys.walk(self.ring, 5.0), 5.0) == {"v1": "active", "v2": "pending"}

    def test_without_a_successor_is_due_by_no_time_alone(self) -> None:
        assert rotation_due_at(Ring((version("v", activates_at=0.0),)), POLICY) == inf


@pytest.fixture
def keys() -> Keys:
    return Keys()


def test_more_successors_than_one_are_left_alone_and_cost_no_new_key(keys: Keys) -> None:
    ring = Ring((version("v1", activates_at=0.0), version("v2"), version("v3")))
    assert plan(ring, 1.0, POLICY, Intent(relieve=frozenset({"v1"}))) == (HandOver(1.0, 501.0),)


def test_an_emergency_without_a_successor_makes_two_keys() -> None:
    edits = plan(Ring(), 1.0, POLICY, Intent())
    assert edits == (Create(1.0), HandOver(1.0, 501.0), Create(1.0))
    assert keys_needed(edits) == 2


def test_a_successor_is_public_for_as_long_as_asked_but_for_no_longer_than_a_period() -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert public_for(RotationPolicy(every=day, publish_ahead=hour)) == hour
    assert public_for(replace(POLICY, every=hour, publish_ahead=day)) == hour
    assert public_for(RotationPolicy(every=None, publish_ahead=hour)) == hour


def test_a_wish_wants_nothing_by_default() -> None:
    assert Intent() == Intent(relieve=frozenset(), revoke=None, because="", prune=False)


class TestSealingAnew:
    ring = Ring((version("v1"), version("v2")))

    def test_changes_the_one_handle_and_no_time(self) -> None:
        after = apply(self.ring, [Rewrap("v1", before="private v1", after="anew")], ())
        assert (handle_of(after, "v1"), handle_of(after, "v2")) == ("anew", "private v2")
        assert states(after, 1.0) == states(self.ring, 1.0)

    def test_does_not_bring_back_what_was_erased_or_sealed_by_another(self) -> None:
        assert apply(self.ring, [Rewrap("v1", before="something else", after="anew")], ()) == self.ring

    def test_shows_no_handle(self) -> None:
        assert "private" not in repr(Rewrap("v1", before="private before", after="private after"))


class TestDropping:
    def test_takes_the_one_version(self) -> None:
        ring = Ring((version("v1"), version("v2"), version("v3")))
        after = drop(ring, "v2")
        assert [v.kid for v in after.versions] == ["v1", "v3"]
        assert after.tombstones == (Tombstone("v2", revoked=False),)
        assert apply(ring, [Drop("v2")], ()) == after

    def test_what_is_not_there_leaves_no_stone(self) -> None:
        ring = Ring((version("v1"),), (Tombstone("v0", revoked=True),))
        assert drop(ring, "v9") == ring

    def test_a_stone_is_found_by_its_whole_kid(self) -> None:
        ring = Ring((), (Tombstone("v1", revoked=True), Tombstone("v11", revoked=False)))
        assert ring.tombstone("v11") == Tombstone("v11", revoked=False)
        assert ring.tombstone("v") is None
        assert not ring.knows("v")


def test_the_end_of_a_version_is_the_first_moment_in_which_it_is_past() -> None:
    life = version("v", activates_at=0, retires_at=1, verify_until=2)
    assert [life.is_past(now) for now in (1.999, 2, 3)] == [False, True, True]
    assert not version("v").is_past(1e12)


def test_the_private_half_stays_while_it_may_still_sign() -> None:
    waiting = RingVersion(material=material("v"), created_at=0)
    assert waiting.at_rest() is waiting
