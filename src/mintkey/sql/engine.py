"""From what the caller gave, a URL or an engine of their own, to an engine that we can use."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import URL, StaticPool, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine

from mintkey.errors import ConfigurationError, MissingExtraError
from mintkey.sql import postgresql_url, sqlite
from mintkey.sql.backend import Backend
from mintkey.sql.postgresql import PostgreSQL

__all__ = ["EngineOrURL", "OpenedEngine", "open_engine"]

EngineOrURL = AsyncEngine | URL | str
"""Where a database is: a URL, or an engine that stays its owner's."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_FORMS = "sqlite:///file.db, sqlite:// or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class OpenedEngine:
    """An engine, ready for its first connection; nothing is connected yet.

    Attributes:
        engine: The engine.
        backend: What is special about its database.
        is_ours: We made it, so we close it.
        name: For people: the URL without its passwords.
        is_in_memory: There is another database behind every engine, and it is gone with its connection.
    """

    engine: AsyncEngine
    backend: Backend
    is_ours: bool
    name: str
    is_in_memory: bool = False


def open_engine(engine_or_url: EngineOrURL, /, *, timeout: timedelta) -> OpenedEngine:
    """An engine for what the caller gave.

    Args:
        engine_or_url: A URL, or an engine that stays the caller's and is never closed here.
        timeout: How long connecting, or waiting for a lock, may take with an engine of our own.

    Raises:
        ConfigurationError: Not a URL of a database that we know, or an engine that cannot be shared (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).
    """
    if isinstance(engine_or_url, AsyncEngine):
        return _foreign(engine_or_url)
    if not isinstance(engine_or_url, (URL, str)):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        raise ConfigurationError(
            f"engine_or_url must be a URL ({_FORMS}) or an AsyncEngine, not {type(engine_or_url).__name__}"
        )
    try:
        return _ours(engine_or_url, timeout)
    except (ArgumentError, NoSuchModuleError, ValueError):
        pass
    except ImportError as error:
        raise MissingExtraError(f"the database driver is missing ({error.name}): pip install 'mintkey[sql]'") from error
    # Not within the block: the errors of parsers quote the text, which may hold a password, and would be the context.
    raise ConfigurationError(f"engine_or_url is not a URL of a database that we know: use {_FORMS}")


def _ours(given: URL | str, timeout: timedelta) -> OpenedEngine:
    url = make_url(given)
    name = _shown(url)
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    kind = _kind(url)
    if kind == "sqlite":
        if (url.database or "").startswith("file:") or (url.database and sqlite.is_memory(url) and url.query):
            raise ConfigurationError("engine_or_url: give SQLite a path (sqlite:///file.db) or nothing (sqlite://)")
        engine, backend = sqlite.connect(url, timeout=timeout)
        return OpenedEngine(engine, backend, is_ours=True, name=name, is_in_memory=sqlite.is_memory(url))
    return OpenedEngine(postgresql_url.connect(url, timeout=timeout), PostgreSQL(), is_ours=True, name=name)


def _foreign(engine: AsyncEngine) -> OpenedEngine:
    if isinstance(engine.pool, StaticPool):
        raise ConfigurationError(
            "engine_or_url: this engine shares one connection between all its users (StaticPool), so that their "
            "transactions mix; for SQLite in memory give the URL sqlite:// instead"
        )
    backend: Backend = PostgreSQL()
    if _kind(engine.url) == "sqlite":
        if sqlite.is_memory(engine.url):
            raise ConfigurationError("engine_or_url: for SQLite in memory give the URL sqlite:// instead of an engine")
        backend = sqlite.SQLite()
    return OpenedEngine(engine, backend, is_ours=False, name=_shown(engine.url))


def _shown(url: URL) -> str:
    """The URL for people: without its password, and without what follows the `?`, where others may be."""
    return url.set(query={}).render_as_string(hide_password=True)


def _kind(url: URL) -> str:
    """`sqlite` or `postgresql`."""
    kind = url.get_backend_name()
    if kind not in {"sqlite", "postgresql"} or not url.get_dialect().is_async:
        raise ConfigurationError(f"engine_or_url: {url.drivername} is not supported: use {_FORMS}")
    return kind
