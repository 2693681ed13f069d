"""How to connect: read off a client or a URL that we were given, with everything that would disturb us taken out."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mintkey.redis.parameters import ParameterError, problems_of

__all__ = ["ConnectionSettings"]

_MISREAD = re.compile(r"Invalid value for [`'](\w+)[`'] in connection URL\.")

_TAKEN_OUT = frozenset(
    {
        "connection_class",
        "connection_pool",
        "driver_info",
        "event_dispatcher",
        "health_check_interval",
        "himport_registry",
        "lib_name",
        "lib_version",
        "max_connections",
        "oss_cluster_maint_notifications_handler",
        "parser_class",
        "response_callbacks",
        "retry_on_error",
        "retry_on_timeout",
    }
)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What a new connection is made from: redis-py's class and its arguments.

    Attributes:
        connection_class: TCP, TLS or Unix socket.
        options: Its keyword arguments; they hold the password, so they are never shown.
    """

    connection_class: type[AbstractConnection]
    options: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, connection_class: type[AbstractConnection], options: Mapping[str, Any], /) -> "ConnectionSettings":
        """Settings that behave as our batches need them, whatever the client's own are.

        No retries and no timeouts of the connection's own (a batch has one deadline, and retries with care), RESP2 and
        no decoding (nothing but replies, in order, as bytes), no health checks or notifications between them.
        """
        kept = {
            name: value
            for name, value in options.items()
            if name not in _TAKEN_OUT and not name.startswith(("maint", "orig_"))
        }
        return cls(
            connection_class,
            {
                **kept,
                **_without_introduction(),
                "decode_responses": False,
                "protocol": 2,
                "retry": Retry(NoBackoff(), 0),
                "socket_connect_timeout": None,
                "socket_timeout": None,
            },
        )

    @classmethod
    def of_pool(cls, pool: ConnectionPool, /) -> "ConnectionSettings":
        """The settings of a client's pool; the pool itself is not used."""
        options = cast("Mapping[str, Any]", pool.connection_kwargs)  # pyright: ignore[reportUnknownMemberType]
        return cls.of(pool.connection_class, options)

    @classmethod
    def of_url(cls, url: str, /) -> "ConnectionSettings":
        """The settings that a `redis://`, `rediss://` or `unix://` URL stands for.

        Raises:
            ParameterError: A parameter is none of a connection's, or not what it should be.
            ValueError: It is no such URL. The message may show parts of it.
        """
        settings, problem = _read(url)
        if settings is None:
            raise ParameterError(problem)
        return settings

    def at(self, host: str, port: int, /) -> "ConnectionSettings":
        """The same, to another server."""
        return ConnectionSettings(self.connection_class, {**self.options, "host": host, "port": port})


def _read(url: str) -> tuple[ConnectionSettings | None, str]:
    """What a URL stands for, or what is wrong with a parameter of it.

    It is said and not raised: the driver's own error, which may hold a password, would be the context.
    """
    try:
        settings = ConnectionSettings.of_pool(cast("Any", ConnectionPool).from_url(url))
        settings.connection_class(**settings.options)  # it connects later, so it costs nothing to make one
    except ValueError as error:
        # The name is one of the driver's own, and not what somebody made up.
        named = _MISREAD.fullmatch(str(error))
        if named is None:
            raise
        return None, f"{named[1]} is not of the type that it should be"
    except Exception:  # noqa: BLE001 - whatever a parameter brings about
        return None, "a parameter is none of a connection's"
    # Behind the above: whatever a connection takes for its argument has a name that may be shown.
    problems = problems_of(settings.options)
    return (None, "; ".join(problems)) if problems else (settings, "")


@cache
def _without_introduction() -> dict[str, None]:
    """Arguments that keep redis-py from introducing itself, in the words of the installed version.

    To tell its version it reads files, on the event loop, for every connection.
    """
    known = inspect.signature(cast("Any", AbstractConnection)).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}
