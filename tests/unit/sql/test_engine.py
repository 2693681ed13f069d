"""What may be given as `engine_or_url`, and what is made of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.errors import ConfigurationError
from mintkey.sql.engine import open_engine
from mintkey.sql.postgresql import PostgreSQL
from mintkey.sql.sqlite import SQLite

_TIMEOUT = timedelta(seconds=2)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'app.db'}")
    yield engine
    await engine.dispose()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///f.db", "sqlite+aiosqlite:///f.db", make_url("sqlite:///f.db")]
)
def test_a_sqlite_url_gets_the_asyncio_driver(url: str | URL) -> None:
    opened = open_engine(url, timeout=_TIMEOUT)
    assert opened.engine.dialect.driver == "aiosqlite"
    assert isinstance(opened.backend, SQLite)
    assert opened.is_ours
    assert make_url(opened.name) == make_url(url)


async def test_an_engine_of_somebody_else_stays_theirs(engine: AsyncEngine) -> None:
    opened = open_engine(engine, timeout=_TIMEOUT)
    assert opened.engine is engine
    assert not opened.is_ours


async def test_an_engine_on_postgresql_is_known_by_its_dialect(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server, and no driver, is needed to tell."""
    url = make_url("postgresql+psycopg_async://user:secret@127.0.0.1/database")
    monkeypatch.setattr(engine.sync_engine, "url", url)
    opened = open_engine(engine, timeout=_TIMEOUT)
    assert isinstance(opened.backend, PostgreSQL)
    assert opened.name == "postgresql+psycopg_async://user:***@127.0.0.1/database"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "f.db",
        "no url with secret",
        "mysql://user:secret@127.0.0.1/database",
        "nonsense://user:secret@127.0.0.1/database",
        "sqlite+pysqlite:///secret.db",
        "postgresql+psycopg2://user:secret@127.0.0.1/database",
        "sqlite:///file:secret.db?uri=true",
        "sqlite:///secret.db?mode=memory",
        "sqlite:///f.db?mode=secret",
        "sqlite:///f.db?cache=secret",
        "sqlite://user:secret@host/f.db",
        "postgresql://user:secret@127.0.0.1:port/database",
    ],
)
def test_what_is_no_url_of_ours_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="engine_or_url") as caught:
        open_engine(url, timeout=_TIMEOUT)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("given", [None, 5, create_engine("sqlite://")], ids=["none", "number", "sync engine"])
def test_what_is_neither_url_nor_asyncio_engine_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a URL .* or an AsyncEngine, not"):
        open_engine(given, timeout=_TIMEOUT)  # type: ignore[arg-type]


async def test_an_engine_that_shares_one_connection_is_refused() -> None:
    """Its users' transactions would mix."""
    with pytest.raises(ConfigurationError, match="StaticPool"):
        open_engine(create_async_engine("sqlite+aiosqlite://"), timeout=_TIMEOUT)


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///file::memory:?uri=true"])
async def test_an_engine_with_a_memory_for_each_connection_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="give the URL sqlite://"):
        open_engine(create_async_engine(url, poolclass=NullPool), timeout=_TIMEOUT)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@127.0.0.1/database",
        "postgresql://user@127.0.0.1/database?sslmode=require&sslpassword=hunter2",
        "postgresql://user:hunter2@127.0.0.1/database?sslpassword=hunter2",
    ],
    ids=range(3),
)
async def test_the_name_of_a_database_shows_no_password(url: str) -> None:
    ours = open_engine(url, timeout=_TIMEOUT)
    theirs = open_engine(create_async_engine(url.replace("://", "+asyncpg://")), timeout=_TIMEOUT)
    for opened in (ours, theirs):
        assert "127.0.0.1/database" in opened.name
        assert "hunter2" not in repr(opened)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:hunter2/database", "hunter2"], ids=range(2))
def test_a_url_that_is_none_is_not_even_behind_the_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="engine_or_url is not a URL") as refusal:
        open_engine(url, timeout=_TIMEOUT)
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)
