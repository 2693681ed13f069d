"""Since when a store remembers, and what opening and closing mean: the third part of the replay store contract."""

from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.marks import SKEW
from mintkey.testing.contracts.replay_harness import (
    LEASE,
    LIFETIME,
    ClosableStore,
    ReplayStoreHarness,
    claim,
    claim_later,
    new_key,
    status,
)

__all__ = ["LifecycleContract", "MemoryContract"]


class MemoryContract:
    """What was issued before the memory begins cannot be proved unspent."""

    async def test_a_token_from_before_the_memory_is_unprovable(self, harness: ReplayStoreHarness) -> None:
        """Nobody can say that it was not spent."""
        store = await harness.store()
        issued = harness.clock.now()
        harness.clock.advance(timedelta(seconds=2))
        async with store:
            key = new_key()
            assert await status(harness, store, key, issued_at=issued) is ClaimStatus.UNPROVABLE
            assert await claim(harness, store, key, issued_at=issued) is ClaimOutcome.UNPROVABLE
            assert await claim(harness, store, new_key(), issued_at=issued, lease=LEASE) is ClaimOutcome.UNPROVABLE

    async def test_a_token_from_the_second_of_the_opening_is_provable(self, harness: ReplayStoreHarness) -> None:
        """`iat` is rounded down, so is the beginning of memory."""
        harness.clock.advance(timedelta(milliseconds=700))
        async with await harness.store() as store:
            issued = harness.clock.now().replace(microsecond=0)
            assert await claim(harness, store, new_key(), issued_at=issued) is ClaimOutcome.ACCEPTED

    async def test_memory_begins_at_the_first_use_of_a_store_that_nobody_entered(
        self, harness: ReplayStoreHarness
    ) -> None:
        """Entering is a courtesy."""
        store = await harness.store()
        issued = harness.clock.now()
        harness.clock.advance(timedelta(seconds=2))
        assert await claim(harness, store, new_key(), issued_at=issued) is ClaimOutcome.UNPROVABLE
        assert await claim(harness, store, new_key()) is ClaimOutcome.ACCEPTED

    async def test_a_store_that_comes_later_shares_the_memory(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A process that starts does not forget for the others."""
        issued = harness.clock.now()
        key = new_key()
        await claim(harness, store, key)
        harness.clock.advance(timedelta(minutes=1))
        async with await harness.store() as later:
            assert await claim(harness, later, key, issued_at=issued) is ClaimOutcome.SPENT
            assert await claim(harness, later, new_key(), issued_at=issued) is ClaimOutcome.ACCEPTED

    async def test_after_a_restart_without_memory_old_tokens_are_unprovable(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A spent token must not become usable again."""
        key, issued = new_key(), harness.clock.now()
        await claim(harness, store, key)
        harness.clock.advance(timedelta(seconds=2))
        await harness.lose_memory()
        async with await harness.store() as fresh:
            assert await status(harness, fresh, key, issued_at=issued) is ClaimStatus.UNPROVABLE
            assert await claim(harness, fresh, key, issued_at=issued) is ClaimOutcome.UNPROVABLE
            assert await claim(harness, fresh, new_key()) is ClaimOutcome.ACCEPTED

    async def test_memory_lost_under_a_running_store_is_noticed(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """On the safe side: whatever was issued up to now, by a clock that runs ahead, too, is unprovable."""
        if not harness.memory_is_shared:
            pytest.skip("the memory cannot vanish under a running store")
        key = new_key()
        await claim(harness, store, key)
        await harness.lose_memory()
        ahead = harness.clock.now() + SKEW
        assert await claim(harness, store, key, issued_at=ahead) is ClaimOutcome.UNPROVABLE
        for _ in range(40):
            assert await status(harness, store, new_key(), issued_at=ahead) is ClaimStatus.UNPROVABLE
        harness.clock.advance(SKEW + timedelta(seconds=2))
        for _ in range(40):
            assert await claim(harness, store, new_key()) is ClaimOutcome.ACCEPTED

    async def test_without_a_fence_nothing_is_unprovable(self, harness: ReplayStoreHarness) -> None:
        """The caller said so."""
        store = await harness.store(fence=False)
        issued = harness.clock.now() - timedelta(hours=1)
        key = new_key()
        assert await status(harness, store, key, issued_at=issued) is ClaimStatus.UNUSED
        assert await claim(harness, store, key, issued_at=issued) is ClaimOutcome.ACCEPTED
        assert await claim(harness, store, key, issued_at=issued) is ClaimOutcome.SPENT

    async def test_what_is_known_is_said_even_of_old_tokens(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """A mark is a proof, whenever the memory began."""
        old = harness.clock.now() - timedelta(days=1)
        spent, revoked = new_key(), new_key()
        await claim(harness, store, spent)
        await store.revoke(revoked, expires_at=harness.clock.now() + LIFETIME)
        assert await claim(harness, store, spent, issued_at=old) is ClaimOutcome.SPENT
        assert await claim(harness, store, revoked, issued_at=old) is ClaimOutcome.REVOKED
        assert await status(harness, store, revoked, issued_at=old) is ClaimStatus.REVOKED


class LifecycleContract:
    """Looking, closing, and callers that leave."""

    async def test_looking_changes_nothing(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """`peek` is no use."""
        key = new_key()
        for _ in range(3):
            assert await status(harness, store, key) is ClaimStatus.UNUSED
        assert await claim(harness, store, key) is ClaimOutcome.ACCEPTED

    async def test_a_closed_store_opens_again_when_it_is_needed(
        self, harness: ReplayStoreHarness, store: ClosableStore
    ) -> None:
        """Closing twice does nothing; a late call is served all the same."""
        key = new_key()
        async with store, store:
            await claim(harness, store, key)
        await store.aclose()
        await store.aclose()
        assert await claim(harness, store, key) is ClaimOutcome.SPENT

    async def test_a_cancelled_caller_disturbs_nobody(self, harness: ReplayStoreHarness, store: ClosableStore) -> None:
        """Every other caller gets its own answer."""
        keys = [new_key() for _ in range(30)]
        outcomes: dict[str, ClaimOutcome] = {}

        async def stay(key: str) -> None:
            outcomes[key] = await claim(harness, store, key)

        async with anyio.create_task_group() as staying, anyio.create_task_group() as leaving:
            for key in keys:
                staying.start_soon(stay, key)
                leaving.start_soon(claim_later(harness, store, new_key()))
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()
        assert [outcomes[key] for key in keys] == [ClaimOutcome.ACCEPTED] * 30
        assert [await claim(harness, store, key) for key in keys] == [ClaimOutcome.SPENT] * 30
