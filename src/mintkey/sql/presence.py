"""Which of our tables a database has, for those who only want to look: nothing is made by it."""

from collections.abc import Sequence
from datetime import timedelta

import anyio
from sqlalchemy import URL, Connection, inspect, make_url
from sqlalchemy.exc import ArgumentError

from mintkey.errors import KeyProviderError
from mintkey.sql.engine import open_engine
from mintkey.sql.errors import cause_of, explain
from mintkey.sql.schema import metadata

__all__ = ["tables_at"]

_PATIENCE = timedelta(seconds=4)


async def tables_at(url: str, /) -> frozenset[str]:
    """The names of our tables that are there; none if there is no such SQLite file. Nothing is made.

    Args:
        url: Where the database is.

    Raises:
        ConfigurationError: Not a URL of a database that we know (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).
        KeyProviderError: The database cannot be used (`keys_unavailable`).

    Example:
        >>> import anyio
        >>> anyio.run(tables_at, "sqlite://")
        frozenset()
    """
    parsed = _parsed(url)
    if parsed is not None and parsed.get_backend_name() == "sqlite" and parsed.database:
        if not await anyio.Path(parsed.database).exists():
            return frozenset()
        parsed = parsed.update_query_dict({"mode": "ro"})  # SQLite makes no file then
    opened = open_engine(parsed or url, timeout=_PATIENCE)
    try:
        with anyio.fail_after(_PATIENCE.total_seconds()):
            await opened.backend.prepare()
            async with opened.engine.connect() as connection:
                return frozenset(await connection.run_sync(_tables))
    except Exception as error:  # noqa: BLE001 - drivers raise what they like, and none of it may leave
        cause = cause_of(error)
    finally:
        with anyio.CancelScope(shield=True):
            await opened.engine.dispose()
    raise KeyProviderError(f"the database {opened.name} cannot be used: {explain(cause)}") from cause


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None  # `open_engine` says what is wrong, without quoting it


def _tables(connection: Connection) -> Sequence[str]:
    schema = inspect(connection)
    return [name for name in metadata.tables if schema.has_table(name)]
