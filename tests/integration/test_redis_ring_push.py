"""Changes of a ring are told at once, on a connection that goes away with whoever listens."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeVar, cast

import anyio
import pytest

from mintkey.errors import KeyProviderError
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.redis.errors import RedisCallError
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.subscription import subscribed
from mintkey.testing import FaultyProxy
from tests.support.polling import until
from tests.support.redis_groups import RedisCluster
from tests.support.servers import RedisServer

KEY = "mk{f}#default"
EVENTUALLY = 60

T = TypeVar("T")


async def listeners(server: RedisServer) -> int:
    """How many are subscribed to the ring, by the server's own word."""
    _, count = await server.send("PUBSUB", "NUMSUB", KEY)
    return int(count)


async def has_listeners(server: RedisServer, count: int) -> bool:
    return await listeners(server) == count


def revisions(store: RedisKeyRingStore) -> aclosing[AsyncGenerator[int, None]]:
    return aclosing(cast("AsyncGenerator[int, None]", store.watch("default")))


async def told(news: AsyncIterator[T]) -> T:
    with anyio.fail_after(EVENTUALLY):
        return await anext(news)


async def swap(store: RedisKeyRingStore, revision: int) -> None:
    assert await store.compare_and_swap("default", expected=revision - 1, document=b"%d" % revision)


@asynccontextmanager
async def two_stores(url: str) -> AsyncIterator[tuple[RedisKeyRingStore, RedisKeyRingStore]]:
    async with RedisKeyRingStore(url) as one, RedisKeyRingStore(url) as other:
        yield one, other


async def test_the_present_revision_comes_first_and_then_every_newer_one(valkey: RedisServer) -> None:
    async with two_stores(valkey.url) as (one, other):
        await swap(one, 1)
        await swap(one, 2)
        async with revisions(other) as watching:
            assert await told(watching) == 2
            for revision in (3, 4):
                await swap(one, revision)
                assert await told(watching) == revision


async def test_a_cluster_tells_across_its_nodes(redis_cluster: RedisCluster) -> None:
    async with two_stores(redis_cluster.url) as (one, other):
        await swap(one, 1)
        async with revisions(other) as watching:
            assert await told(watching) == 1
            await swap(one, 2)
            assert await told(watching) == 2
        for master in redis_cluster.masters:
            await until(partial(has_listeners, master, 0))


async def test_a_ring_that_is_begun_while_somebody_listens_is_told(valkey: RedisServer) -> None:
    async with two_stores(valkey.url) as (one, other), revisions(other) as watching:
        first = asyncio.ensure_future(told(watching))
        await until(partial(has_listeners, valkey, 1))
        await swap(one, 1)
        assert await first == 1


async def test_a_ring_that_was_lost_and_begun_anew_is_told(valkey: RedisServer) -> None:
    """Although its revision is lower than the one before."""
    async with two_stores(valkey.url) as (one, other):
        for revision in (1, 2, 3):
            await swap(one, revision)
        async with revisions(other) as watching:
            assert await told(watching) == 3
            await valkey.send("FLUSHALL")
            await swap(one, 1)
            assert await told(watching) == 1


async def test_old_news_is_not_told(valkey: RedisServer) -> None:
    """What was published between subscribing and asking arrives behind the answer."""

    async def looks() -> int:
        return int((await valkey.send("INFO", "commandstats"))["cmdstat_hget"]["calls"])

    async with two_stores(valkey.url) as (one, other):
        for revision in (1, 2, 3):
            await swap(one, revision)
        async with revisions(other) as watching:
            assert await told(watching) == 3
            news, before = asyncio.ensure_future(told(watching)), await looks()

            async def has_looked_twice() -> bool:
                return await looks() >= before + 2

            for old in ("2", "3"):
                await valkey.send("PUBLISH", KEY, old)
            await until(has_looked_twice)
            assert not news.done()
            await swap(one, 4)
            assert await news == 4


async def test_whoever_goes_away_releases_the_connection(valkey: RedisServer) -> None:
    async with two_stores(valkey.url) as (one, other):
        await swap(one, 1)

        async def listen() -> None:
            async for _ in other.watch("default"):
                pass

        listening = asyncio.ensure_future(listen())
        await until(partial(has_listeners, valkey, 1))
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await until(partial(has_listeners, valkey, 0))

        async with revisions(other) as watching:
            await told(watching)
            assert await listeners(valkey) == 1
        await until(partial(has_listeners, valkey, 0))


async def test_a_lost_connection_ends_it_and_the_next_one_is_told_what_was_missed(valkey: RedisServer) -> None:
    async with (
        FaultyProxy("127.0.0.1", valkey.port) as proxy,
        two_stores(f"redis://127.0.0.1:{proxy.port}") as (one, other),
    ):
        await swap(one, 1)
        async with revisions(other) as watching:
            assert await told(watching) == 1
            proxy.cut()
            with pytest.raises(KeyProviderError) as caught:
                await told(watching)
            assert caught.value.__cause__ is not None
        await swap(one, 2)
        async with revisions(other) as watching:
            assert await told(watching) == 2


async def test_nonsense_on_the_channel_ends_it(valkey: RedisServer) -> None:
    async with two_stores(valkey.url) as (one, other):
        await swap(one, 1)
        async with revisions(other) as watching:
            assert await told(watching) == 1
            await valkey.send("PUBLISH", KEY, "nonsense")
            with pytest.raises(KeyProviderError):
                await told(watching)


async def test_who_may_not_publish_or_subscribe_still_changes_the_ring(valkey: RedisServer) -> None:
    """Telling others is an optimisation: an account without channels does without."""
    await valkey.send("ACL", "SETUSER", "mint", "on", ">pw", "~mk{*", "resetchannels", "+@all")
    try:
        async with RedisKeyRingStore(f"redis://mint:pw@127.0.0.1:{valkey.port}") as store:
            await swap(store, 1)
            await swap(store, 2)
            stored = await store.load("default")
            assert stored is not None
            assert stored.revision == 2
            with pytest.raises(KeyProviderError) as caught:
                await told(aiter(store.watch("default")))
            assert caught.value.details["code"] == "NOPERM"
    finally:
        await valkey.send("ACL", "DELUSER", "mint")


async def test_silence_is_asked_about_and_a_server_that_is_there_is_listened_to(valkey: RedisServer) -> None:
    async def locate() -> ConnectionSettings:
        return ConnectionSettings.of_url(f"redis://127.0.0.1:{proxy.port}")

    async with (
        FaultyProxy("127.0.0.1", valkey.port) as proxy,
        subscribed(locate, b"news", patience=20, silence=0.05) as subscription,
    ):
        requests = proxy.requests

        async def asked_several_times() -> bool:
            return proxy.requests > requests + 2

        async with aclosing(subscription.messages()) as messages:
            first = asyncio.ensure_future(told(messages))
            await until(asked_several_times)
            await valkey.send("PUBLISH", "news", "one")
            assert await first == b"one"


async def test_a_connection_that_died_in_silence_is_noticed(valkey: RedisServer) -> None:
    async def locate() -> ConnectionSettings:
        return ConnectionSettings.of_url(f"redis://127.0.0.1:{proxy.port}")

    async def listen() -> None:
        async with subscribed(locate, b"news", patience=1, silence=0.05) as subscription:
            proxy.black_hole = True
            async for _ in subscription.messages():
                pass

    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        with anyio.fail_after(EVENTUALLY), pytest.raises(RedisCallError) as caught:
            await listen()
        assert not caught.value.may_have_run
