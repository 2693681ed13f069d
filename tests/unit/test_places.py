"""From a URL to a whole service: one place for keys and marks, or an error that says which URLs there are."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from mintkey import ConfigurationError, MissingExtraError, Purpose, TokenReplayedError, TokenService
from mintkey.keys import Plaintext, RotationPolicy, Sealer
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.places import kind_of, marks_database_of, place_of, replay_store_of, ring_store_of
from mintkey.replay import ClaimStatus, MemoryReplayStore, RedisReplayStore, SQLReplayStore
from mintkey.testing import FakeClock

LINK = Purpose("link", lifetime=timedelta(minutes=1), single_use=True)
SESSION = Purpose("session", lifetime=timedelta(minutes=1))

SERVERS = {
    "redis": "valkey",
    "redis cluster": "redis_cluster",
    "redis sentinel": "redis_sentinel",
    "postgresql": "postgres",
}
MARKS = {"memory": MemoryReplayStore, "file": SQLReplayStore, "sqlite": SQLReplayStore, "postgresql": SQLReplayStore}


def sealed():
    return Sealer([Sealer.generate_key()])


@pytest.fixture
def url_of(request, tmp_path):
    """The URL of an empty place of each kind."""

    def url_of(kind):
        if kind in SERVERS:
            return request.getfixturevalue(SERVERS[kind]).url
        return {
            "memory": "memory://",
            "file": f"file://{tmp_path / 'a ring'}".replace(" ", "%20"),
            "sqlite": f"sqlite:///{tmp_path / 'tokens.db'}",
        }[kind]

    return url_of


@asynccontextmanager
async def keys_at(url, **settings) -> AsyncIterator[RotatingKeyProvider]:
    keys, _ = place_of(url, **settings)
    async with keys:
        yield keys


@pytest.mark.parametrize("kind", ["memory", "file", "sqlite", *SERVERS])
async def test_a_service_from_a_url_mints_and_spends(kind, url_of):
    async with TokenService.from_url(
        url_of(kind), issuer="i", sealer=sealed(), policy=RotationPolicy(previous_ttl=timedelta(hours=1))
    ) as tokens:
        token = await tokens.mint(LINK)
        assert await tokens.verify(token, LINK)
        with pytest.raises(TokenReplayedError):
            await tokens.verify(token, LINK)
        assert (await tokens.health()).ok
        assert tokens._provider.max_token_age == timedelta(hours=1)
        assert isinstance(tokens._replay, MARKS.get(kind, RedisReplayStore))


@pytest.mark.parametrize("kind", ["sqlite", "redis", "postgresql"])
async def test_a_second_process_shares_the_place(kind, url_of):
    url, sealer = url_of(kind), sealed()
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as first:
        token = await first.mint(LINK)
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as second:
        assert await second.verify(token, LINK)
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as third:
        with pytest.raises(TokenReplayedError):
            await third.verify(token, LINK)


@pytest.mark.parametrize("kind", ["file", "sqlite", "redis", "postgresql"])
async def test_one_place_holds_several_rings(kind, url_of):
    url, sealer = url_of(kind), sealed()
    async with (
        keys_at(url, sealer=sealer, ring="a") as first,
        keys_at(url, sealer=sealer, ring="b", algorithm="ES256") as second,
    ):
        assert {version.algorithm for version in await first.versions()} == {"EdDSA"}
        assert {version.algorithm for version in await second.versions()} == {"ES256"}


async def test_the_settings_of_a_fleet_reach_the_keys():
    clock = FakeClock()
    settings = {
        "ring": "fleet",
        "algorithm": "ES384",
        "refresh_interval": timedelta(minutes=1),
        "outage_tolerance": timedelta(hours=1),
        "max_clock_skew": timedelta(minutes=2),
        "policy": RotationPolicy(publish_ahead=timedelta(minutes=10)),
        "clock": clock,
    }
    async with TokenService.from_url("memory://", issuer="i", **settings) as tokens:
        token = await tokens.mint(SESSION)
        jwks = await tokens.jwks()
        clock.advance(timedelta(seconds=70))
        assert jwks.as_dict()["keys"][0]["alg"] == "ES384"
        assert jwks.max_age == timedelta(minutes=10 - 1 - 2)
        assert token.expires_at < clock.now()
    with pytest.raises(ConfigurationError, match="ring must be") as caught:
        TokenService.from_url("memory://", issuer="i", ring="no ring", outage_tolerance=timedelta(seconds=1))
    assert "outage_tolerance" in str(caught.value)


async def test_looking_at_unfenced_marks_writes_nothing(valkey):
    async with replay_store_of(valkey.url, fence=False) as marks:
        assert await marks.status("x" * 22, issued_at=FakeClock().now()) is ClaimStatus.UNUSED
    assert await valkey.send("DBSIZE") == 0


@pytest.mark.parametrize("kind", ["memory", "file", "sqlite", *SERVERS])
async def test_a_ring_can_be_looked_at_by_its_store_alone(kind, url_of):
    url, sealer = url_of(kind), sealed()
    store = ring_store_of(url)
    assert await store.load("default") is None
    async with keys_at(url, sealer=sealer) as keys:
        await keys.versions()
        # Memory belongs to whoever made it.
        assert (await store.load("default") is not None) is (kind != "memory")
    if kind != "memory":
        await store.aclose()


@pytest.mark.parametrize(
    ("url", "kind", "database"),
    [
        ("memory://", "memory", None),
        ("file:///a%20b", "file", "sqlite:////a b/marks.db"),
        ("sqlite:///a.db", "sql", "sqlite:///a.db"),
        ("sqlite+aiosqlite:///a.db", "sql", "sqlite+aiosqlite:///a.db"),
        ("postgresql://h/d", "sql", "postgresql://h/d"),
        ("postgres://h/d", "sql", "postgres://h/d"),
        ("postgresql+asyncpg://h/d", "sql", "postgresql+asyncpg://h/d"),
        ("redis://h", "redis", None),
        ("rediss://h", "redis", None),
        ("unix:///s", "redis", None),
        ("redis+cluster://a:1,b:2", "redis", None),
        ("rediss+cluster://a", "redis", None),
        ("redis+sentinel://u:p@a,b:2/service/1", "redis", None),
        ("rediss+sentinel://a/service", "redis", None),
    ],
)
def test_every_form_of_url(url, kind, database):
    assert kind_of(url) == kind
    assert marks_database_of(url) == database
    keys, marks = place_of(url, sealer=Plaintext())
    assert isinstance(keys, RotatingKeyProvider)
    assert isinstance(marks, MARKS.get(kind, RedisReplayStore if kind == "redis" else SQLReplayStore))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://u:hunter2@x",
        "file://",
        "file:///",
        "file://relative",
        "file://host/hunter2",
        "file+x:///a",
        "file+:///a",
        "memory+://",
        "redis+://u:hunter2@h",
        "sqlite+:///a.db",
        "memory",
        "memory+x://",
        "sqlite://",
        "sqlite:",
        "mysql://u:hunter2@x",
        "redis://",
        "redis+nonsense://u:hunter2@h",
        "unix+cluster:///s",
        "redis:u:hunter2@h",
    ],
)
def test_a_url_that_names_no_place_is_refused(url):
    for make in (place_of, ring_store_of, replay_store_of, kind_of, marks_database_of):
        with pytest.raises(ConfigurationError, match=r"file:///directory, sqlite:///file\.db, postgresql://") as caught:
            make(url)
        assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("url", ["file:///keys/a?b", "file:///keys/a%3Fb", "file:///keys/a%00b", "file:///keys?ring=a"])
def test_a_directory_whose_marks_would_be_elsewhere_is_refused(url):
    for make in (place_of, ring_store_of, replay_store_of, kind_of, marks_database_of):
        with pytest.raises(ConfigurationError, match=r"must not have a \? or a null character"):
            make(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2@h:hunter2",
        "redis://[hunter2",
        "redis+cluster://u:hunter2@",
        "redis+sentinel://u:hunter2@a:1",
        "postgresql://u:hunter2@h:hunter2/x",
        "postgresql+nonsense://u:hunter2@h/x",
        "sqlite+nonsense:///x",
    ],
)
def test_a_url_with_a_mistake_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError, match="_or_url") as caught:
        TokenService.from_url(url, issuer="i", sealer=Plaintext())
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("sqlite:///x.db", "SQLKeyProvider"),
        ("postgresql://h/x", "SQLKeyProvider"),
        ("redis://h", "RedisKeyProvider"),
        ("redis+cluster://h", "RedisKeyProvider"),
    ],
)
def test_what_many_can_read_takes_no_open_keys_by_accident(url, provider):
    with pytest.raises(ConfigurationError, match=rf"{provider}.*sealer"):
        TokenService.from_url(url, issuer="i")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("mintkey.sql", "sqlalchemy"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("mintkey.keys.sql", "mintkey.replay.sql", "mintkey.keys.stores.sql"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtraError, match=r"mintkey\[sql\]"):
        TokenService.from_url(f"sqlite:///{tmp_path / 'x.db'}", issuer="i", sealer=sealed())
