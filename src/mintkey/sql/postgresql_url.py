"""From a URL to an engine on PostgreSQL: what may follow the `?`, in the words of libpq and in those of the driver."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlencode

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.errors import ConfigurationError
from mintkey.sql import connecting
from mintkey.sql.postgresql import PostgreSQL

__all__ = ["connect"]

_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "ssl_max_protocol_version": _VERSIONS,
    "ssl_min_protocol_version": _VERSIONS,
    "target_session_attrs": ("any", "prefer-standby", "primary", "read-only", "read-write", "standby"),
}
"""What asyncpg would only look at when it connects."""

# asyncpg understands these as part of a connection string, and none of them as an argument.
_OF_LIBPQ = frozenset(
    {
        "application_name",
        "options",
        "passfile",
        "search_path",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslpassword",
        "sslrootcert",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "target_session_attrs",
    }
)
_NUMBERS = frozenset({"prepared_statement_cache_size", "statement_cache_size"})
_NAME = re.compile(r"[a-z_]{1,40}")
_PLACES = frozenset({"host", "port"})  # SQLAlchemy's: a socket's directory, or several hosts


class _Driver(Protocol):
    def terminate(self) -> None: ...


class _Adapted(Protocol):
    @property
    def driver_connection(self) -> _Driver: ...


def connect(url: URL, /, *, timeout: timedelta) -> AsyncEngine:
    """An engine of our own.

    Args:
        url: Where the server is, with an asyncio driver.
        timeout: How long connecting may take.

    Raises:
        ConfigurationError: What follows the `?` is not understood (`configuration`).
    """
    seconds = timeout.total_seconds()
    arguments: dict[str, object] = {}
    if url.get_driver_name() == "asyncpg":
        arguments = {"timeout": seconds, "async_creator_fn": connecting.connect, **_arguments(url.query)}
        url = url.set(query={name: value for name, value in url.query.items() if name in _PLACES})
    engine = create_async_engine(
        url,
        pool_size=PostgreSQL.writers + PostgreSQL.readers,
        max_overflow=0,
        pool_timeout=seconds,
        connect_args=arguments,
        hide_parameters=True,
    )
    if url.get_driver_name() == "asyncpg":
        event.listen(engine.sync_engine, "close", _hang_up)
    return engine


def _hang_up(connection: _Adapted, _record: object) -> None:
    """Close without a goodbye: the driver would wait for ever until a server that is silent has read it."""
    connection.driver_connection.terminate()


def _shown(name: str) -> str:
    """A parameter's name; what does not look like one may be a piece of a password with an `&` or a `?` in it."""
    return repr(name) if _NAME.fullmatch(name) else "a parameter"


def _arguments(query: Mapping[str, str | tuple[str, ...]]) -> dict[str, object]:
    """The driver's arguments for what follows the `?`."""
    given = {name: value if isinstance(value, str) else value[-1] for name, value in query.items()}
    if "ssl" in given:
        given.setdefault("sslmode", given.pop("ssl"))
    known = ", ".join(sorted(_OF_LIBPQ | _NUMBERS | {"ssl"}))
    problems = [
        f"engine_or_url: {_shown(name)} is not understood; there are {known}. "
        "For anything else make an AsyncEngine yourself"
        for name in sorted(given.keys() - _OF_LIBPQ - _NUMBERS - _PLACES)
    ]
    problems += [
        f"engine_or_url: {name} must be a whole number"
        for name in sorted(_NUMBERS & given.keys())
        if not given[name].isdecimal()
    ]
    problems += [
        f"engine_or_url: {'sslmode (or ssl)' if name == 'sslmode' else name} must be one of {', '.join(choices)}"
        for name, choices in _CHOICES.items()
        if given.get(name, choices[0]) not in choices
    ]
    ConfigurationError.raise_if(problems)
    arguments: dict[str, object] = {name: int(given[name]) for name in _NUMBERS & given.keys()}
    if of_libpq := {name: value for name, value in given.items() if name in _OF_LIBPQ}:
        arguments["dsn"] = f"postgresql://?{urlencode(of_libpq)}"
    return arguments
