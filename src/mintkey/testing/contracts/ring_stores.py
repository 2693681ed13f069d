"""What every `KeyRingStore` promises, as tests for yours.

```python
class MyHarness:
    def __init__(self, path: Path) -> None:
        self._path = path

    def store(self) -> KeyRingStore:
        return MyStore(self._path)  # each time a new instance, all on the same data


class TestMyStore(KeyRingStoreContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> MyHarness:
        return MyHarness(tmp_path)
```

The fixture may be asynchronous, and closes behind its `yield` what it opened. Every test gets a fresh one: a backing
store without any ring.
"""

from typing import Protocol

import anyio
import pytest

from mintkey.keys.ports import KeyRingStore, MintReturns

__all__ = ["KeyRingStoreContract", "RingStoreHarness"]

_NO_LIMIT = 2**62
_LONG_AGO = 1_600_000_000.0  # in 2020; a clock that says less counts something else
_TIME_TO_PUSH = 0.05  # seconds of real time; pushing is optional


class RingStoreHarness(Protocol):
    """Gives the contract stores to test.

    Example:
        >>> from mintkey.keys.stores.memory import MemoryKeyRingStore
        >>> class Harness:
        ...     def __init__(self):
        ...         self._store = MemoryKeyRingStore()
        ...
        ...     def store(self):
        ...         return self._store
    """

    def store(self) -> KeyRingStore:
        """A store on the same data as every other one of this harness: another instance where that is possible."""
        ...


