"""Push: a change is known at once where the store tells of it, and by polling where it does not."""

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import KeyProviderError, KeyRevokedError
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.stores.memory import MemoryKeyRingStore
from tests.support.ring_faults import FaultyRingStore, Start


async def until_refused(provider: RotatingKeyProvider, kid: str) -> None:
    """Wait for as long as the kid is accepted; no time passes meanwhile, so that nobody polls."""
    with anyio.fail_after(10):
        while True:
            try:
                await provider.resolve(kid)
            except KeyRevokedError:
                return
            await anyio.lowlevel.checkpoint()


async def test_a_revocation_is_known_at_once(store: FaultyRingStore, start: Start) -> None:
    here, there = start(store), start(FaultyRingStore(store.shared))
    kid = (await here.acquire()).key.kid
    await there.resolve(kid)
    await there.maintain()
    await anyio.wait_all_tasks_blocked()
    await here.revoke(kid)
    await until_refused(there, kid)


async def test_what_is_known_already_is_not_looked_up(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    await provider.acquire()
    await provider.maintain()
    await anyio.wait_all_tasks_blocked()
    store.calls.clear()
    await provider.rotate()
    await anyio.wait_all_tasks_blocked()
    # One before the rotation, two for the walk that finds it needs a key; none for the news of it.
    assert store.calls["load"] == 3


class HangsUp(FaultyRingStore):
    """Tells of one change, then hangs up, or fails."""

    error_of_watch: Exception | None = None

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        return self._watch(ring)

    async def _watch(self, ring: str) -> AsyncIterator[int]:
        self.calls["watch"] += 1
        async for revision in self.shared.watch(ring):
            yield revision
            if self.error_of_watch is not None:
                raise self.error_of_watch
            if self.calls["watch"] > 1:
                return


@pytest.mark.parametrize("error", [None, KeyProviderError("away"), OSError("reset")], ids=["ends", "ours", "foreign"])
async def test_a_store_that_hangs_up_is_listened_to_again(start: Start, error: Exception | None) -> None:
    store = HangsUp()
    store.error_of_watch = error
    provider = start(store)
    await provider.acquire()
    for _ in range(3):
        await provider.maintain()
        await anyio.wait_all_tasks_blocked()
    assert store.calls["watch"] == 3 if error else 1
    assert (await provider.acquire()).count == 1


async def test_a_look_that_fails_is_somebody_elses_trouble(store: FaultyRingStore, start: Start) -> None:
    here, there = start(store), start(FaultyRingStore(store.shared))
    kid = (await here.acquire()).key.kid
    await here.maintain()
    await anyio.wait_all_tasks_blocked()
    store.fail("load")
    await there.rotate()
    await anyio.wait_all_tasks_blocked()
    store.heal()
    await there.revoke(kid)
    await until_refused(here, kid)


class Closes(FaultyRingStore):
    """Holds a connection while somebody listens."""

    has_listener = False

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        return self._watch()

    async def _watch(self) -> AsyncIterator[int]:
        self.has_listener = True
        try:
            yield 1
            await anyio.sleep_forever()
        finally:
            self.has_listener = False


async def test_closing_hangs_up(start: Start) -> None:
    store = Closes()
    provider = start(store)
    await provider.maintain()
    await anyio.wait_all_tasks_blocked()
    assert store.has_listener
    await provider.aclose()
    assert not store.has_listener


class NoGenerator(FaultyRingStore):
    """A store whose watch is an iterator of its own making."""

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        return self

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration


async def test_any_iterator_will_do(start: Start) -> None:
    provider = start(NoGenerator(MemoryKeyRingStore()))
    await provider.maintain()
    await anyio.wait_all_tasks_blocked()
    assert (await provider.acquire()).count == 1
