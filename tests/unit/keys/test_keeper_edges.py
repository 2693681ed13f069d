"""The keeper of a ring when its store forgot, and what it says of it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import anyio
import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.document import decode
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ring import Intent, Ring, RingVersion
from mintkey.testing.clock import FakeClock
from tests.support import ring_faults
from tests.support.ring_faults import BY_COUNT, HOURLY, FaultyCustodian, FaultyRingStore, Start, held

LOOK = timedelta(seconds=6)
HOUR = timedelta(hours=1)

restore = partial(ring_faults.restore, with_counts=False)


async def minted(provider: RotatingKeyProvider) -> str:
    """Mint some, and look at what the store counts; who signed."""
    kid = (await provider.acquire(3)).key.kid
    await provider.versions()
    return kid


def by_kid(ring: Ring) -> dict[str, RingVersion]:
    return {version.kid: version for version in ring.versions}


async def versions_in(store: FaultyRingStore) -> dict[str, RingVersion]:
    return by_kid(decode((await held(store)).document, ring="default"))


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "mintkey.keys")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "mintkey.keys"]


async def test_a_loss_is_told_with_both_revisions(
    store: FaultyRingStore, start: Start, clock: FakeClock, warnings: Callable[[], list[str]]
) -> None:
    provider = start(store)
    await provider.acquire()
    await provider.rotate()
    store.shared.forget("default")
    clock.advance(LOOK)
    await provider.maintain()
    assert [text.partition(",")[0] for text in warnings()] == ["ring 'default' was at revision 2 and is at 0 now"]


async def test_so_is_a_ring_that_fell_back(
    store: FaultyRingStore, start: Start, clock: FakeClock, warnings: Callable[[], list[str]]
) -> None:
    provider = start(store)
    await provider.acquire()
    older = await held(store)
    await provider.rotate()
    await restore(store, older)
    clock.advance(LOOK)
    await provider.maintain()
    assert [text.partition(",")[0] for text in warnings()] == ["ring 'default' was at revision 2 and is at 1 now"]


@pytest.mark.parametrize(("later", "is_missed"), [(64, True), (65, False)])
async def test_what_is_missing_many_revisions_later_was_pruned_by_others(
    store: FaultyRingStore, start: Start, clock: FakeClock, later: int, is_missed: bool
) -> None:
    """The ring may have forgotten the tombstones meanwhile: nobody brings back what was dropped on purpose."""
    provider = start(store)
    await provider.acquire()
    older = await held(store)
    active = await provider.rotate()
    await restore(store, older, revision=2 + later)
    clock.advance(LOOK)
    assert ((await provider.acquire()).key.kid == active.kid) == is_missed


async def test_a_ring_that_is_old_itself_is_missed_all_the_same(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    provider = start(store)
    for _ in range(40):
        await provider.rotate()
    older = await held(store)
    active = await provider.rotate()
    await restore(store, older)
    clock.advance(LOOK)
    assert (await provider.acquire()).key.kid == active.kid


async def test_a_ring_that_only_moved_on_is_no_loss(
    store: FaultyRingStore, start: Start, clock: FakeClock, warnings: Callable[[], list[str]]
) -> None:
    provider = start(store)
    await provider.acquire()
    await start(FaultyRingStore(store.shared)).rotate()
    clock.advance(LOOK)
    await provider.maintain()
    assert warnings() == []


async def test_an_outage_is_told_once_until_it_is_over(
    store: FaultyRingStore, start: Start, clock: FakeClock, warnings: Callable[[], list[str]]
) -> None:
    provider = start(store)
    await provider.acquire()
    for told in (1, 2):
        store.fail("load")
        for _ in range(3):
            clock.advance(LOOK)
            await provider.maintain()
        assert [text for text in warnings() if "going on with what is known" in text] == warnings()
        assert len(warnings()) == told
        store.heal()
        await provider.maintain()


async def test_a_ring_that_never_stands_still_is_named(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    await provider.acquire()
    store.losing = 1000
    with pytest.raises(KeyProviderError) as caught:
        await provider.rotate()
    assert (caught.value.reason, caught.value.details) == (
        Reason.ROTATION_CONFLICT,
        {"ring": "default", "tries": 16},
    )
    assert store.losing == 1000 - 15, "one of the tries made a key"


class TestCountsThatWereLost:
    async def test_leave_nothing_of_the_version_to_processes_that_did_not_look_yet(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        here = start(store, BY_COUNT)
        kid = await minted(here)
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        assert await store.shared.reserve("default", kid, want=1, limit=7) == 0
        signer = (await here.acquire()).key.kid
        assert signer != kid

    async def test_are_dealt_with_even_if_the_store_counts_nothing_just_now(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        here = start(store, BY_COUNT)
        kid = await minted(here)
        await restore(store, await held(store))
        clock.advance(LOOK)
        store.fail("reserve")
        changed = await here.workings.keeper.change(Intent())
        assert changed.snapshot.signing_kid != kid

    async def test_relieve_a_version_once(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        here = start(store, BY_COUNT)
        await minted(here)
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        revision = (await held(store)).revision
        clock.advance(LOOK)
        await here.maintain()
        assert (await held(store)).revision == revision

    async def test_of_a_single_mint_matter_too(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        here = start(store, BY_COUNT)
        kid = (await here.acquire()).key.kid
        await here.versions()
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        assert (await here.acquire()).key.kid != kid

    async def test_are_forgotten_with_the_relief(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        """From then on a look is a look again, and rotates nothing that is due."""
        here = start(store, replace(HOURLY, max_mints=7))
        await minted(here)
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        clock.advance(2 * HOUR)
        swaps = store.calls["compare_and_swap"]
        await here.workings.keeper.refresh()
        assert store.calls["compare_and_swap"] == swaps

    async def test_without_a_cap_do_not_matter(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        here = start(store)
        kid = await minted(here)
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        assert (await here.acquire()).key.kid == kid

    async def test_are_those_of_the_version_that_signs(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        """What went back of others cannot be granted any more."""
        here = start(store, BY_COUNT)
        await minted(here)
        signer = await here.rotate()
        await restore(store, await held(store))
        clock.advance(LOOK)
        await here.maintain()
        assert (await here.acquire()).key.kid == signer.kid


async def test_what_nobody_changed_is_not_read_twice(
    store: FaultyRingStore, start: Start, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = start(store)
    await provider.acquire()
    monkeypatch.setattr("mintkey.keys.access.decode", None)  # it would fail
    clock.advance(LOOK)
    await provider.maintain()
    assert provider.workings.keeper.failure is None


async def test_an_edit_is_written_although_it_changes_nothing(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """Where the store lost what is known: the edit brings it back."""
    provider = start(store)
    await provider.acquire()
    ring = decode((await held(store)).document, ring="default")
    store.shared.forget("default")
    changed = await provider.workings.keeper.edit(lambda ring: ring)
    assert decode((await held(store)).document, ring="default") == changed.snapshot.ring == ring


async def test_an_edit_of_a_ring_that_fell_back_is_written_to_what_is_known(
    store: FaultyRingStore, start: Start
) -> None:
    provider = start(store)
    await provider.acquire()
    older = await held(store)
    await provider.rotate()
    before = await versions_in(store)
    await restore(store, older)
    changed = await provider.workings.keeper.edit(lambda ring: ring)
    assert await versions_in(store) == by_kid(changed.snapshot.ring) == before


async def test_of_those_who_look_at_once_one_is_at_it(store: FaultyRingStore, start: Start) -> None:
    keeper = start(store).workings.keeper
    store.hang("load")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.refresh)
        tasks.start_soon(keeper.refresh)
        await anyio.wait_all_tasks_blocked()
        assert store.calls["load"] == 1
        store.release()
    assert store.calls["load"] == 2


async def test_a_store_without_a_ring_is_known_to_have_none(store: FaultyRingStore, start: Start) -> None:
    keeper = start(store).workings.keeper
    assert (await keeper.refresh()).signing_kid == ""
    await keeper.catch_up(0)
    assert store.calls["load"] == 1
    with pytest.raises(KeyProviderError):
        keeper.signer()


async def test_keys_in_the_ring_are_not_destroyed_at_the_end(
    store: FaultyRingStore, custodian: FaultyCustodian, start: Start
) -> None:
    provider = start(store, custodian=custodian)
    await provider.acquire()
    await provider.rotate()
    await provider.aclose()
    assert custodian.destroyed == []


async def test_news_of_a_revision_that_is_known_are_no_reason_to_look(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    keeper = provider.workings.keeper
    await keeper.catch_up(0)
    assert store.calls["load"] == 0, "there is no ring, and none is known"
    await provider.acquire()
    loads = store.calls["load"]
    await keeper.catch_up((await held(store)).revision)
    assert store.calls["load"] == loads
    await keeper.catch_up((await held(store)).revision + 1)
    assert store.calls["load"] == loads + 1


async def test_news_wait_for_the_walk_that_may_have_made_them(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    await provider.acquire()
    keeper = provider.workings.keeper
    revision = (await held(store)).revision
    store.hang("compare_and_swap")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(provider.rotate)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(keeper.catch_up, revision + 1)
        await anyio.wait_all_tasks_blocked()
        loads = store.calls["load"]
        store.release()
    assert store.calls["load"] == loads, "it was our own"


async def test_keys_of_versions_that_sign_no_more_are_closed_but_those_of_secrets(
    store: FaultyRingStore, custodian: FaultyCustodian, start: Start
) -> None:
    for algorithm, reopened in (("EdDSA", True), ("HS256", False)):
        shared = FaultyRingStore()
        provider = start(shared, HOURLY, custodian=custodian, algorithm=algorithm)  # type: ignore[arg-type]  # it is one
        kid = (await provider.acquire()).key.kid
        assert provider.workings.keychain.opened(kid) is not None
        await provider.rotate()
        assert (provider.workings.keychain.opened(kid) is None) == reopened
