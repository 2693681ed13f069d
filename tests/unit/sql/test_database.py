"""Transactions for many callers: shared, bounded in time, never left open, whatever happens to callers and the file."""

import asyncio
import logging
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mintkey.errors import BackendError, ConfigurationError, KeyProviderError
from mintkey.sql.database import Database
from mintkey.sql.engine import EngineOrURL
from mintkey.sql.schema import CUT_OFFS, MARKS, RINGS, metadata
from tests.support.sql_faults import is_writable, locked, read_from

MakeDatabase = Callable[..., Database]


def _failure(message: str, /, *, may_have_happened: bool) -> BackendError:
    return KeyProviderError(message, details={"may_have_happened": may_have_happened})


async def put(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    for name in names:
        await connection.execute(RINGS.insert().values(name=name, revision=1, document=b"private"))
    return list(names)


async def put_and_fail(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    await put(connection, names)
    raise ValueError("not this one")


async def put_apart(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    """The same under another name, so that it is not done in one go."""
    return await put(connection, names)


async def names_of(connection: AsyncConnection, requests: Sequence[None]) -> list[list[str]]:
    found = list((await connection.scalars(select(RINGS.c.name).order_by(RINGS.c.name))).all())
    return [found for _ in requests]


async def stored(database: Database) -> list[str]:
    return await database.read(names_of, None)


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as file:
        return {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def connections_left() -> list[threading.Thread]:
    """The threads of connections that nobody closed."""
    threads = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for thread in threads:
        thread.join(0.5)  # one that was closed just now is about to end
    return [thread for thread in threads if thread.is_alive()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mintkey.db"


@pytest.fixture
async def make(engine: AsyncEngine) -> AsyncIterator[MakeDatabase]:
    made: list[Database] = []

    def database(engine_or_url: EngineOrURL, *, timeout: float = 5) -> Database:
        made.append(Database(engine_or_url, tables=(RINGS,), timeout=timedelta(seconds=timeout), failure=_failure))
        return made[-1]

    yield database
    for each in made:
        await each.close()


@pytest.fixture
def database(make: MakeDatabase, path: Path) -> Database:
    return make(f"sqlite:///{path}")


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine of the application, with a patience of its own that is longer than ours."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 30})
    yield engine
    await engine.dispose()


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(seconds=-1)])
def test_a_timeout_must_be_positive(timeout: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be positive"):
        Database("sqlite://", tables=(), timeout=timeout, failure=_failure)


# Tables


async def test_only_the_tables_that_are_needed_are_made(database: Database, path: Path) -> None:
    assert await stored(database) == []
    assert tables_in(path) == {"mintkey_rings"}


async def test_tables_that_exist_are_left_alone(make: MakeDatabase, path: Path, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    with locked(path):  # nothing is to be written, so nobody is to be waited for
        assert await stored(make(f"sqlite:///{path}")) == []
    assert tables_in(path) >= {MARKS.name, CUT_OFFS.name}


async def test_a_table_that_somebody_dropped_is_made_again(database: Database, path: Path) -> None:
    await database.write(put, "before")
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE mintkey_rings")
    assert await stored(database) == []
    assert await database.write(put, "after") == "after"


# Sharing


async def test_concurrent_writes_share_transactions(make: MakeDatabase, engine: AsyncEngine) -> None:
    database, commits = make(engine), list[object]()
    await stored(database)
    event.listen(engine.sync_engine, "commit", commits.append)
    names = [f"{number:03}" for number in range(100)]
    assert await asyncio.gather(*(database.write(put, name) for name in names)) == names
    assert await stored(database) == names
    assert len(commits) <= 3


async def test_a_request_that_fails_takes_nobody_with_it(database: Database) -> None:
    """Its transaction is rolled back, and the others run again without it."""
    answers = await asyncio.gather(
        database.write(put, "a"),
        database.write(put_and_fail, "b"),
        database.write(put, "c"),
        return_exceptions=True,
    )
    assert [answers[0], answers[2]] == ["a", "c"]
    assert isinstance(answers[1], KeyProviderError)
    assert answers[1].details["may_have_happened"] is False
    assert await stored(database) == ["a", "c"]


async def test_a_refusal_of_our_own_passes_unchanged(database: Database) -> None:
    async def refuse(_connection: AsyncConnection, _requests: Sequence[None]) -> Sequence[None]:
        raise ConfigurationError("not like this")

    with pytest.raises(ConfigurationError, match="not like this"):
        await database.read(refuse, None)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_in_memory_all_callers_share_one_database(make: MakeDatabase, url: str) -> None:
    database = make(url)
    await asyncio.gather(*(database.write(put, f"{number:02}") for number in range(20)))
    found = await asyncio.gather(*(stored(database) for _ in range(20)))
    assert found == [[f"{number:02}" for number in range(20)]] * 20
    await database.close()
    assert await stored(database) == []


# Errors


async def test_an_error_names_the_cause_and_no_parameters(database: Database) -> None:
    await database.write(put, "a")
    with pytest.raises(KeyProviderError, match=r"sqlite:.*mintkey\.db cannot be used: UNIQUE") as caught:
        await database.write(put, "a")
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert caught.value.__cause__.__cause__ is None
    assert "private" not in str(caught.value)


async def test_a_locked_database_is_an_error_in_time_and_nothing_happened(make: MakeDatabase, path: Path) -> None:
    database = make(f"sqlite:///{path}", timeout=1.5)
    await database.write(put, "a")
    with locked(path):
        assert await stored(database) == ["a"]  # readers do not wait for writers
        with anyio.fail_after(2.8), pytest.raises(KeyProviderError, match=r"locked|no answer in time") as caught:
            await database.write(put, "b")
        assert caught.value.details["may_have_happened"] is False
    assert await database.write(put, "c") == "c"
    assert await stored(database) == ["a", "c"]


async def test_what_was_given_up_does_not_happen_later(make: MakeDatabase, engine: AsyncEngine, path: Path) -> None:
    """The transaction begins when the lock is free, after its caller has been told that nothing happened."""
    database = make(engine, timeout=1.5)
    await stored(database)
    with locked(path), pytest.raises(KeyProviderError, match="no answer in time") as caught:
        await database.write(put, "given up")
    assert caught.value.details["may_have_happened"] is False
    assert await make(engine).write(put, "afterwards")
    await database.close()
    assert await stored(database) == ["afterwards"]


async def test_a_caller_that_leaves_does_not_write_in_the_company_of_others(
    make: MakeDatabase, engine: AsyncEngine, path: Path
) -> None:
    database = make(engine)
    await stored(database)
    async with anyio.create_task_group() as staying:
        with locked(path):
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(database.write, put, "leaving")
                staying.start_soon(database.write, put, "staying")
                leaving.start_soon(database.write, put_apart, "leaving, too")
                await anyio.wait_all_tasks_blocked()
                leaving.cancel_scope.cancel()
    assert await stored(database) == ["staying"]


async def test_a_commit_without_an_answer_may_have_happened(
    make: MakeDatabase, engine: AsyncEngine, path: Path
) -> None:
    """Without a write-ahead log, a commit waits for readers."""
    database = make(engine, timeout=1.5)
    await database.write(put, "a")
    with read_from(path, "mintkey_rings"), pytest.raises(KeyProviderError, match="no answer in time") as caught:
        await database.write(put, "b")
    assert caught.value.details["may_have_happened"] is True
    await database.close()  # waits for what is under way
    assert await stored(database) == ["a", "b"]


async def test_a_commit_that_fails_may_have_happened(make: MakeDatabase, path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 0.1})
    database = make(engine)
    await stored(database)
    with read_from(path, "mintkey_rings"), pytest.raises(KeyProviderError, match="locked") as caught:
        await database.write(put, "b")
    assert caught.value.details["may_have_happened"] is True
    assert is_writable(path)
    await engine.dispose()


async def test_reads_never_have_happened(make: MakeDatabase, path: Path) -> None:
    async def fail(_connection: AsyncConnection, _requests: Sequence[None]) -> Sequence[None]:
        raise OSError("no")

    with pytest.raises(KeyProviderError) as caught:
        await make(f"sqlite:///{path}").read(fail, None)
    assert caught.value.details["may_have_happened"] is False


async def test_a_full_database_is_an_error_and_nothing_happened(
    make: MakeDatabase, engine: AsyncEngine, path: Path
) -> None:
    async def put_much(connection: AsyncConnection, names: Sequence[str]) -> Sequence[str]:
        await connection.execute(RINGS.insert().values(name=names[0], revision=1, document=bytes(100_000)))
        return names

    @event.listens_for(engine.sync_engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        connection.cursor().execute("PRAGMA max_page_count = 8")

    database = make(engine)
    with pytest.raises(KeyProviderError, match="full") as caught:
        await database.write(put_much, "big")
    assert caught.value.details["may_have_happened"] is False
    assert await database.write(put, "small") == "small"
    assert await stored(database) == ["small"]


async def test_a_read_only_database_is_read_and_not_written(make: MakeDatabase, database: Database, path: Path) -> None:
    await database.write(put, "a")
    reading = make(f"sqlite:///{path}?mode=ro")
    assert await stored(reading) == ["a"]
    with pytest.raises(KeyProviderError, match="readonly") as caught:
        await reading.write(put, "b")
    assert caught.value.details["may_have_happened"] is False


async def test_tables_cannot_be_made_in_a_read_only_database(make: MakeDatabase, path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE other (a)")
    with pytest.raises(KeyProviderError, match="readonly"):
        await stored(make(f"sqlite:///{path}?mode=ro"))


@pytest.mark.parametrize("damage", ["garbage", "directory", "nowhere"])
async def test_what_is_no_database_is_an_error(make, tmp_path, damage):
    path = tmp_path / damage
    if damage == "garbage":
        path.write_bytes(b"this is no database" * 1000)
    elif damage == "directory":
        path.mkdir()
    else:
        path = path / "mintkey.db"
    database = make(f"sqlite:///{path}")
    for _ in range(2):
        with pytest.raises(KeyProviderError, match=r"cannot be used: .*(not a database|unable to open|No such file)"):
            await stored(database)
        with pytest.raises(KeyProviderError):
            await database.write(put, "a")
    await database.close()
    assert await anyio.to_thread.run_sync(connections_left) == []


async def test_a_damaged_page_is_an_error(make, database, path):
    await asyncio.gather(*(database.write(put, f"{number:03}") for number in range(300)))
    await database.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(KeyProviderError, match="malformed"):
        await stored(make(f"sqlite:///{path}"))


# A file that goes away


async def test_a_file_that_was_deleted_is_not_written_any_more(database, path, caplog):
    """Others would not see what went into it."""
    await asyncio.gather(database.write(put, "before"), stored(database), stored(database))
    path.unlink()
    assert await stored(database) == []
    assert await database.write(put, "after") == "after"
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT name FROM mintkey_rings").fetchall() == [("after",)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ("mintkey", logging.WARNING) in {(record.name, record.levelno) for record in caplog.records}


@pytest.mark.parametrize("is_foreign", [False, True], ids=["url", "engine"])
async def test_a_file_that_was_replaced_is_opened_anew(make, engine, path, tmp_path, is_foreign):
    other = make(f"sqlite:///{tmp_path / 'other.db'}")
    await other.write(put, "in the other")
    await other.close()
    database = make(engine if is_foreign else f"sqlite:///{path}")
    await asyncio.gather(database.write(put, "in the first"), stored(database), stored(database))
    (tmp_path / "other.db").replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert await stored(database) == ["in the other"]
    assert await asyncio.gather(database.write(put, "x"), stored(database), database.write(put, "y"))
    assert await stored(database) == ["in the other", "x", "y"]


async def test_a_directory_that_went_away_is_an_error_until_it_is_back(make, tmp_path):
    (tmp_path / "data").mkdir()
    database = make(f"sqlite:///{tmp_path / 'data' / 'mintkey.db'}")
    await database.write(put, "a")
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(KeyProviderError):
        await database.write(put, "b")
    (tmp_path / "data").mkdir()
    assert await database.write(put, "c") == "c"
    assert await stored(database) == ["c"]


# Callers that leave


async def test_cancelled_callers_leave_no_transaction_open(make: MakeDatabase, path: Path) -> None:
    database = make(f"sqlite:///{path}")
    await stored(database)
    for pauses in range(12):
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(database.write, put, f"{pauses}/{number}")
                tasks.start_soon(stored, database)
            for _ in range(pauses):
                await anyio.to_thread.run_sync(int)
            tasks.cancel_scope.cancel()
    await database.close()
    assert is_writable(path)
    assert await database.write(put, "z") == "z"


async def test_a_transaction_that_everybody_left_is_rolled_back(database: Database) -> None:
    began, go_on = anyio.Event(), anyio.Event()

    async def put_slowly(connection: AsyncConnection, names: Sequence[str]) -> Sequence[str]:
        await put(connection, names)
        began.set()
        await go_on.wait()
        return names

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, put_slowly, "left")
        await began.wait()
        tasks.cancel_scope.cancel()
    go_on.set()
    await database.close()
    assert await stored(database) == []


async def test_an_answer_that_nobody_waits_for_is_dropped(database: Database) -> None:
    began, go_on = anyio.Event(), anyio.Event()

    async def put_slowly(connection: AsyncConnection, names: Sequence[str]) -> Sequence[str]:
        began.set()
        await go_on.wait()
        return await put(connection, names)

    async with anyio.create_task_group() as staying:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(database.write, put_slowly, "left")
            await anyio.wait_all_tasks_blocked()
            staying.start_soon(database.write, put_slowly, "stayed")
            await began.wait()
            leaving.cancel_scope.cancel()
        go_on.set()
    assert "stayed" in await stored(database)


async def test_a_failure_that_nobody_waits_for_is_dropped(database: Database) -> None:
    began, go_on = anyio.Event(), anyio.Event()

    async def fail_slowly(_connection: AsyncConnection, _names: Sequence[str]) -> Sequence[str]:
        began.set()
        await go_on.wait()
        raise OSError("no")

    async with anyio.create_task_group() as leaving:
        leaving.start_soon(database.write, fail_slowly, "left")
        await began.wait()
        leaving.cancel_scope.cancel()
    go_on.set()
    assert await database.write(put, "next") == "next"


# Closing, loops


async def test_closing_leaves_an_engine_of_somebody_else_open(make: MakeDatabase, engine: AsyncEngine) -> None:
    database = make(engine)
    await database.write(put, "a")
    pool = engine.pool
    await database.close()
    assert engine.pool is pool  # disposing would have replaced it
    assert await stored(database) == ["a"]


async def test_closing_our_own_engine_closes_the_file(database, path):
    await database.write(put, "a")
    assert path.with_name("mintkey.db-wal").exists()
    await database.close()
    await database.close()
    assert not path.with_name("mintkey.db-wal").exists()  # the last connection takes it along
    assert await stored(database) == ["a"]


def test_one_loop_after_the_other_may_use_it(path: Path) -> None:
    """Even if the first one ended with work under way, and nothing was closed."""
    database = Database(f"sqlite:///{path}", tables=(RINGS,), timeout=timedelta(seconds=5), failure=_failure)

    async def leave_in_the_middle() -> None:
        await database.write(put, "a")
        leaving = asyncio.create_task(database.write(put, "b"))
        await asyncio.sleep(0)
        del leaving

    async def go_on() -> list[str]:
        await database.write(put, "c")
        try:
            return await stored(database)
        finally:
            await database.close()

    asyncio.run(leave_in_the_middle())
    assert set(asyncio.run(go_on())) >= {"a", "c"}
    assert is_writable(path)
