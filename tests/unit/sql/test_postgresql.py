"""What is said to PostgreSQL, as far as it can be known without a server."""

from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import ClauseElement, Executable, make_url
from sqlalchemy.dialects import postgresql as dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.sql import postgresql
from mintkey.sql.ledger import Ledger
from mintkey.sql.marks import MarkStatements
from mintkey.sql.rings import Rings


class Connection:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    async def execution_options(self, **options: object) -> None:
        self.told.append(options)

    async def execute(self, statement: Executable) -> None:
        self.told.append(_sql(statement))

    async def commit(self) -> None:
        self.told.append("commit")


def _sql(statement: Executable) -> str:
    return " ".join(str(cast("ClauseElement", statement).compile(dialect=dialect.dialect())).split())


class _RefusalError(Exception):
    sqlstate: str | None = None


class _UndefinedTableError(_RefusalError):
    sqlstate = "42P01"


def _error(original: Exception, *, is_disconnect: bool = False) -> DBAPIError:
    return DBAPIError("SELECT", None, original, connection_invalidated=is_disconnect)


async def test_a_write_is_read_committed_and_committed() -> None:
    backend, connection = postgresql.PostgreSQL(), Connection()
    given = cast("AsyncConnection", connection)
    await backend.prepare()
    assert await backend.is_current(given)
    await backend.begin(given)
    await backend.lock_schema(given)
    await backend.commit(given)
    isolation, lock, commit = connection.told
    assert isolation == {"isolation_level": "READ COMMITTED"}
    assert "pg_advisory_xact_lock" in str(lock)
    assert commit == "commit"


@pytest.mark.parametrize(
    ("error", "is_stale"),
    [
        (_error(_UndefinedTableError()), True),
        (_error(_RefusalError(), is_disconnect=True), True),
        (_error(_RefusalError()), False),
        (OSError(), False),
    ],
)
def test_a_lost_connection_and_a_dropped_table_are_worth_another_try(error: Exception, is_stale: bool) -> None:
    assert postgresql.PostgreSQL().is_stale(error) is is_stale


def test_what_others_are_deleting_is_left_to_them() -> None:
    """Two purges of the same rows in another order would deadlock."""
    purges = MarkStatements.of(postgresql.PostgreSQL().insert, is_fenced=True).purges
    assert all(_sql(purge).endswith("FOR UPDATE SKIP LOCKED)") for purge in purges)


def test_every_statement_exists_in_this_dialect() -> None:
    insert = postgresql.PostgreSQL().insert
    Rings(insert)
    Ledger(insert, is_fenced=False)
    for is_fenced in (True, False):
        statements = MarkStatements.of(insert, is_fenced=is_fenced)
        assert "ON CONFLICT (name) DO UPDATE" in _sql(statements.claim)
        assert ("EXISTS" in _sql(statements.claim)) is is_fenced


@pytest.mark.parametrize(
    ("url", "limits"),
    [
        ("postgresql+asyncpg://user@127.0.0.1/database", {"timeout": 2.0, "command_timeout": 2.0}),
        ("postgresql+psycopg_async://user@127.0.0.1/database", {}),
    ],
)
def test_our_own_connections_are_bounded_in_time(
    monkeypatch: pytest.MonkeyPatch, url: str, limits: dict[str, float]
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(postgresql, "create_async_engine", lambda _url, **options: asked.update(options))
    postgresql.connect(make_url(url), timeout=timedelta(seconds=2))
    assert asked["connect_args"] == limits
    assert (asked["pool_timeout"], asked["max_overflow"], asked["hide_parameters"]) == (2.0, 0, True)
