"""What a process knows of the store's counts: a store that forgot what it granted grants nothing a second time."""

from collections import Counter
from datetime import timedelta

import anyio
import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.counts import KnownCounts, ever_counted
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ports import StoredRing
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_COUNT, BY_HAND, FaultyRingStore, Start, held, restore

LOOK = timedelta(seconds=6)
CAP = 7


async def acquire(provider: RotatingKeyProvider, count: int) -> Counter[str]:
    return Counter([(await provider.acquire()).key.kid for _ in range(count)])


class TestAStoreThatForgot:
    async def test_what_this_process_reserved_since_its_last_look_is_noticed(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """At its next look it has another version sign; what it had set aside before counts against the cap."""
        provider = start(store, BY_COUNT)
        granted = await acquire(provider, 2)
        await provider.versions()
        older = await held(store)
        granted += await acquire(provider, 3)
        await restore(store, older)
        clock.advance(LOOK)
        await provider.workings.keeper.refresh()
        (kid,) = granted
        assert await store.shared.reserve("default", kid, want=1, limit=CAP) == 0, "nothing of it is left to others"
        granted += await acquire(provider, 20)
        assert max(granted.values()) <= CAP

    async def test_nor_is_it_granted_again_before_the_next_look(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, BY_COUNT)
        await provider.acquire()
        older = await held(store)
        granted = Counter({(await provider.acquire()).key.kid: 2}) + await acquire(provider, 3)
        await restore(store, older)
        granted += await acquire(provider, 20)
        assert max(granted.values()) <= CAP

    async def test_what_many_wait_for_is_no_more_than_is_left(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, BY_COUNT)
        older = await _begun(provider, store)
        granted = await acquire(provider, 5)
        await restore(store, older)
        async with anyio.create_task_group() as tasks:

            async def one() -> None:
                granted[(await provider.acquire()).key.kid] += 1

            for _ in range(10):
                tasks.start_soon(one)
        assert max(granted.values()) <= CAP

    async def test_while_the_ring_cannot_be_changed_nothing_of_it_is_granted(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """It was noticed, and the version that signs cannot be replaced yet: then nobody signs with it here."""
        provider = start(store, BY_COUNT)
        older = await _begun(provider, store)
        granted = await acquire(provider, 5)
        await restore(store, older)
        store.fail("compare_and_swap")
        clock.advance(LOOK)
        for pinned, reason in ((None, Reason.KEYS_UNAVAILABLE), (_only(granted), Reason.KEY_EXHAUSTED)):
            with pytest.raises(KeyProviderError) as caught:
                await provider.acquire(kid=pinned)
            assert caught.value.reason is reason
            clock.advance(LOOK)
        store.heal()
        assert _only(granted) not in await acquire(provider, 20)

    async def test_a_version_that_was_pinned_before_its_time_is_used_up(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """When it takes over, its cap is one that holds."""
        provider = start(store, BY_COUNT)
        older = await _begun(provider, store)
        pending = (await provider.versions())[0].kid
        for _ in range(4):
            await provider.acquire(kid=pending)
        await restore(store, older)
        clock.advance(LOOK)
        await provider.workings.keeper.refresh()
        assert (await held(store)).mints[pending] == CAP
        asked = store.calls["reserve"]
        clock.advance(LOOK)
        await provider.workings.keeper.refresh()
        assert store.calls["reserve"] == asked, "once is enough"

    async def test_a_version_that_could_not_be_used_up_is_at_the_next_look(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, BY_COUNT)
        older = await _begun(provider, store)
        pending = (await provider.versions())[0].kid
        await provider.acquire(kid=pending)
        await restore(store, older)
        store.fail("reserve")
        await provider.workings.keeper.refresh()
        with pytest.raises(KeyProviderError) as caught:
            await provider.acquire(kid=pending)
        assert caught.value.reason is Reason.KEY_EXHAUSTED
        store.heal()
        await provider.workings.keeper.refresh()
        assert (await held(store)).mints[pending] == CAP

    async def test_a_version_is_replaced_whose_ring_was_lost_though_nothing_was_counted_here(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        """Others may have been granted what this process never heard of."""
        here = start(store, BY_COUNT)
        await _begun(here, store)
        granted = await acquire(start(FaultyRingStore(store.shared), BY_COUNT), 5)
        store.shared.forget("default")
        assert (await here.workings.keeper.refresh()).signing_kid != _only(granted)


class TestACountThatIsRight:
    async def test_what_others_gave_back_is_granted_again(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """A process that knows of none left looks before it has the version replaced."""
        here, there = start(store, BY_COUNT), start(FaultyRingStore(store.shared), BY_COUNT)
        await here.acquire()
        await there.acquire(5)
        clock.advance(LOOK)
        await here.versions()
        kid = (await here.acquire()).key.kid
        await store.shared.give_back("default", kid, count=3)
        assert await acquire(here, 3) == {kid: 3}
        assert sum((await held(store)).mints.values()) == CAP

    async def test_what_is_granted_while_a_look_is_answered_may_be_missing_in_it(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        class LateLooks(FaultyRingStore):
            answer = anyio.Event()

            async def load(self, ring: str, /) -> StoredRing | None:
                stored = await super().load(ring)
                await self.answer.wait()
                return stored

        late = LateLooks(store.shared)
        late.answer.set()
        provider = start(late, BY_COUNT)
        kid = (await provider.acquire()).key.kid
        late.answer = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.workings.keeper.refresh)
            await anyio.wait_all_tasks_blocked()
            await acquire(provider, 3)
            late.answer.set()
        await provider.workings.keeper.refresh()
        assert (await provider.acquire()).key.kid == kid

    async def test_a_grant_whose_answer_is_late_is_in_the_look_before_it_already(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        class LateGrants(FaultyRingStore):
            answer = anyio.Event()

            async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
                granted = await super().reserve(ring, kid, want=want, limit=limit)
                await self.answer.wait()
                return granted

        late = LateGrants(store.shared)
        late.answer.set()
        provider = start(late, BY_COUNT)
        kid = (await provider.acquire()).key.kid
        late.answer = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.acquire)
            await anyio.wait_all_tasks_blocked()
            await provider.workings.keeper.refresh()
            late.answer.set()
        await provider.workings.keeper.refresh()
        assert (await provider.acquire()).key.kid == kid

    async def test_what_is_granted_during_a_change_is_known_after_it(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        provider = start(store, BY_COUNT)
        kid = (await provider.acquire()).key.kid
        store.hang("compare_and_swap")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.rotate)
            await anyio.wait_all_tasks_blocked()
            await acquire(provider, 3)
            store.release()
        store.fail("load")
        assert {version.kid: version.mints for version in await provider.versions()}[kid] == 4

    async def test_nothing_is_asked_for_of_which_nothing_is_left(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, BY_COUNT)
        await acquire(provider, CAP)
        asked = store.calls["reserve"]
        await provider.acquire()
        assert store.calls["reserve"] == asked + 1, "of the next version"


class TestTheBooks:
    def test_a_grant_belongs_to_the_look_that_was_answered_before_it_was_asked_for(self) -> None:
        counts = KnownCounts()
        assert counts.looks == 0
        counts.add("k", 1, asked_after=0)
        assert counts.looked() == counts.looks == 1
        counts.add("k", 2, asked_after=0)
        counts.add("k", 4, asked_after=1)
        counts.add("other", 8, asked_after=1)
        assert [counts.granted("k", since=look) for look in (0, 1, 2)] == [7, 4, 0]

    def test_what_is_older_is_let_go(self) -> None:
        counts = KnownCounts()
        counts.add("k", 1, asked_after=0)
        counts.add("k", 2, asked_after=1)
        counts.forget(1)
        assert counts.granted("k", since=0) == 2

    def test_all_that_was_ever_reserved_is_what_is_and_what_went_back(self) -> None:
        assert ever_counted(None, "k") == 0
        assert ever_counted(StoredRing(b"", 1), "k") == 0
        assert ever_counted(StoredRing(b"", 1, mints={"k": 2}, returned={"k": 3}), "k") == 5


async def _begun(provider: RotatingKeyProvider, store: FaultyRingStore) -> StoredRing:
    """The ring, when nothing was counted yet."""
    await provider.versions()
    return await held(store)


def _only(granted: Counter[str]) -> str:
    (kid,) = granted
    return kid


async def test_without_a_cap_a_count_is_no_more_than_a_number(store: FaultyRingStore, start: Start) -> None:
    provider = start(store, BY_HAND)
    older = await _begun(provider, store)
    granted = await acquire(provider, 5)
    await restore(store, older)
    await provider.workings.keeper.refresh()
    assert _only(granted) == (await provider.acquire()).key.kid


async def test_what_a_look_has_told_is_not_remembered_twice(store: FaultyRingStore, start: Start) -> None:
    """A process that lives for months would remember every look of them."""
    provider = start(store, BY_HAND)
    kid = (await provider.acquire(50)).key.kid
    workings = provider.workings
    assert workings.access.counts.granted(kid, since=0) > 0
    for _ in range(3):
        await workings.keeper.refresh()
        assert workings.access.counts.granted(kid, since=0) == 0
        while not workings.access.counts.granted(kid, since=0):
            await provider.acquire(50)
