"""URLs of servers that are several, and what is said of those that are wrong."""

import traceback
from typing import cast

import pytest
from redis.asyncio.connection import Connection, SSLConnection

from mintkey.errors import ConfigurationError
from mintkey.redis.sources import topology_of
from mintkey.redis.topology import ClusterTopology, LoneTopology, SentinelTopology
from mintkey.redis.urls import ServerURL


def test_what_the_driver_understands_is_left_to_it() -> None:
    for url in ("redis://:p@one:1/2", "rediss://one", "unix:///tmp/redis.sock?db=3"):
        parsed = ServerURL.parse(url)
        assert (parsed.kind, parsed.first, parsed.nodes) == ("lone", url, ())
        assert isinstance(topology_of(url), LoneTopology)


async def test_a_cluster_is_asked_at_every_node_that_is_named() -> None:
    parsed = ServerURL.parse("redis+cluster://ada:s%40crate@one:7000,two,[::1]:7002/0?socket_keepalive=yes")
    assert parsed.nodes == [("one", 7000), ("two", 6379), ("::1", 7002)]
    assert (parsed.kind, parsed.service) == ("cluster", "")
    topology = topology_of("redis+cluster://ada:s%40crate@one:7000,two")
    assert isinstance(topology, ClusterTopology)
    settings = await topology.locate(("elsewhere", 7009))
    assert settings.connection_class is Connection
    assert [settings.options[name] for name in ("host", "port", "username", "password")] == [
        "elsewhere",
        7009,
        "ada",
        "s@crate",
    ]


def test_sentinels_have_accounts_of_their_own() -> None:
    url = "rediss+sentinel://ada:secret@one,two:5000/main/3?sentinel_username=guard&sentinel_password=w0rd"
    topology = topology_of(url)
    assert isinstance(topology, SentinelTopology)
    assert topology._service == "main"
    assert topology._settings.connection_class is SSLConnection
    assert (topology._settings.options["db"], topology._settings.options["password"]) == (3, "secret")
    for sentinel, place in zip(topology._sentinels, [("one", 26379), ("two", 5000)], strict=True):
        assert sentinel.connection_class is SSLConnection
        options = sentinel.options
        assert (options["host"], options["port"]) == place
        assert (options["username"], options["password"]) == ("guard", "w0rd")
        assert "db" not in options


def test_sentinels_without_an_account_are_not_shown_the_masters() -> None:
    topology = cast("SentinelTopology", topology_of("redis+sentinel://:secret@[::1]:5000/ma%2Fin"))
    assert topology._service == "ma/in"
    (sentinel,) = topology._sentinels
    assert sentinel.options["host"] == "::1"
    assert "secret" not in repr(dict(sentinel.options))


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:secret@one",
        "redis+cluster:ada:secret@one",
        "secret",
        "redis+http://:secret@one",
        "redis+cluster://:secret@",
        "redis+cluster://:secret@one,,two",
        "redis+cluster://:secret@one:secret",
        "redis+cluster://:secret@one/1",
        "redis+cluster://:secret@one/0/1",
        "redis+cluster://:se/cret@one",
        "redis+sentinel://:secret@one",
        "redis+sentinel://:secret@one/",
        "redis+sentinel://:secret@one//0",
        "redis+sentinel://:secret@one/main/secret",
        "redis+sentinel://:secret@one/main/0/1",
        "unix+cluster:///secret",
        "redis://:se/cret@one:1",
        "redis://one:secret",
    ],
)
def test_a_wrong_url_is_refused_without_showing_any_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        topology_of(url)
    told = "".join(traceback.format_exception(caught.value))
    assert "redis_or_url" in told
    assert "secret" not in told.replace("topology_of", "")
    assert "cret@" not in told
    assert caught.value.__context__ is None


def test_a_parsed_url_shows_no_secret() -> None:
    assert "secret" not in repr(ServerURL.parse("redis+sentinel://:secret@one/main?sentinel_password=secret"))