@pytest.mark.anyio
class KeyRingStoreContract:
    """Subclass it, override the fixture `harness`, and every promise of `KeyRingStore` is tested against your store.

    Example:
        >>> from mintkey.testing.contracts.ring_stores import KeyRingStoreContract
        >>> class TestMyStore(KeyRingStoreContract):
        ...     @pytest.fixture
        ...     def harness(self): ...
    """

    async def test_a_ring_that_nobody_wrote_is_none(self, harness: RingStoreHarness) -> None:
        """Missing is an answer, not an error."""
        assert await harness.store().load("default") is None

    async def test_the_first_document_gets_revision_one(self, harness: RingStoreHarness) -> None:
        """Creating is a swap that expects revision 0."""
        store = harness.store()
        assert await store.compare_and_swap("default", expected=0, document=b"{}")
        stored = await store.load("default")
        assert stored is not None
        assert (stored.document, stored.revision, dict(stored.mints)) == (b"{}", 1, {})

    @pytest.mark.parametrize(
        "document", [b"{}", bytes(range(256)), b"x" * 100_000, "é\u2028\n".encode(), b"\n\n", b"}{"], ids=range(6)
    )
    async def test_a_document_comes_back_byte_by_byte(self, harness: RingStoreHarness, document: bytes) -> None:
        """To a store the document is opaque."""
        await harness.store().compare_and_swap("default", expected=0, document=document)
        stored = await harness.store().load("default")
        assert stored is not None
        assert stored.document == document

    async def test_a_swap_with_the_right_revision_replaces(self, harness: RingStoreHarness) -> None:
        """Every change adds one to the revision, and other instances see it."""
        one, other = harness.store(), harness.store()
        for revision in range(3):
            assert await one.compare_and_swap("default", expected=revision, document=b"%d" % revision)
        stored = await other.load("default")
        assert stored is not None
        assert (stored.document, stored.revision) == (b"2", 3)

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_swap_with_another_revision_changes_nothing(self, harness: RingStoreHarness, expected: int) -> None:
        """Neither an older revision nor one that does not exist yet will do."""
        store = harness.store()
        for revision in range(2):
            await store.compare_and_swap("default", expected=revision, document=b"kept")
        assert not await harness.store().compare_and_swap("default", expected=expected, document=b"lost")
        stored = await store.load("default")
        assert stored is not None
        assert (stored.document, stored.revision) == (b"kept", 2)

    async def test_a_swap_of_a_missing_ring_creates_nothing(self, harness: RingStoreHarness) -> None:
        """Whoever expects a revision is told that it is gone, and decides what to do about it."""
        store = harness.store()
        assert not await store.compare_and_swap("default", expected=4, document=b"{}")
        assert await store.load("default") is None

    async def test_of_concurrent_swaps_exactly_one_wins(self, harness: RingStoreHarness) -> None:
        """Compare and swap are one atomic step, over all instances."""
        won: list[bytes] = []

        async def swap(number: int, revision: int) -> None:
            document = b"%d by %d" % (revision, number)
            if await harness.store().compare_and_swap("default", expected=revision, document=document):
                won.append(document)

        for revision in range(3):
            won.clear()
            async with anyio.create_task_group() as tasks:
                for number in range(8):
                    tasks.start_soon(swap, number, revision)
            stored = await harness.store().load("default")
            assert stored is not None
            assert ([stored.document], stored.revision) == (won, revision + 1)

    async def test_rings_are_apart(self, harness: RingStoreHarness) -> None:
        """Documents, revisions and counts of one ring are nobody else's."""
        store = harness.store()
        names = ["default", "other", "other.default", "~other_-"]
        for name in names:
            await store.compare_and_swap(name, expected=0, document=name.encode())
        await store.compare_and_swap("other", expected=1, document=b"changed")
        await store.reserve("other", "kid", want=2, limit=_NO_LIMIT)
        found = {name: await store.load(name) for name in names}
        assert {name: (s.document, s.revision, dict(s.mints)) for name, s in found.items() if s} == {
            "default": (b"default", 1, {}),
            "other": (b"changed", 2, {"kid": 2}),
            "other.default": (b"other.default", 1, {}),
            "~other_-": (b"~other_-", 1, {}),
        }

    async def test_a_reservation_counts(self, harness: RingStoreHarness) -> None:
        """What was granted is in `mints`, by kid, for every instance to see."""
        one, other = await self._with_ring(harness), harness.store()
        assert await one.reserve("default", "a", want=3, limit=_NO_LIMIT) == 3
        assert await other.reserve("default", "a", want=2, limit=_NO_LIMIT) == 2
        assert await other.reserve("default", "b", want=1, limit=_NO_LIMIT) == 1
        stored = await one.load("default")
        assert stored is not None
        assert dict(stored.mints) == {"a": 5, "b": 1}

    async def test_a_reservation_stops_at_the_limit(self, harness: RingStoreHarness) -> None:
        """First all that is wanted, then what is left, then nothing."""
        store = await self._with_ring(harness)
        assert [await store.reserve("default", "a", want=3, limit=7) for _ in range(4)] == [3, 3, 1, 0]
        stored = await store.load("default")
        assert stored is not None
        assert dict(stored.mints) == {"a": 7}

    async def test_a_lowered_limit_grants_nothing(self, harness: RingStoreHarness) -> None:
        """Above the limit there is nothing left, and nothing is taken back."""
        store = await self._with_ring(harness)
        await store.reserve("default", "a", want=5, limit=_NO_LIMIT)
        assert await store.reserve("default", "a", want=1, limit=3) == 0
        assert await store.reserve("default", "a", want=9, limit=6) == 1

    async def test_concurrent_reservations_grant_the_limit_and_no_more(self, harness: RingStoreHarness) -> None:
        """The cap is hard, over all instances, and nothing below it is lost."""
        await self._with_ring(harness)
        granted: list[int] = []

        async def reserve() -> None:
            granted.append(await harness.store().reserve("default", "a", want=3, limit=20))

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(reserve)
        assert sum(granted) == 20
        assert sorted(granted) == [0] * 5 + [2] + [3] * 6

    async def test_counts_and_revisions_do_not_disturb_each_other(self, harness: RingStoreHarness) -> None:
        """Reserving leaves the revision alone, and replacing the document leaves the counts alone."""
        store = await self._with_ring(harness)
        await store.reserve("default", "a", want=3, limit=_NO_LIMIT)
        assert await store.compare_and_swap("default", expected=1, document=b"next")
        stored = await store.load("default")
        assert stored is not None
        assert (stored.document, stored.revision, dict(stored.mints)) == (b"next", 2, {"a": 3})

    async def test_kids_are_compared_whole(self, harness: RingStoreHarness) -> None:
        """Case, every allowed character and all of 128 characters matter."""
        store = await self._with_ring(harness)
        kids = ["a", "A", "a.b", "a~b", "a-b", "a_b", "x" * 128, "x" * 127 + "y"]
        for count, kid in enumerate(kids, start=1):
            assert await store.reserve("default", kid, want=count, limit=_NO_LIMIT) == count
        stored = await store.load("default")
        assert stored is not None
        assert dict(stored.mints) == {kid: count for count, kid in enumerate(kids, start=1)}

    async def test_without_a_ring_nothing_is_granted(self, harness: RingStoreHarness) -> None:
        """A store that lost a ring lost its counts: starting from zero would break the cap."""
        store = harness.store()
        assert await store.reserve("default", "a", want=3, limit=_NO_LIMIT) == 0
        assert await store.load("default") is None

    async def test_mints_that_come_back_can_be_granted_again(self, harness: RingStoreHarness) -> None:
        """What is taken back leaves `mints` and is in `returned`, so that the sum of both only ever grows."""
        one, other = await self._with_ring(harness), self._taking_back(harness)
        await one.reserve("default", "a", want=7, limit=7)
        await other.give_back("default", "a", count=3)
        stored = await one.load("default")
        assert stored is not None
        assert (dict(stored.mints), dict(stored.returned)) == ({"a": 4}, {"a": 3})
        assert await one.reserve("default", "a", want=5, limit=7) == 3
        await other.give_back("default", "a", count=1)
        stored = await one.load("default")
        assert stored is not None
        assert (dict(stored.mints), dict(stored.returned), stored.revision) == ({"a": 6}, {"a": 4}, 1)

    async def test_no_more_comes_back_than_was_granted(self, harness: RingStoreHarness) -> None:
        """Neither of another kid, nor of a ring that is not there."""
        store, taking_back = await self._with_ring(harness), self._taking_back(harness)
        await store.reserve("default", "a", want=2, limit=7)
        await taking_back.give_back("default", "a", count=5)
        await taking_back.give_back("default", "b", count=5)
        await taking_back.give_back("other", "a", count=5)
        stored = await store.load("default")
        assert stored is not None
        assert {kid: count for kid, count in stored.mints.items() if count} == {}
        assert dict(stored.returned) == {"a": 2}
        assert await store.load("other") is None
        assert await store.reserve("default", "a", want=9, limit=7) == 7

    async def test_what_comes_back_at_once_is_counted_exactly(self, harness: RingStoreHarness) -> None:
        """Over all instances, together with reservations."""
        await self._with_ring(harness)
        instances = [self._taking_back(harness) for _ in range(10)]

        async def borrow(instance: MintReturns) -> None:
            granted = await harness.store().reserve("default", "a", want=3, limit=1000)
            await instance.give_back("default", "a", count=granted - 1)

        async with anyio.create_task_group() as tasks:
            for instance in instances:
                tasks.start_soon(borrow, instance)
        stored = await harness.store().load("default")
        assert stored is not None
        assert (dict(stored.mints), dict(stored.returned)) == ({"a": 10}, {"a": 20})

    async def test_its_clock_tells_the_time(self, harness: RingStoreHarness) -> None:
        """A store with a clock of its own tells seconds since the epoch that do not run backwards."""
        store = await self._with_ring(harness)
        first, second = await store.load("default"), await store.load("default")
        assert first is not None
        assert second is not None
        if first.time is not None and second.time is not None:
            assert _LONG_AGO < first.time <= second.time

    async def test_watching_tells_true_revisions(self, harness: RingStoreHarness) -> None:
        """Push is optional; what is pushed are revisions that exist, in order."""
        store, seen = await self._with_ring(harness), list[int]()

        async def watch() -> None:
            async for revision in harness.store().watch("default"):
                seen.append(revision)

        with anyio.move_on_after(_TIME_TO_PUSH):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                await anyio.wait_all_tasks_blocked()
                await store.compare_and_swap("default", expected=1, document=b"next")
        assert seen == sorted(set(seen))
        assert set(seen) <= {1, 2}

    @staticmethod
    def _taking_back(harness: RingStoreHarness) -> MintReturns:
        store = harness.store()
        if not isinstance(store, MintReturns):
            pytest.skip("a store need not take mints back")
        return store

    @staticmethod
    async def _with_ring(harness: RingStoreHarness) -> KeyRingStore:
        store = harness.store()
        await store.compare_and_swap("default", expected=0, document=b"{}")
        return store
