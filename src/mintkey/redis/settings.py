"""How to connect: read off a client or a URL that we were given, with everything that would disturb us taken out."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

__all__ = ["ConnectionSettings"]

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
            ValueError: It is no such URL, or has a parameter that no connection takes.
        """
        settings = cls.of_pool(cast("Any", ConnectionPool).from_url(url))
        can_be_made = True
        try:
            settings.connection_class(**settings.options)  # it connects later, so it costs nothing to make one
        except Exception:  # noqa: BLE001 - whatever a parameter brings about, the error's text may hold a password
            can_be_made = False
        if not can_be_made:
            raise ValueError("a parameter is none of a connection's")
        return settings

    def at(self, host: str, port: int, /) -> "ConnectionSettings":
        """The same, to another server."""
        return ConnectionSettings(self.connection_class, {**self.options, "host": host, "port": port})


@cache
def _without_introduction() -> dict[str, None]:
    """Arguments that keep redis-py from introducing itself, in the words of the installed version.

    To tell its version it reads files, on the event loop, for every connection.
    """
    known = inspect.signature(cast("Any", AbstractConnection)).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}
