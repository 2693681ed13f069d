"""Where the servers of a client or a URL are. The client itself is never used, and never closed."""

from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Connection as TCPConnection
from redis.asyncio import Redis, RedisCluster, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from mintkey.errors import ConfigurationError
from mintkey.redis.parameters import ParameterError
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.topology import ClusterTopology, LoneTopology, Node, SentinelTopology, Topology
from mintkey.redis.urls import FORMS, ServerURL

__all__ = ["topology_of"]


def topology_of(source: object, /) -> Topology:
    """Where the servers of a client or a URL are.

    Args:
        source: A `redis.asyncio.Redis` (its pool may be Sentinel's), a `redis.asyncio.RedisCluster` or a URL.

    Raises:
        ConfigurationError: It is none of these (`configuration`).

    Example:
        >>> type(topology_of("redis+cluster://one:7000,two:7000")).__name__
        'ClusterTopology'
    """
    match source:
        case str():
            return _of_url(source)
        case RedisCluster():
            return _of_cluster(source)
        case Redis():
            pool = cast("Any", source).connection_pool
            if isinstance(pool, SentinelConnectionPool):
                return _of_sentinel(pool)
            return LoneTopology(ConnectionSettings.of_pool(pool))
        case _:
            raise ConfigurationError(
                "redis_or_url must be a redis.asyncio.Redis, a redis.asyncio.RedisCluster or a URL,"
                f" not {type(source).__qualname__}"
            )


def _of_url(url: str) -> Topology:
    parsed = _parsed(url)
    if isinstance(parsed, str):
        raise ConfigurationError(parsed)
    parts, settings = parsed
    match parts.kind:
        case "cluster":
            return ClusterTopology(settings, startup=parts.nodes)
        case "sentinel":
            return SentinelTopology(
                settings,
                service=parts.service,
                sentinels=[_sentinel_at(node, settings, parts.sentinel) for node in parts.nodes],
                min_other_sentinels=0,
            )
        case _:
            return LoneTopology(settings)


def _parsed(url: str) -> tuple[ServerURL, ConnectionSettings] | str:
    """What a URL says, or what is wrong with it.

    Neither the URL itself nor what parsers say of it gets out, not even as the context of an error: both may show the
    password.
    """
    try:
        parts = ServerURL.parse(url)
        return parts, ConnectionSettings.of_url(parts.first)
    except ParameterError as error:
        return f"redis_or_url: {error}"
    except ValueError:
        return f"redis_or_url must be a URL of the form {FORMS}"


def _sentinel_at(node: Node, master: ConnectionSettings, credentials: Mapping[str, str]) -> ConnectionSettings:
    """A sentinel is reached as its master is, but has accounts of its own, and no databases."""
    options = {name: value for name, value in master.options.items() if name not in {"db", "username", "password"}}
    return ConnectionSettings(master.connection_class, {**options, **credentials}).at(*node)


def _of_cluster(client: RedisCluster) -> Topology:
    options = dict(cast("dict[str, Any]", client.get_connection_kwargs()))
    connection_class = options.pop("connection_class", TCPConnection)
    options.pop("redis_connect_func", None)  # of the client: asks nodes to serve reads as replicas
    manager = cast("Any", client.nodes_manager)
    startup = [(str(node.host), int(node.port)) for node in manager.startup_nodes.values()]
    return ClusterTopology(
        ConnectionSettings.of(connection_class, options), startup=startup, remap=manager.address_remap
    )


def _of_sentinel(pool: SentinelConnectionPool) -> Topology:
    described = cast("Any", pool)
    if not described.is_master:
        raise ConfigurationError("redis_or_url must lead to the master: use Sentinel.master_for, not slave_for")
    manager, options = described.sentinel_manager, described.connection_kwargs
    tls = issubclass(described.connection_class, SSLConnection)
    return SentinelTopology(
        ConnectionSettings.of(SSLConnection if tls else TCPConnection, options),
        service=described.service_name,
        sentinels=[ConnectionSettings.of_pool(client.connection_pool) for client in manager.sentinels],
        min_other_sentinels=manager.min_other_sentinels,
    )
