"""Where the servers are: a lone one, the master that Sentinel names, or the nodes of a cluster."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

from redis.crc import key_slot

from mintkey.redis.buckets import BUCKETS
from mintkey.redis.protocol import Reply, pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.wire import TRANSPORT_ERRORS, ask

__all__ = ["ClusterTopology", "LoneTopology", "Node", "SentinelTopology", "Topology"]

Node = tuple[str, int]
"""Host and port as the cluster announces them; ("", 0) where there is but one."""

_THE_ONE: Node = ("", 0)
# Whoever is asked where the others are has this long: the next one may know, and a call has to wait for it.
_ASK_SECONDS = 0.5
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
                async with asyncio.timeout(_ASK_SECONDS):
                    reply = await ask(sentinel, pack("SENTINEL", "MASTER", self._service))
                return self._settings.at(*self._read(reply))
            except TRANSPORT_ERRORS as error:
                trouble = error
                # The next attempt begins with another one: if this one hangs, there may be no time for a second.
                self._sentinels = [*(other for other in self._sentinels if other is not sentinel), sentinel]
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
        remap: Turns an announced address into one that can be reached from here; it is not asked about `startup`.
    """

    moving: frozenset[str] = frozenset({"ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "READONLY", "TRYAGAIN"})

    def __init__(
        self, settings: ConnectionSettings, /, *, startup: Iterable[Node], remap: Callable[[Node], Node] | None = None
    ) -> None:
        self._settings = settings
        self._startup = tuple(startup)
        self._masters: Sequence[Node] = ()
        self._remap = remap

    async def route(self) -> Sequence[Node]:
        """The node of each bucket, as the first node that answers sees it."""
        trouble: Exception = ConnectionError("no node of the cluster is known")
        known = [(node, await self.locate(node)) for node in self._masters]
        for (host, _), settings in [*known, *((node, self._settings.at(*node)) for node in self._startup)]:
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    reply = await ask(settings, pack("CLUSTER", "SLOTS"))
                route = self._read(reply, asked=host)
            except TRANSPORT_ERRORS as error:
                trouble = error
            else:
                self._masters = tuple(dict.fromkeys(route))
                return route
        raise trouble

    async def locate(self, node: Node, /) -> ConnectionSettings:
        """The settings given, at the address under which the node can be reached from here."""
        return self._settings.at(*(node if self._remap is None else self._remap(node)))

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
        return [masters[slot] for slot in _SLOTS]
