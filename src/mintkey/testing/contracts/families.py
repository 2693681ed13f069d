"""What a replay store must keep to be accepted as a `FamilyStore`: one atomic step for every refresh.

The harness is that of `ReplayStoreContract`:

    class TestMyFamilies(FamilyStoreContract):
        @pytest.fixture
        async def harness(self):
            async with MyHarness() as harness:
                yield harness
"""

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from mintkey import ids
from mintkey.replay.base import FamilyStore
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness

__all__ = ["FamilyStoreContract"]

_HOUR = timedelta(hours=1)


class FamilyStoreContract:
    """The promises of `FamilyStore`, one test each; a subclass brings the `harness` fixture.

    Example:
        ```python
        class TestMyFamilies(FamilyStoreContract):
            @pytest.fixture
            async def harness(self):
                async with MyHarness() as harness:
                    yield harness
        ```
    """

    pytestmark: pytest.MarkDecorator = pytest.mark.anyio

    @pytest.fixture
    async def store(self, harness: ReplayStoreHarness) -> FamilyStore:
        """A store whose memory begins now."""
        store = await harness.store()
        await store.status(ids.new_id(), issued_at=harness.clock.now())
        return cast("FamilyStore", store)

    @staticmethod
    async def swap(
        store: FamilyStore, harness: ReplayStoreHarness, key: str, expected: bytes | None, document: bytes
    ) -> bool:
        """A swap whose document lives for an hour."""
        return await store.swap_family(
            key, expected=expected, document=document, expires_at=harness.clock.now() + _HOUR
        )

    async def test_our_stores_say_that_they_can(self, store: FamilyStore) -> None:
        """The capability can be asked for."""
        assert isinstance(store, FamilyStore)

    async def test_a_family_that_nobody_wrote_is_none(self, harness: ReplayStoreHarness, store: FamilyStore) -> None:
        """Nothing there, and provably so."""
        found = await store.family(ids.new_id(), issued_at=harness.clock.now())
        assert found.document is None
        assert found.provable

    async def test_a_document_comes_back_byte_by_byte(self, harness: ReplayStoreHarness, store: FamilyStore) -> None:
        """Documents are opaque."""
        key, document = ids.new_id(), bytes(range(256)) * 2
        assert await self.swap(store, harness, key, None, document)
        assert (await store.family(key, issued_at=harness.clock.now())).document == document

    async def test_a_swap_needs_the_expected_document(self, harness: ReplayStoreHarness, store: FamilyStore) -> None:
        """Whoever expects something else changes nothing."""
        key = ids.new_id()
        assert not await self.swap(store, harness, key, b"one", b"two")
        assert await self.swap(store, harness, key, None, b"one")
        assert not await self.swap(store, harness, key, None, b"two")
        assert not await self.swap(store, harness, key, b"other", b"two")
        assert await self.swap(store, harness, key, b"one", b"two")
        assert (await store.family(key, issued_at=harness.clock.now())).document == b"two"

    async def test_a_swap_may_be_repeated(self, harness: ReplayStoreHarness, store: FamilyStore) -> None:
        """Its answer may have been lost on the way."""
        key = ids.new_id()
        for expected, document in ((None, b"one"), (b"one", b"two")):
            assert await self.swap(store, harness, key, expected, document)
            assert await self.swap(store, harness, key, expected, document)

    async def test_of_concurrent_swaps_exactly_one_wins(self, harness: ReplayStoreHarness, store: FamilyStore) -> None:
        """However many refresh one token at once."""
        key, documents = ids.new_id(), [ids.new_id().encode() for _ in range(50)]
        won = await asyncio.gather(*(self.swap(store, harness, key, None, document) for document in documents))
        assert sum(won) == 1
        assert (await store.family(key, issued_at=harness.clock.now())).document == documents[won.index(True)]

    async def test_families_are_apart_from_one_another_and_from_marks(
        self, harness: ReplayStoreHarness, store: FamilyStore
    ) -> None:
        """The same key as a mark or a cut-off is something else."""
        key = ids.new_id()
        assert await self.swap(store, harness, key, None, b"one")
        assert (await store.family(key[:-1], issued_at=harness.clock.now())).document is None
        marks = await harness.store()
        assert await marks.status(key, issued_at=harness.clock.now() + _HOUR) == "unused"

    async def test_a_token_from_before_the_memory_is_unprovable(
        self, harness: ReplayStoreHarness, store: FamilyStore
    ) -> None:
        """What was forgotten may have been used, or ended."""
        assert not (await store.family(ids.new_id(), issued_at=harness.clock.now() - _HOUR)).provable
