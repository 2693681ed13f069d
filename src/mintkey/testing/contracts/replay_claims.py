"""Claims and reservations: the first part of the replay store contract."""

from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel

from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.marks import SKEW
from mintkey.testing.contracts.replay_harness import (
    LEASE,
    LIFETIME,
    TINY_LEASE,
    TOLERANCE,
    ClosableStore,
    ReplayStoreHarness,
    claim,
    claim_later,
    commit,
    lapse,
    new_key,
    status,
    together,
)

__all__ = ["ClaimContract", "ReservationContract"]


class ClaimContract:
    """One winner, for as long as the token could be accepted anywhere."""

    async def test_the_first_claim_is_accepted_and_the_second_is_not(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Single use, in one line."""
        key = new_key()
        assert await claim(harness, store, key) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        assert await status(harness, store, key) is ClaimStatus.SPENT

    async def test_the_same_owner_may_ask_again(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """A retry of a call whose answer was lost is the first use, not a replay."""
        key, owner = new_key(), new_id()
        assert await claim(harness, store, key, owner=owner) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key, owner=owner) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        assert await claim(harness, store, key, owner=owner) is ClaimOutcome.ACCEPTED

    async def test_keys_do_not_disturb_one_another(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """One owner may spend any number of tokens."""
        owner = new_id()
        for _ in range(20):
            assert await claim(harness, store, new_key(), owner=owner) is ClaimOutcome.ACCEPTED

    async def test_the_expiry_named_by_a_claim_does_not_part_a_token_from_its_mark(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Two processes with another leeway mean the same token."""
        key = new_key()
        assert await claim(harness, store, key, lifetime=LIFETIME) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key, lifetime=LIFETIME + timedelta(minutes=3)) is ClaimOutcome.SPENT
        assert await claim(harness, store, key, lifetime=timedelta(seconds=1)) is ClaimOutcome.SPENT

    async def test_many_concurrent_claims_have_one_winner(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Over several stores on the one memory, as in several processes."""
        stores = [store, await harness.store(), await harness.store()]
        for _ in range(3):
            key = new_key()
            outcomes = await together([claim_later(harness, stores[i % 3], key) for i in range(60)])
            assert outcomes.count(ClaimOutcome.ACCEPTED) == 1
            assert outcomes.count(ClaimOutcome.SPENT) == 59

    async def test_many_concurrent_claims_of_many_keys_have_one_winner_each(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """However the calls are bundled on their way."""
        keys = [new_key() for _ in range(25)]
        outcomes = await together([claim_later(harness, store, key) for key in keys * 4])
        assert outcomes.count(ClaimOutcome.ACCEPTED) == 25
        for index in range(25):
            assert [outcomes[index + 25 * turn] for turn in range(4)].count(ClaimOutcome.ACCEPTED) == 1

    async def test_a_mark_outlives_the_leeway_of_its_token(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A token accepted within leeway must still be remembered, by a process whose clock is late, too."""
        key = new_key()
        await claim(harness, store, key)
        if harness.time_is_real:
            left = await harness.life_left(key)
            assert left is not None
            assert LIFETIME - TOLERANCE + SKEW < left <= LIFETIME + SKEW + TOLERANCE
        else:
            harness.clock.advance(LIFETIME)
            assert await claim(harness, store, key) is ClaimOutcome.SPENT
            harness.clock.advance(SKEW - timedelta(milliseconds=1))
            assert await claim(harness, store, key) is ClaimOutcome.SPENT

    async def test_a_mark_is_forgotten_when_nobody_can_accept_its_token(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """No cleaning up by hand; an instant beyond all reason is cut."""
        if harness.time_is_real:
            key = new_key()
            await store.revoke(key, expires_at=datetime.max.replace(tzinfo=UTC))
            left = await harness.life_left(key)
            assert left is not None
            assert left < timedelta(days=365 * 20)
        else:
            key = new_key()
            await claim(harness, store, key)
            harness.clock.advance(LIFETIME + SKEW + TOLERANCE)
            assert await status(harness, store, key) is ClaimStatus.UNUSED

    async def test_a_claim_of_an_expired_token_leaves_a_mark_all_the_same(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """It was accepted by somebody whose clock is late, and must not be accepted twice there."""
        key = new_key()
        expired = timedelta(seconds=-1)
        assert await claim(harness, store, key, lifetime=expired) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key, lifetime=expired) is ClaimOutcome.SPENT


class ReservationContract:
    """Reserve, then commit or give back."""

    async def test_a_reservation_keeps_others_out_for_its_lease(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Others are told to come back, its owner may ask again."""
        key, owner = new_key(), new_id()
        assert await claim(harness, store, key, owner=owner, lease=LEASE) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key) is ClaimOutcome.RESERVED
        assert await claim(harness, store, key, lease=LEASE) is ClaimOutcome.RESERVED
        assert await claim(harness, store, key, owner=owner, lease=LEASE) is ClaimOutcome.ACCEPTED
        assert await status(harness, store, key) is ClaimStatus.RESERVED

    async def test_a_lease_runs_out_by_itself(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """A crashed process takes nothing with it."""
        key = new_key()
        await lapse(harness, store, key, owner=new_id())
        assert await status(harness, store, key) is ClaimStatus.UNUSED
        assert await claim(harness, store, key) is ClaimOutcome.ACCEPTED

    async def test_commit_spends_what_was_reserved(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """For as long as if it had been spent at once."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await commit(harness, store, key, owner) is True
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        await self.assert_full_life(harness, store, key)

    async def test_commit_may_be_repeated(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """A commit whose answer was lost is made again."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await commit(harness, store, key, owner) is True
        assert await commit(harness, store, key, owner) is True
        assert await claim(harness, store, key, owner=owner) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key) is ClaimOutcome.SPENT

    async def test_commit_by_somebody_else_changes_nothing(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Only the owner commits."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await commit(harness, store, key, new_id()) is False
        assert await status(harness, store, key) is ClaimStatus.RESERVED
        assert await commit(harness, store, key, owner) is True
        assert await commit(harness, store, key, new_id()) is False

    async def test_commit_after_the_lease_ran_out_is_still_the_owners(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """The work was done and nobody else began it: the token is spent."""
        key, owner = new_key(), new_id()
        await lapse(harness, store, key, owner=owner)
        assert await commit(harness, store, key, owner) is True
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        await self.assert_full_life(harness, store, key)

    async def test_commit_after_somebody_else_took_the_key_says_so(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """False: the work was done twice, and its caller must know."""
        key, owner, other = new_key(), new_id(), new_id()
        await lapse(harness, store, key, owner=owner)
        assert await claim(harness, store, key, owner=other, lease=LEASE) is ClaimOutcome.ACCEPTED
        assert await commit(harness, store, key, owner) is False
        assert await commit(harness, store, key, other) is True

    async def test_release_gives_the_key_back(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """As if nothing had happened."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await store.release(key, owner=owner) is True
        assert await store.release(key, owner=owner) is False
        assert await status(harness, store, key) is ClaimStatus.UNUSED
        assert await claim(harness, store, key) is ClaimOutcome.ACCEPTED

    async def test_release_by_somebody_else_changes_nothing(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Only the owner releases."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await store.release(key, owner=new_id()) is False
        assert await claim(harness, store, key) is ClaimOutcome.RESERVED

    async def test_what_is_spent_is_never_released(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """Not even by the owner who spent it."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner)
        assert await store.release(key, owner=owner) is False
        assert await claim(harness, store, key) is ClaimOutcome.SPENT

    async def test_a_reservation_after_spending_does_not_weaken_the_mark(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Spent stays spent, for its whole life."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner)
        assert await claim(harness, store, key, owner=owner, lease=TINY_LEASE) is ClaimOutcome.ACCEPTED
        assert await status(harness, store, key) is ClaimStatus.SPENT
        await self.assert_full_life(harness, store, key)

    async def test_spending_an_own_reservation_leaves_the_full_life(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Never a spent token on the short lease of its reservation."""
        key, owner = new_key(), new_id()
        await claim(harness, store, key, owner=owner, lease=LEASE)
        assert await claim(harness, store, key, owner=owner) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key) is ClaimOutcome.SPENT
        await self.assert_full_life(harness, store, key)

    async def test_reservation_and_release_in_turns_let_one_in_at_a_time(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Reservations exclude one another."""
        key, inside, most, turns = new_key(), 0, 0, 0

        async def worker() -> None:
            nonlocal inside, most, turns
            owner = new_id()
            while turns < 20:
                if await claim(harness, store, key, owner=owner, lease=LEASE) is ClaimOutcome.ACCEPTED:
                    inside, turns = inside + 1, turns + 1
                    most = max(most, inside)
                    await anyio.lowlevel.checkpoint()
                    inside -= 1
                    assert await store.release(key, owner=owner) is True
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(worker)
        assert most == 1

    async def assert_full_life(self, harness: ReplayStoreHarness, store: ClosableStore, key: str) -> None:
        """The mark lives as long as the token, not as long as a lease."""
        if harness.time_is_real:
            left = await harness.life_left(key)
            assert left is not None
            assert left > LIFETIME - TOLERANCE
        else:
            harness.clock.advance(LIFETIME)
            assert await claim(harness, store, key) is ClaimOutcome.SPENT
