"""Where the servers are: a lone one, the master that Sentinel names, or the nodes of a cluster.

Keys are spread over sixteen *buckets*, each with a hash tag of its own (`{0}` … `{f}`). Whatever belongs to one token
has one bucket, hence one slot, hence one node; everywhere else the tags are just part of the name.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

from redis.asyncio import Connection as TCPConnection
from redis.asyncio import Redis, RedisCluster, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.crc import key_slot

from mintkey.errors import ConfigurationError
from mintkey.redis.protocol import Reply, pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import TRANSPORT_ERRORS, ask

__all__ = ["BUCKETS", "ClusterTopology", "LoneTopology", "Node", "SentinelTopology", "Topology", "topology_of"]

BUCKETS = 16

Node = tuple[str, int]
"""Host and port; ("", 0) where there is but one."""

_THE_ONE: Node = ("", 0)
_SLOTS = [key_slot(b"%x" % bucket) for bucket in range(BUCKETS)]


class Topology(Protocol):
    """Where the servers are. Holds nothing of an event loop, so one serves them all."""

    @property
    def moving(self) -> frozenset[str]:
        """The error replies that say: ask again where to go. Nothing was executed."""
        ...

    async def route(self) -> Sequence[Node]:
        """The node of each bucket, as it is now.

        Raises:
            OSError: Nobody could be asked.
            RedisError: Nobody knew.
        """
        ...

    async def locate(self, node: Node, /) -> ConnectionSettings:
        """How to reach a node.

        Raises:
            OSError: Nobody could be asked.
            RedisError: Nobody knew.
        """
        ...


class LoneTopology:
    """One server, always at the same place.

    Args:
        settings: How to reach it.
    """

    moving: frozenset[str] = frozenset[str]()

    def __init__(self, settings: ConnectionSettings, /) -> None:
        self._settings = settings

    async def route(self) -> Sequence[Node]:
        """One node for everything."""
        return (_THE_ONE,) * BUCKETS

    async def locate(self, _node: Node, /) -> ConnectionSettings:
        """The settings given."""
        return self._settings


class SentinelTopology:
    """The master that Sentinel names, asked for at each new connection.

    Args:
        settings: How to reach it, but for the address.
        service: Its name at Sentinel.
        sentinels: Where the sentinels are, and with which arguments to connect to them.
        min_other_sentinels: Sentinels that see fewer others are not believed.
    """

    moving: frozenset[str] = frozenset({"LOADING", "MASTERDOWN", "READONLY"})

    def __init__(
        self,
        settings: ConnectionSettings,
        /,
        *,
        service: str,
        sentinels: Sequence[ConnectionSettings],
        min_other_sentinels: int,
    ) -> None:
        self._settings = settings
        self._service = service
        self._sentinels = sentinels
        self._min_other_sentinels = min_other_sentinels

    async def route(self) -> Sequence[Node]:
        """One node for everything."""
        return (_THE_ONE,) * BUCKETS

    async def locate(self, _node: Node, /) -> ConnectionSettings:
        """The settings given, at the master's present address: the first sentinel that can tell it is believed."""
        trouble: Exception = ConnectionError("no sentinel is known")
        for sentinel in self._sentinels:
            try:
                reply = await ask(sentinel, pack("SENTINEL", "MASTER", self._service))
                return self._settings.at(*self._read(reply))
            except TRANSPORT_ERRORS as error:
                trouble = error
        raise trouble

    def _read(self, reply: Reply) -> Node:
        if not isinstance(reply, list):
            raise ConnectionError("the sentinel knows no master of that name")
        texts = [bytes(field).decode() for field in cast("list[bytes]", reply)]
        state = dict(zip(texts[::2], texts[1::2], strict=False))
        if {"s_down", "o_down"} & set(state["flags"].split(",")):
            raise ConnectionError("the sentinel takes the master to be down")
        if int(state["num-other-sentinels"]) < self._min_other_sentinels:
            raise ConnectionError("the sentinel sees too few others")
        return state["ip"], int(state["port"])


class ClusterTopology:
    """The masters of a cluster, by the slots that they serve.

    Args:
        settings: How to reach a node, but for the address.
        startup: Nodes that may be asked for the others.
        remap: Turns an announced address into one that can be reached from here.
    """

    moving: frozenset[str] = frozenset({"ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "READONLY", "TRYAGAIN"})

    def __init__(
        self, settings: ConnectionSettings, /, *, startup: Iterable[Node], remap: Callable[[Node], Node] | None = None
    ) -> None:
        self._settings = settings
        self._known = list(startup)
        self._remap = remap

    async def route(self) -> Sequence[Node]:
        """The node of each bucket, as the first node that answers sees it."""
        trouble: Exception = ConnectionError("no node of the cluster is known")
        for host, port in tuple(self._known):
            try:
                reply = await ask(self._settings.at(host, port), pack("CLUSTER", "SLOTS"))
                route = self._read(reply, asked=host)
            except TRANSPORT_ERRORS as error:
                trouble = error
                continue
            self._known = sorted({*route, *self._known}, key=lambda node: node not in route)
            return route
        raise trouble

    async def locate(self, node: Node, /) -> ConnectionSettings:
        """The settings given, at the node's address."""
        return self._settings.at(*node)

    def _read(self, reply: Reply, *, asked: str) -> Sequence[Node]:
        if not isinstance(reply, list):
            raise ConnectionError("the node says nothing about slots")
        masters: dict[int, Node] = {}
        for first, last, (host, port, *_), *_ in cast("list[Any]", reply):
            # An empty host is the one that was asked.
            node = (host.decode() if host else asked, int(port))
            masters |= {slot: node for slot in _SLOTS if first <= slot <= last}
        if len(masters) < len(set(_SLOTS)):
            raise ConnectionError("the cluster does not serve all slots")
        route = [masters[slot] for slot in _SLOTS]
        return route if self._remap is None else [self._remap(node) for node in route]


def topology_of(source: object, /) -> Topology:
    """Where the servers of a client or a URL are. The client itself is never used, and never closed.

    Args:
        source: A `redis.asyncio.Redis` (its pool may be Sentinel's), a `redis.asyncio.RedisCluster` or a URL.

    Raises:
        ConfigurationError: It is none of these (`configuration`).
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
    try:
        return LoneTopology(ConnectionSettings.of_url(url))
    except ValueError as error:
        # Not the URL itself: it holds the password. Not the driver's words either: they may quote it.
        raise ConfigurationError("redis_or_url must begin with redis://, rediss:// or unix://") from error


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
