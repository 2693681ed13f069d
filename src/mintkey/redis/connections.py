"""One event loop's connections: a coalescer per node, and the way to the right one."""

import asyncio
from collections.abc import Sequence

import anyio

from mintkey.redis.calls import Call
from mintkey.redis.coalescer import Coalescer
from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.pool import Pool
from mintkey.redis.protocol import Reply, ReplyError, pack
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.topology import Node, Topology
from mintkey.redis.wire import TRANSPORT_ERRORS, is_hopeless

__all__ = ["Connections"]

_PAUSE_SECONDS = 0.02

_Route = Sequence[Coalescer]


class Connections:
    """One event loop's share of a link.

    Args:
        topology: Where the servers are.
        timeout: Seconds that a call has, with everything that it needs.
        replicas: How many replicas must confirm each write; 0: none is asked.
    """

    def __init__(self, topology: Topology, timeout: float, replicas: int) -> None:
        self.lock: anyio.Lock = anyio.Lock()
        self._loop = asyncio.get_running_loop()
        self._topology = topology
        self._moving = topology.moving
        self._timeout = timeout
        self._replicas = replicas
        self._coalescers: dict[Node, Coalescer] = {}
        self._route: _Route = ()
        self._finding = anyio.Lock()
        self._lost: Exception | None = None

    async def answer(self, bucket: int, call: Call, /) -> Call:
        """The answered call; see `Link.answer`."""
        route = self._route
        if not route:
            call.deadline = call.deadline or self._loop.time() + self._timeout
            route = await self._find_route(route, call)
        while True:
            route[bucket].post(call)
            await call.done
            if call.error is not None:
                self._route = ()  # a node that does not answer may have been replaced: the next call asks by whom
                call.raise_failure()
            redirection = None if call.clean else self._redirection(call)
            if redirection == "ASK":
                call = await self._follow(bucket, call, route[bucket])
                redirection = self._redirection(call)
            if redirection is None or call.deadline - self._loop.time() < _PAUSE_SECONDS:
                return call
            await asyncio.sleep(_PAUSE_SECONDS)
            call = call.again()
            route = await self._find_route(route, call)

    @property
    def trouble(self) -> Exception | None:
        """What the last attempt to reach a server failed with; None if it went well."""
        return next((found.trouble for found in self._coalescers.values() if found.trouble), self._lost)

    async def nodes(self) -> dict[Node, list[int]]:
        """Which buckets each node serves."""
        nodes: dict[Node, list[int]] = {}
        for bucket, coalescer in enumerate(self._route or await self._find_route((), None)):
            nodes.setdefault(self._node_of(coalescer), []).append(bucket)
        return nodes

    async def locate(self, bucket: int, /) -> ConnectionSettings:
        """How to reach the node that serves a bucket; see `Link.locate`."""
        route = self._route or await self._find_route((), None)
        return await self._topology.locate(self._node_of(route[bucket]))

    async def drop_idle(self) -> None:
        """Close what is not used right now."""
        for coalescer in self._coalescers.values():
            await coalescer.drop_idle()

    async def aclose(self) -> None:
        """Close everything, after the calls that are under way."""
        self._route = ()
        while self._coalescers:
            _, coalescer = self._coalescers.popitem()
            await coalescer.aclose()

    def _redirection(self, call: Call) -> str | None:
        """The word by which a server sent us elsewhere, so that it executed nothing; None: it did not."""
        error = call.error_reply()
        code = None if error is None else code_of(error)
        return code if code in self._moving else None

    async def _follow(self, bucket: int, call: Call, asked: Coalescer) -> Call:
        """The call as it is answered while its slot is on the way from one node to another.

        Keys that are still at the node we asked are served there. Of all others it says where to ask: that is, what is
        there already, and what is not anywhere. A shared read comes last, as in a batch, and finds its own way.
        """
        followed = call.again()
        followed.replies, followed.replicas = call.replies, call.replicas
        directions = [str(reply) for reply in call.replies if _is_ask(reply)]
        if directions:
            host, _, port = directions[0].split(" ")[-1].rpartition(":")
            there = self._coalescer_of((host or self._node_of(asked)[0], int(port)))
            asking = call.asking()
            await there.answer(asking)
            followed.replies, followed.replicas = asking.replies[1::2], asking.replicas
            followed.in_doubt = asking.in_doubt
        if call.also_read is not None:
            read = await self.answer(bucket, Call(pack("GET", call.also_read), 1).after(followed))
            (followed.read,) = read.replies
        return followed

    async def _find_route(self, stale: _Route, call: Call | None) -> _Route:
        """The coalescer of each bucket, newer than the route that proved stale. One caller asks, on behalf of all."""
        deadline = self._loop.time() + self._timeout if call is None else call.deadline
        try:
            async with asyncio.timeout_at(deadline), self._finding:
                if not self._route or self._route is stale:
                    self._route = [self._coalescer_of(node) for node in await self._ask_around(deadline)]
                return self._route
        except TRANSPORT_ERRORS as error:
            in_doubt = call is not None and call.in_doubt
            message = "no node of the cluster says who serves what"
            raise RedisCallError(message, code="connection", may_have_run=in_doubt) from error

    async def _ask_around(self, deadline: float) -> Sequence[Node]:
        while True:
            try:
                route, self._lost = await self._topology.route(), None
            except TRANSPORT_ERRORS as error:
                self._lost = error
                if is_hopeless(error) or self._loop.time() + _PAUSE_SECONDS > deadline:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return route

    def _coalescer_of(self, node: Node) -> Coalescer:
        found = self._coalescers.get(node)
        if found is None:
            pool = Pool(lambda: self._topology.locate(node))
            found = Coalescer(pool, timeout=self._timeout, replicas=self._replicas)
            self._coalescers[node] = found
        return found

    def _node_of(self, coalescer: Coalescer) -> Node:
        return next(node for node, found in self._coalescers.items() if found is coalescer)


def _is_ask(reply: Reply) -> bool:
    return isinstance(reply, ReplyError) and code_of(reply) == "ASK"
