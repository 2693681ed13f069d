"""SQLite as we set it up, and engines of applications that set it up in another way."""

import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.health import Check
from mintkey.keys.ports import StoredRing
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql import sqlite, sqlite_file
from mintkey.sql.notifications import listening
from tests.support.sql_faults import locked, read_from
from tests.support.sql_harness import engine_of

_TIMEOUT = timedelta(seconds=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mintkey.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLKeyRingStore]:
    async with SQLKeyRingStore(f"sqlite:///{path}") as store:
        yield store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Connections of our own


async def test_commits_are_flushed_and_what_is_erased_is_gone(path: Path) -> None:
    engine, backend = sqlite.connect(make_url(f"sqlite+aiosqlite:///{path}"), timeout=_TIMEOUT)
    await backend.prepare()
    async with engine.connect() as connection:
        found = {
            pragma: await connection.scalar(_Pragma(pragma))
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    await engine.dispose()
    full = 2
    assert found == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 1800,
    }


def _Pragma(name: str) -> Any:  # noqa: N802
    from sqlalchemy import text

    return text(f"PRAGMA {name}")


async def test_all_files_are_for_us_alone_whatever_the_umask(store, path):
    before = os.umask(0)
    try:
        await store.compare_and_swap("default", expected=0, document=b"{}")
    finally:
        os.umask(before)
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "mintkey.db": 0o600,
        "mintkey.db-wal": 0o600,
        "mintkey.db-shm": 0o600,
    }


async def test_a_strict_umask_does_not_lock_us_out(store, path):
    before = os.umask(0o377)
    try:
        await store.compare_and_swap("default", expected=0, document=b"{}")
    finally:
        os.umask(before)
    assert mode(path) == 0o600


async def test_a_file_that_exists_keeps_its_mode(store, path):
    """It may be shared on purpose."""
    path.touch(mode=0o600)
    path.chmod(0o660)
    assert await store.compare_and_swap("default", expected=0, document=b"{}")
    assert mode(path) == 0o660


async def test_a_file_that_somebody_else_creates_meanwhile_is_taken(store, path, monkeypatch):
    path.touch(mode=0o600)
    inode = path.stat().st_ino
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    assert await store.compare_and_swap("default", expected=0, document=b"{}")
    assert path.stat().st_ino == inode
    assert {file.name for file in path.parent.iterdir()} == {"mintkey.db", "mintkey.db-wal", "mintkey.db-shm"}


async def test_where_the_log_cannot_be_switched_on_all_works_without(store, path, monkeypatch):
    await store.compare_and_swap("default", expected=0, document=b"{}")
    await store.aclose()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.setattr(sqlite_file, "_SWITCH_PATIENCE", 0)
    with read_from(path, "mintkey_rings"):
        assert await store.load("default") == StoredRing(b"{}", 1)
    assert await store.compare_and_swap("default", expected=1, document=b"next")
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize(
    "name", ["with space.db", "per%20cent.db", "hash#.db", "question?.db", "ünïcode.db", "a+b&c.db"]
)
async def test_any_file_name_will_do(tmp_path, name):
    url = make_url("sqlite://").set(database=str(tmp_path / name))
    async with SQLKeyRingStore(url) as store:
        assert await store.compare_and_swap("default", expected=0, document=b"{}")
    assert [file.name for file in tmp_path.iterdir()] == [name]


async def test_a_relative_path_does_not_move_with_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    async with SQLKeyRingStore("sqlite:///keys.db") as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        monkeypatch.chdir("elsewhere")
        for _ in range(2):
            found = await asyncio.gather(*(store.load("default") for _ in range(200)))
            assert {stored.document for stored in found} == {b"{}"}
            await store.aclose()
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_a_file_to_be_read_only_is_not_created(path):
    async with SQLKeyRingStore(f"sqlite:///{path}?mode=ro") as store:
        with pytest.raises(KeyProviderError, match="unable to open"):
            await store.load("default")
    assert not path.exists()


# Engines of somebody else


def _explicit_begin(engine: AsyncEngine) -> None:
    """The recipe of SQLAlchemy's own documentation."""

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


