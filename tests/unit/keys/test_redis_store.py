"""What the Redis ring store does beyond the contract: what it forgets, returns, reports and refuses."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.health import Check
from mintkey.keys.ports import MintReturns
from mintkey.keys.stores.redis import RedisKeyRingStore
from tests.support.servers import RedisServer, free_port, running

NO_LIMIT = 2**62
KEY = "mk{f}#default"


@pytest.fixture
async def store(valkey: RedisServer) -> AsyncIterator[RedisKeyRingStore]:
    async with RedisKeyRingStore(valkey.url) as store:
        yield store


async def swap(store: RedisKeyRingStore, revision: int) -> None:
    assert await store.compare_and_swap("default", expected=revision - 1, document=b"%d" % revision)


async def counts(store: RedisKeyRingStore) -> tuple[dict[str, int], dict[str, int]]:
    stored = await store.load("default")
    assert stored is not None
    return dict(stored.mints), dict(stored.returned)


async def test_everything_about_a_ring_is_one_key_without_an_end(store: RedisKeyRingStore, valkey: RedisServer) -> None:
    """So it is lost as a whole or not at all, and a cluster serves it as a whole."""
    await swap(store, 1)
    await store.reserve("default", "a", want=5, limit=NO_LIMIT)
    await store.give_back("default", "a", count=2)
    assert await valkey.send("KEYS", "*") == [KEY]
    assert await valkey.send("TTL", KEY) == -1
    assert await valkey.send("HGETALL", KEY) == {"#": "1", "=": "1", "+a": "3", "<a": "2", "@a": "1"}


async def test_kids_that_look_like_our_own_fields_disturb_nothing(store: RedisKeyRingStore) -> None:
    await swap(store, 1)
    kids = ["-", "~", ".", "_", "d", "0"]
    for count, kid in enumerate(kids, start=1):
        assert await store.reserve("default", kid, want=count, limit=NO_LIMIT) == count
    assert (await counts(store))[0] == {kid: count for count, kid in enumerate(kids, start=1)}


async def test_what_was_given_back_can_be_reserved_again(store: RedisKeyRingStore) -> None:
    assert isinstance(store, MintReturns)
    await swap(store, 1)
    assert await store.reserve("default", "a", want=7, limit=7) == 7
    await store.give_back("default", "a", count=3)
    assert await counts(store) == ({"a": 4}, {"a": 3})
    assert await store.reserve("default", "a", want=7, limit=7) == 3
    assert await counts(store) == ({"a": 7}, {"a": 3})


async def test_no_more_comes_back_than_there_is(store: RedisKeyRingStore) -> None:
    await store.give_back("default", "a", count=3)
    assert await store.load("default") is None
    await swap(store, 1)
    await store.give_back("default", "a", count=3)
    assert await counts(store) == ({}, {})
    await store.reserve("default", "a", want=2, limit=NO_LIMIT)
    await store.give_back("default", "a", count=0)
    await store.give_back("default", "a", count=3)
    assert await counts(store) == ({"a": 0}, {"a": 2})


async def test_counters_that_nobody_touched_for_very_long_are_forgotten(
    store: RedisKeyRingStore, valkey: RedisServer
) -> None:
    """The store cannot read documents, so this is how it gets rid of versions that are gone."""
    await swap(store, 1)
    for kid in ("old", "used"):
        await store.reserve("default", kid, want=3, limit=3)
        await store.give_back("default", kid, count=1)
    await valkey.send("HSET", KEY, "#", "1000")
    assert await store.reserve("default", "used", want=3, limit=2) == 0  # at its cap, and in use nevertheless
    await valkey.send("HSET", KEY, "#", "1087")
    await swap(store, 1088)
    assert await counts(store) == ({"used": 2}, {"used": 1})
    assert await valkey.send("HEXISTS", KEY, "@old") == 0
    await valkey.send("HSET", KEY, "#", "2047")
    await swap(store, 2048)  # 1048 changes since
    assert await counts(store) == ({}, {})


async def test_the_time_of_the_server_comes_along(store: RedisKeyRingStore, valkey: RedisServer) -> None:
    await swap(store, 1)
    before, _ = await valkey.send("TIME")
    stored = await store.load("default")
    after, _ = await valkey.send("TIME")
    assert stored is not None
    assert stored.time is not None
    assert int(before) <= stored.time < int(after) + 1


async def test_rings_and_prefixes_are_apart(valkey: RedisServer) -> None:
    one, other = RedisKeyRingStore(valkey.url), RedisKeyRingStore(valkey.url, prefix="other")
    await swap(one, 1)
    assert await one.load("another") is None
    assert await other.load("default") is None
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize(
    "commands",
    [
        [("SET", KEY, "a string")],
        [("HSET", KEY, "a", "hash")],
        [("HSET", KEY, "=", "no revision")],
        [("HSET", KEY, "=", "document", "#", "one")],
        [("HSET", KEY, "=", "document", "#", "1", "+kid", "many")],
    ],
    ids=range(5),
)
async def test_what_is_no_ring_of_ours_is_an_error(
    store: RedisKeyRingStore, valkey: RedisServer, commands: list[tuple[str, ...]]
) -> None:
    for command in commands:
        await valkey.send(*command)
    with pytest.raises(KeyProviderError) as caught:
        await store.load("default")
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert caught.value.__cause__ is not None


async def test_a_script_that_the_server_forgot_is_sent_again(store: RedisKeyRingStore, valkey: RedisServer) -> None:
    await swap(store, 1)
    await store.reserve("default", "a", want=5, limit=NO_LIMIT)
    for call in (
        lambda: store.give_back("default", "a", count=1),
        lambda: store.reserve("default", "a", want=1, limit=NO_LIMIT),
        lambda: swap(store, 2),
    ):
        await valkey.send("SCRIPT", "FLUSH")
        await call()
    assert await counts(store) == ({"a": 5}, {"a": 1})


async def test_an_unreachable_server_is_told_by_every_call_and_shows_no_secret() -> None:
    store = RedisKeyRingStore(f"redis://:secret@127.0.0.1:{free_port()}", timeout=timedelta(milliseconds=100))
    for call in (
        store.load("default"),
        store.compare_and_swap("default", expected=0, document=b""),
        store.reserve("default", "a", want=1, limit=1),
        store.give_back("default", "a", count=1),
        anext(aiter(store.watch("default"))),
    ):
        with pytest.raises(KeyProviderError) as caught:
            await call
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert await store.checks() == {
        "eviction": Check(ok=True, word="unknown", figure=0),
        "role": Check(ok=True, word="unknown", figure=0),
    }
    assert "secret" not in repr(store)
    await store.aclose()


async def test_a_full_server_is_unavailable_and_says_how_full(caplog: pytest.LogCaptureFixture) -> None:
    with running("valkey", "--maxmemory", "3mb") as server:
        async with RedisKeyRingStore(server.url) as store:
            await swap(store, 1)
            await server.send("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(KeyProviderError) as caught:
                await store.reserve("default", "a", want=1, limit=1)
            assert caught.value.details["code"] == "OOM"
            assert not caught.value.details["may_have_happened"]
            check = (await store.checks())["eviction"]
            assert (check.ok, check.word) == (True, "noeviction")
            assert check.figure > 1
    assert not caplog.records


async def test_an_evicting_server_is_warned_of_once_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    with running("valkey", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        async with RedisKeyRingStore(server.url) as store:
            with caplog.at_level(logging.WARNING, logger="mintkey"):
                for _ in range(3):
                    await store.load("default")
            assert (await store.checks())["eviction"].word == "allkeys-lru"
            assert not (await store.checks())["eviction"].ok
            assert (await store.checks())["role"] == Check(ok=True, word="master", figure=0)
    assert sum("allkeys-lru" in record.message for record in caplog.records) == 1


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisKeyRingStore("redis://localhost", prefix="{", timeout=timedelta(0), replicas=-1)
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert [problem.split()[0] for problem in problems] == ["prefix", "timeout", "replicas"]


async def test_a_cluster_nobody_of_which_answers_is_unavailable_and_unknown() -> None:
    url = f"redis+cluster://:secret@127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    async with RedisKeyRingStore(url, timeout=timedelta(milliseconds=100)) as store:
        for call in (store.load("default"), anext(aiter(store.watch("default")))):
            with pytest.raises(KeyProviderError) as caught:
                await call
            assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert {check.word for check in (await store.checks()).values()} == {"unknown"}
