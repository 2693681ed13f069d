"""What may follow the `?` of a PostgreSQL URL."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.sql import connecting, postgresql_url
from tests.support.postgres import PostgresDatabase


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What an engine was asked for with."""
    asked: dict[str, Any] = {}

    def create(url: URL, **options: Any) -> Any:
        asked.update(options, url=str(url))
        return create_async_engine(url, **options)

    create_async_engine = postgresql_url.create_async_engine  # type: ignore[attr-defined]
    monkeypatch.setattr(postgresql_url, "create_async_engine", create)
    return asked


def connect(url: str) -> None:
    postgresql_url.connect(make_url(url), timeout=timedelta(seconds=2))


def test_our_own_connections_are_bounded_in_time(asked: dict[str, Any]) -> None:
    connect("postgresql+asyncpg://user@127.0.0.1/database")
    assert asked["connect_args"] == {"timeout": 2.0, "async_creator_fn": connecting.connect}
    assert (asked["pool_timeout"], asked["max_overflow"], asked["hide_parameters"]) == (2.0, 0, True)


def test_another_driver_gets_the_url_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(postgresql_url, "create_async_engine", lambda url, **more: asked.update(more, url=str(url)))
    connect("postgresql+psycopg_async://user@127.0.0.1/database?sslmode=require&anything=1")
    assert asked["url"].endswith("/database?anything=1&sslmode=require") or "sslmode=require" in asked["url"]
    assert asked["connect_args"] == {}


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("sslmode=require", {"dsn": "postgresql://?sslmode=require"}),
        ("ssl=verify-full", {"dsn": "postgresql://?sslmode=verify-full"}),
        ("ssl=prefer&sslmode=require", {"dsn": "postgresql://?sslmode=require"}),
        ("sslrootcert=/a%20b/ca.pem", {"dsn": "postgresql://?sslrootcert=%2Fa+b%2Fca.pem"}),
        ("application_name=a&application_name=b", {"dsn": "postgresql://?application_name=b"}),
        ("statement_cache_size=0", {"statement_cache_size": 0}),
        ("prepared_statement_cache_size=0", {"prepared_statement_cache_size": 0}),
    ],
)
def test_the_words_of_libpq_and_of_the_driver_work(
    asked: dict[str, Any], query: str, arguments: dict[str, object]
) -> None:
    connect(f"postgresql+asyncpg://user@127.0.0.1/database?{query}")
    assert asked["connect_args"] == {"timeout": 2.0, "async_creator_fn": connecting.connect, **arguments}
    assert asked["url"] == "postgresql+asyncpg://user@127.0.0.1/database"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sslmode=sometimes", "sslmode .* must be one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("ssl=true", "must be one of"),
        ("target_session_attrs=secret", "target_session_attrs must be one of any, prefer-standby, primary, read-only"),
        ("ssl_min_protocol_version=1.2", "ssl_min_protocol_version must be one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"),
        ("ssl_max_protocol_version=SSLv3", "ssl_max_protocol_version must be one of"),
        ("statement_cache_size=none", "statement_cache_size must be a whole number"),
        ("connect_timeout=3", "'connect_timeout' is not understood; there are application_name"),
        ("sslpassword=hun&T3R=2", "engine_or_url: a parameter is not understood; there are application_name"),
    ],
)
def test_what_is_not_understood_is_a_mistake_that_is_named(query: str, problem: str) -> None:
    """At once, and not by the first call of a service that started well."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        SQLKeyRingStore(f"postgresql://user:secret@127.0.0.1/database?{query}")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("query", ["sslmode=disable", "ssl=prefer", "application_name=mint&statement_cache_size=0"])
async def test_a_server_without_tls_is_reached_where_that_is_allowed(postgres: PostgresDatabase, query: str) -> None:
    async with SQLKeyRingStore(f"{postgres.url}?{query}") as store:
        assert await store.load("default") is None


@pytest.mark.parametrize("query", ["sslmode=require", "ssl=verify-full"])
async def test_a_server_without_tls_is_not_reached_where_tls_is_required(
    postgres: PostgresDatabase, query: str
) -> None:
    async with SQLKeyRingStore(f"{postgres.url}?{query}") as store:
        with pytest.raises(KeyProviderError, match="cannot be used"):
            await store.load("default")


async def test_a_socket_is_a_place_too(postgres: PostgresDatabase) -> None:
    server = postgres.server
    url = f"postgresql://postgres@/{postgres.name}?host={server.directory}&port={server.port}"
    async with SQLKeyRingStore(url) as store:
        assert await store.load("default") is None


async def test_settings_reach_the_server(postgres: PostgresDatabase) -> None:
    await postgres.send("CREATE SCHEMA elsewhere")
    async with SQLKeyRingStore(f"{postgres.url}?search_path=elsewhere&application_name=mint") as store:
        await store.load("default")
        assert await postgres.send("SELECT count(*) FROM elsewhere.mintkey_rings") == ["0"]
        assert await postgres.send("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'mint'") == ["t"]