def _engines(path: Path) -> dict[str, AsyncEngine]:
    url = f"sqlite+aiosqlite:///{path}"
    engines = {
        "plain": create_async_engine(url),
        "explicit begin": create_async_engine(url),
        "autocommit": create_async_engine(url, isolation_level="AUTOCOMMIT"),
        "small pool": create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0),
    }
    if sys.version_info >= (3, 12):
        engines["modern transactions"] = create_async_engine(url, connect_args={"autocommit": False})
    _explicit_begin(engines["explicit begin"])
    return engines


@pytest.mark.parametrize("kind", _engines(Path("unused")))
async def test_an_engine_of_an_application_works_as_it_is_set_up(path: Path, kind: str) -> None:
    """Concurrent stores on it, in another process's company, lose nothing and grant nothing twice."""
    engine = _engines(path)[kind]
    stores = [SQLKeyRingStore(engine), SQLKeyRingStore(engine), SQLKeyRingStore(f"sqlite:///{path}")]
    assert await stores[0].compare_and_swap("default", expected=0, document=b"{}")
    granted = await asyncio.gather(
        *(stores[number % 3].reserve("default", "kid", want=2, limit=75) for number in range(60))
    )
    assert sorted(granted) == [0] * 22 + [1] + [2] * 37
    assert await stores[0].compare_and_swap("default", expected=1, document=b"next")
    assert not await stores[1].compare_and_swap("default", expected=1, document=b"lost")
    assert await stores[2].load("default") == StoredRing(b"next", 2, {"kid": 75})
    for store in stores:
        await store.aclose()
    with locked(path):  # nothing was left open
        pass
    await engine.dispose()


async def test_an_engine_of_an_application_keeps_its_journal(path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    await SQLKeyRingStore(engine).compare_and_swap("default", expected=0, document=b"{}")
    await engine.dispose()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_it_shows_whether_commits_are_flushed(path: Path) -> None:
    async with SQLKeyRingStore(f"sqlite:///{path}") as rings, SQLReplayStore(f"sqlite:///{path}") as marks:
        for each in (rings, marks):
            assert await each.checks() == {"durability": Check(ok=True, word="full", figure=0)}


@pytest.mark.parametrize(("level", "word"), [(0, "off"), (1, "normal"), (2, "full"), (3, "extra")])
async def test_an_engine_that_does_not_flush_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture, level: int, word: str
) -> None:
    engine = engine_of(path)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA synchronous = {level}")

    async with SQLReplayStore(engine) as store:
        (check,) = (await store.checks()).values()
        assert (check.ok, check.word) == (level >= 2, word)
    await engine.dispose()
    said = [record.getMessage() for record in caplog.records if record.name == "mintkey"]
    assert len(said) == (level < 2)
    assert all(f"PRAGMA synchronous = {word}" in warning for warning in said)


async def test_a_table_that_lacks_a_column_is_an_error_that_says_what_to_do(path: Path) -> None:
    async with SQLKeyRingStore(f"sqlite:///{path}") as store:
        await store.compare_and_swap("default", expected=0, document=b"{}")
        await store.reserve("default", "kid", want=3, limit=3)
        with closing(sqlite3.connect(path)) as file:
            file.execute("ALTER TABLE mintkey_mints RENAME COLUMN returned TO given")
            with pytest.raises(ConfigurationError, match="mintkey_mints lacks the column returned") as caught:
                await store.load("default")
            _, _, cure = str(caught.value).partition("Migrate it: ")
            file.execute(cure)
        stored = await store.load("default")
        assert stored is not None
        assert (stored.mints, stored.returned, stored.time) == ({"kid": 3}, {}, None)


async def test_it_has_no_bells(path: Path) -> None:
    """Whoever watches connects to nothing, for who leaves while aiosqlite connects leaves a file open."""
    store = SQLKeyRingStore(f"sqlite:///{path}")
    assert [revision async for revision in store.watch("default")] == []
    assert not await anyio.Path(path).exists()


async def test_nor_has_another_driver(path: Path) -> None:
    engine = engine_of(path)
    async with engine.connect() as connection, listening(connection, "anything") as bell:
        assert bell is None
    await engine.dispose()
