"""A ring in Redis when something goes wrong: nothing is counted twice that may not be, and a lost ring comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys import RedisKeyProvider, RotationPolicy, Sealer, StoredRing
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.testing import FakeClock, Fate, Fault, FaultyProxy
from tests.support.polling import until
from tests.support.servers import RedisServer, running

PATIENCE = timedelta(seconds=3)
SHORT = timedelta(seconds=1)
NO_LIMIT = 2**62
SEALER = Sealer([bytes(range(32))])
BY_HAND = RotationPolicy(every=None, previous_ttl=timedelta(minutes=40), publish_ahead=timedelta(0))

FAULTS = [
    pytest.param(Fault(Fate.LOSE), id="reset after forwarding"),
    pytest.param(Fault(Fate.SWALLOW), id="lost"),
    pytest.param(Fault(Fate.DELAY, delay=0.1), id="late"),
    pytest.param(Fault(Fate.DELAY, delay=2.0), id="too late"),
    pytest.param(Fault(Fate.TRUNCATE), id="truncated"),
    pytest.param(Fault(Fate.DOUBLE), id="doubled"),
    pytest.param(Fault(Fate.REFUSE), id="reset before forwarding"),
]


@asynccontextmanager
async def behind_proxy(
    server: RedisServer, *, patience: timedelta = PATIENCE
) -> AsyncIterator[tuple[RedisKeyRingStore, FaultyProxy]]:
    """A store with a ring, whose next connection has yet to be made."""
    async with (
        FaultyProxy("127.0.0.1", server.port) as proxy,
        RedisKeyRingStore(f"redis://127.0.0.1:{proxy.port}", timeout=patience) as store,
    ):
        assert await store.compare_and_swap("default", expected=0, document=b"one")
        assert await store.reserve("default", "a", want=10, limit=NO_LIMIT) == 10
        await store.give_back("default", "b", count=1)  # the server knows every script by now
        await store._client.link.drop_idle()
        yield store, proxy


@asynccontextmanager
async def direct(server: RedisServer) -> AsyncIterator[RedisKeyRingStore]:
    async with RedisKeyRingStore(server.url) as store:
        yield store


async def ring_at(server: RedisServer) -> StoredRing:
    async with direct(server) as store:
        stored = await store.load("default")
    assert stored is not None
    return stored


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_ring_is_read_whatever_happens_to_the_answer(valkey: RedisServer, fault: Fault) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(fault)
        stored = await store.load("default")
        assert stored is not None
        assert (stored.document, stored.revision, stored.mints) == (b"one", 1, {"a": 10})


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_swap_happens_once_and_is_known_to_be_ours(valkey: RedisServer, fault: Fault) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(fault)
        assert await store.compare_and_swap("default", expected=1, document=b"two")
        assert not await store.compare_and_swap("default", expected=1, document=b"two"), "not ours twice"
    stored = await ring_at(valkey)
    assert (stored.document, stored.revision) == (b"two", 2)


async def test_the_same_document_by_somebody_else_is_not_ours(valkey: RedisServer) -> None:
    async with behind_proxy(valkey) as (store, _), direct(valkey) as other:
        assert await other.compare_and_swap("default", expected=1, document=b"two")
        assert not await store.compare_and_swap("default", expected=1, document=b"two")


async def test_a_swap_that_was_answered_too_late_to_tell_is_an_error(valkey: RedisServer) -> None:
    """False would say that its keys are in no ring; they were in one, and may be in the next."""
    async with behind_proxy(valkey, patience=timedelta(seconds=4)) as (store, proxy), direct(valkey) as other:
        proxy.script(Fault(Fate.SWALLOW))
        swapping = asyncio.ensure_future(store.compare_and_swap("default", expected=1, document=b"two"))

        async def is_there() -> bool:
            return (await ring_at(valkey)).revision == 2

        await until(is_there)
        assert await other.compare_and_swap("default", expected=2, document=b"three")
        with pytest.raises(KeyProviderError, match="changed since"):
            await swapping


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_reservation_whose_answer_is_lost_only_wastes(valkey: RedisServer, fault: Fault) -> None:
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(fault)
        granted = await store.reserve("default", "a", want=3, limit=14)
        counted = (await ring_at(valkey)).mints["a"]
        assert 0 < granted <= 3
        assert 10 + granted <= counted <= 14


@pytest.mark.parametrize("fault", FAULTS)
async def test_mints_are_given_back_at_most_once(valkey: RedisServer, fault: Fault) -> None:
    """Twice would let a version sign beyond its cap. So a lost answer is an error, and nothing is sent again."""
    async with behind_proxy(valkey) as (store, proxy):
        proxy.script(fault)
        connections = proxy.connections
        if fault.fate is Fate.DELAY and fault.delay < 1:
            await store.give_back("default", "a", count=4)
        elif fault.fate is Fate.DOUBLE:
            with suppress(KeyProviderError):  # whether the second copy is seen in time is a matter of luck
                await store.give_back("default", "a", count=4)
        else:
            with pytest.raises(KeyProviderError) as caught:
                await store.give_back("default", "a", count=4)
            assert caught.value.reason is Reason.KEYS_UNAVAILABLE
            assert caught.value.details["may_have_happened"]
        assert proxy.connections == connections + 1
        left = 10 if fault.fate is Fate.REFUSE else 6
        stored = await ring_at(valkey)
        assert (stored.mints["a"], stored.returned.get("a", 0)) == (left, 10 - left)
        await store.give_back("default", "a", count=1)
        assert (await ring_at(valkey)).mints["a"] == left - 1, "the next one gets through"


async def test_what_was_never_sent_may_be_given_back_by_another_attempt(valkey: RedisServer) -> None:
    """A connection that cannot be made executes nothing."""
    port = valkey.port
    async with behind_proxy(valkey, patience=timedelta(seconds=20)) as (store, proxy):
        port = proxy.port
        proxy._server.close()
        await store._client.link.drop_idle()
        giving = asyncio.ensure_future(store.give_back("default", "a", count=4))
        await asyncio.sleep(0.05)
        assert not giving.done()
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", port)
        await giving
        server.close()
    assert (await ring_at(valkey)).mints["a"] == 6


async def test_a_black_hole_is_an_error_in_time_for_everybody(valkey: RedisServer) -> None:
    async with behind_proxy(valkey, patience=SHORT) as (store, proxy):
        proxy.black_hole = True
        with anyio.fail_after(30):
            for call in (
                store.load("default"),
                store.compare_and_swap("default", expected=1, document=b"two"),
                store.reserve("default", "a", want=1, limit=NO_LIMIT),
                store.give_back("default", "a", count=1),
                anext(aiter(store.watch("default"))),
            ):
                with pytest.raises(KeyProviderError) as caught:
                    await call
                assert caught.value.__cause__ is not None
        proxy.black_hole = False
        proxy.cut()
        stored = await store.load("default")
        assert stored is not None
        assert (stored.revision, stored.mints) == (1, {"a": 10})


async def test_a_server_that_comes_back_with_its_memory_goes_on(tmp_path: Path) -> None:
    with running("valkey", "--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "always") as server:
        async with RedisKeyRingStore(server.url, timeout=SHORT) as store:
            assert await store.compare_and_swap("default", expected=0, document=b"one")
            await store.reserve("default", "a", want=5, limit=7)
            await anyio.to_thread.run_sync(server.kill)
            for call in (store.load("default"), store.reserve("default", "a", want=1, limit=7)):
                with pytest.raises(KeyProviderError):
                    await call
            await anyio.to_thread.run_sync(server.restart)
            stored = await store.load("default")
            assert stored is not None
            assert (stored.revision, stored.mints) == (1, {"a": 5})
            assert await store.reserve("default", "a", want=5, limit=7) == 2


async def test_a_server_that_forgot_everything_gets_its_ring_back(own_valkey: RedisServer) -> None:
    """Killed while a provider signs: that goes on. The kid history goes on too, and newcomers see it."""
    clock = FakeClock()

    def provider() -> RedisKeyProvider:
        return RedisKeyProvider(own_valkey.url, clock=clock, policy=BY_HAND, sealer=SEALER)

    async with provider() as elder:
        first = (await elder.acquire()).key.kid
        second = (await elder.rotate()).kid
        before = [version.kid for version in await elder.versions()]
        await anyio.to_thread.run_sync(own_valkey.kill)
        clock.advance(timedelta(seconds=6))
        assert (await elder.acquire()).key.kid == second
        assert (await elder.resolve(first)).kid == first
        await anyio.to_thread.run_sync(own_valkey.restart)
        clock.advance(timedelta(seconds=6))

        async def is_back() -> bool:
            with suppress(KeyProviderError):
                await elder.versions()
            return bool(await own_valkey.send("DBSIZE"))

        await until(is_back)
        async with provider() as younger:
            assert [version.kid for version in await younger.versions()] == before
            assert (await younger.resolve(first)).kid == first
            assert (await younger.acquire()).key.kid == second


async def test_a_flushed_server_does_not_begin_the_history_anew(valkey: RedisServer) -> None:
    clock = FakeClock()
    async with (
        RedisKeyProvider(valkey.url, clock=clock, policy=BY_HAND, sealer=SEALER) as one,
        RedisKeyProvider(valkey.url, clock=clock, policy=BY_HAND, sealer=SEALER) as other,
    ):
        kid = (await one.acquire()).key.kid
        assert (await other.acquire()).key.kid == kid
        before = [version.kid for version in await one.versions()]
        await valkey.send("FLUSHALL")
        clock.advance(timedelta(seconds=6))
        after = [[version.kid for version in await provider.versions()] for provider in (one, other)]
        assert after == [before, before]


async def test_when_nobody_can_be_asked_there_is_no_silent_first_key(own_valkey: RedisServer) -> None:
    await anyio.to_thread.run_sync(own_valkey.kill)
    async with RedisKeyProvider(own_valkey.url, sealer=SEALER) as provider:
        with pytest.raises(KeyProviderError) as caught:
            await provider.acquire()
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        assert caught.value.retryable
