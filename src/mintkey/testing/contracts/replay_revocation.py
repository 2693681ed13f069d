"""Revocation, by mark and by subject: the second part of the replay store contract."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ClaimStatus, Look
from mintkey.replay.marks import SKEW
from mintkey.testing.contracts.replay_harness import (
    LEASE,
    LIFETIME,
    TOLERANCE,
    ClosableStore,
    ReplayStoreHarness,
    claim,
    commit,
    cut_offs_of,
    joint_looks_of,
    new_key,
    new_subject,
    status,
    together,
)

__all__ = ["CutOffContract", "RevocationContract"]


class RevocationContract:
    """A revoked key is refused, whatever it was before."""

    async def test_a_revoked_key_is_never_accepted(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """Neither spent nor reserved."""
        key = new_key()
        await store.revoke(key, expires_at=harness.clock.now() + LIFETIME)
        assert await status(harness, store, key) is ClaimStatus.REVOKED
        assert await claim(harness, store, key) is ClaimOutcome.REVOKED
        assert await claim(harness, store, key, lease=LEASE) is ClaimOutcome.REVOKED

    async def test_revoking_wins_over_spent_and_reserved(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Whatever the key was before, also for its owner."""
        for lease in (None, LEASE):
            key, owner = new_key(), new_id()
            await claim(harness, store, key, owner=owner, lease=lease)
            await store.revoke(key, expires_at=harness.clock.now() + LIFETIME)
            assert await claim(harness, store, key, owner=owner) is ClaimOutcome.REVOKED
            assert await commit(harness, store, key, owner) is False
            assert await store.release(key, owner=owner) is False
            assert await status(harness, store, key) is ClaimStatus.REVOKED

    async def test_revoking_twice_or_late_is_fine(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """Revoking is no question."""
        key = new_key()
        await store.revoke(key, expires_at=harness.clock.now() + LIFETIME)
        await store.revoke(key, expires_at=harness.clock.now() + LIFETIME)
        await store.revoke(new_key(), expires_at=harness.clock.now() - timedelta(days=1))
        assert await status(harness, store, key) is ClaimStatus.REVOKED

    async def test_revoking_never_shortens_a_mark(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """A spent token is not forgotten earlier because somebody revoked it."""
        key = new_key()
        await claim(harness, store, key)
        await store.revoke(key, expires_at=harness.clock.now() + timedelta(seconds=1))
        if harness.time_is_real:
            left = await harness.life_left(key)
            assert left is not None
            assert left > LIFETIME - TOLERANCE
        else:
            harness.clock.advance(LIFETIME)
            assert await status(harness, store, key) is ClaimStatus.REVOKED

    async def test_revoking_outlives_the_lease_of_a_reservation(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """The mark lives as long as the token, not as long as the lease."""
        key = new_key()
        await claim(harness, store, key, lease=LEASE)
        await store.revoke(key, expires_at=harness.clock.now() + LIFETIME)
        if harness.time_is_real:
            left = await harness.life_left(key)
            assert left is not None
            assert left > LIFETIME - TOLERANCE
        else:
            harness.clock.advance(LIFETIME)
            assert await status(harness, store, key) is ClaimStatus.REVOKED


class CutOffContract:
    """Everything of a subject up to an instant is refused; for stores that are `RevocationStore`s too."""

    async def test_a_later_cut_off_wins_never_an_earlier(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A cut-off only moves forward."""
        cut_offs, key, now = cut_offs_of(store), new_subject(), harness.clock.now()
        assert await cut_offs.cut_off_before(key) is None
        await cut_offs.cut_off(key, before=now, expires_at=now + LIFETIME)
        assert await cut_offs.cut_off_before(key) == now
        await cut_offs.cut_off(key, before=now - timedelta(seconds=1), expires_at=now + LIFETIME)
        assert await cut_offs.cut_off_before(key) == now
        await cut_offs.cut_off(key, before=now + timedelta(seconds=1), expires_at=now + LIFETIME)
        assert await cut_offs.cut_off_before(key) == now + timedelta(seconds=1)
        assert await cut_offs.cut_off_before(new_subject()) is None

    async def test_cut_offs_are_exact_to_the_microsecond(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """As exact as the datetimes that they are made of."""
        cut_offs, key = cut_offs_of(store), new_subject()
        before = datetime(2026, 7, 1, 12, 30, 59, 999_999, tzinfo=UTC)
        expires_at = harness.clock.now() + LIFETIME
        await cut_offs.cut_off(key, before=before - timedelta(microseconds=1), expires_at=expires_at)
        await cut_offs.cut_off(key, before=before, expires_at=expires_at)
        await cut_offs.cut_off(key, before=before - timedelta(microseconds=2), expires_at=expires_at)
        assert await cut_offs.cut_off_before(key) == before

    async def test_of_concurrent_cut_offs_the_latest_wins(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """However they interleave."""
        first, second, key = cut_offs_of(store), cut_offs_of(await harness.store()), new_subject()
        now = harness.clock.now()

        def cut(index: int) -> Callable[[], Awaitable[None]]:
            target = first if index % 2 else second
            before = now + timedelta(microseconds=(index * 37) % 50)
            return lambda: target.cut_off(key, before=before, expires_at=now + LIFETIME)

        await together([cut(index) for index in range(50)])
        assert await first.cut_off_before(key) == now + timedelta(microseconds=49)

    async def test_a_cut_off_is_remembered_as_long_as_any_of_its_tokens_lives(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A later one that is needed for a shorter time does not shorten it."""
        cut_offs, key, now = cut_offs_of(store), new_subject(), harness.clock.now()
        await cut_offs.cut_off(key, before=now, expires_at=now + LIFETIME)
        later = now + timedelta(seconds=1)
        await cut_offs.cut_off(key, before=later, expires_at=now - timedelta(days=1))
        assert await cut_offs.cut_off_before(key) == later
        if harness.time_is_real:
            return  # nobody can wait for the rest
        harness.clock.advance(LIFETIME)
        assert await cut_offs.cut_off_before(key) == later
        harness.clock.advance(SKEW + TOLERANCE)
        assert await cut_offs.cut_off_before(key) is None

    async def test_a_joint_look_says_what_two_looks_say(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Of every token and every subject; for stores that are `JointLookStore`s."""
        looks, now = joint_looks_of(store), harness.clock.now()
        unused, spent, reserved, revoked = keys = [new_key() for _ in range(4)]
        await claim(harness, store, spent)
        await claim(harness, store, reserved, lease=LEASE)
        await store.revoke(revoked, expires_at=now + LIFETIME)
        free, cut = new_subject(), new_subject()
        await looks.cut_off(cut, before=now, expires_at=now + LIFETIME)
        statuses = ClaimStatus.UNUSED, ClaimStatus.SPENT, ClaimStatus.RESERVED, ClaimStatus.REVOKED
        for key, word in zip(keys, statuses, strict=True):
            assert await looks.look(key, free, issued_at=now) == Look(word, None)
            assert await looks.look(key, cut, issued_at=now) == Look(word, now)
        old = now - timedelta(days=1)
        assert await looks.look(unused, cut, issued_at=old) == Look(ClaimStatus.UNPROVABLE, now)
        # The names of tokens and of subjects are apart, and looking changed nothing.
        assert await looks.look(cut, spent, issued_at=now) == Look(ClaimStatus.UNUSED, None)
        assert await claim(harness, store, unused) is ClaimOutcome.ACCEPTED

    async def test_joint_looks_at_the_same_time_get_each_their_own_answer(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """However they share their way."""
        looks, now = joint_looks_of(store), harness.clock.now()
        keys, subjects = [new_key() for _ in range(40)], [new_subject() for _ in range(40)]
        for index in range(0, 40, 2):
            await store.revoke(keys[index], expires_at=now + LIFETIME)
            await looks.cut_off(subjects[index + 1], before=now, expires_at=now + LIFETIME)

        def look(index: int) -> Callable[[], Awaitable[Look]]:
            return lambda: looks.look(keys[index], subjects[index], issued_at=now)

        answers = await together([look(index) for index in range(40)])
        assert answers == [Look(ClaimStatus.REVOKED, None), Look(ClaimStatus.UNUSED, now)] * 20
