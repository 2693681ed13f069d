"""A backend's connections: one set per event loop, one coalescer per node, and the way to the right one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import anyio

from mintkey.redis.calls import Call
from mintkey.redis.coalescer import Coalescer
from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.pool import Pool
from mintkey.redis.topology import BUCKETS, Node, Topology, topology_of
from mintkey.redis.wire import TRANSPORT_ERRORS, is_hopeless

__all__ = ["Link"]

_PAUSE_SECONDS = 0.02


class Link:
    """Calls a server by bucket, from whatever event loop the caller is in.

    Connections belong to the event loop in which they were opened, so each loop gets its own. Nothing is opened before
    the first call.

    Args:
        redis_or_url: What the caller of a backend gave; see `topology_of`.
        timeout: How long a call may take, with everything that it needs.
        replicas: How many replicas must confirm each write; 0: none is asked.
    """

    __slots__ = ("_loops", "_replicas", "_timeout", "_topology")

    def __init__(self, redis_or_url: object, /, *, timeout: timedelta, replicas: int = 0) -> None:
        self._topology = topology_of(redis_or_url)
        self._timeout = timeout.total_seconds()
        self._replicas = replicas
        self._loops: dict[asyncio.AbstractEventLoop, _Connections] = {}

    async def answer(self, bucket: int, call: Call, /) -> Call:
        """The answered call; error replies are in it as values. Where it had to go on elsewhere, it is another object.

        Args:
            bucket: Decides on the node of a cluster; every key of the call has its hash tag.
            call: What to send.

        Raises:
            RedisCallError: There was no answer before the deadline, or no server that serves the bucket.
        """
        loop = asyncio.get_running_loop()
        connections = self._loops.get(loop) or self._connections_of(loop)
        return await connections.answer(bucket, call)

    @property
    def lock(self) -> anyio.Lock:
        """This event loop's lock, for what a backend does once."""
        return self._connections_of(asyncio.get_running_loop()).lock

    async def nodes(self) -> dict[Node, list[int]]:
        """Which buckets each node serves."""
        return await self._connections_of(asyncio.get_running_loop()).nodes()

    async def drop_idle(self) -> None:
        """Close what this event loop does not use right now; it comes back when it is needed."""
        connections = self._loops.get(asyncio.get_running_loop())
        if connections is not None:
            await connections.drop_idle()

    async def aclose(self) -> None:
        """Close this event loop's connections, after the calls that are under way. Other loops close their own."""
        connections = self._loops.pop(asyncio.get_running_loop(), None)
        if connections is not None:
            await connections.aclose()

    def _connections_of(self, loop: asyncio.AbstractEventLoop) -> "_Connections":
        found = self._loops.get(loop)
        if found is None:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            found = self._loops[loop] = _Connections(self._topology, self._timeout, self._replicas)
        return found


class _Connections:
    """One event loop's share of a link."""

    def __init__(self, topology: Topology, timeout: float, replicas: int) -> None:
        self.lock = anyio.Lock()
        self._loop = asyncio.get_running_loop()
        self._topology = topology
        self._moving = topology.moving
        self._timeout = timeout
        self._replicas = replicas
        self._coalescers: dict[Node, Coalescer] = {}
        self._route: Sequence[Coalescer] = ()

    async def answer(self, bucket: int, call: Call) -> Call:
        if not self._route:
            call.deadline = call.deadline or self._loop.time() + self._timeout
            await self._find_route(call)
        await self._route[bucket].answer(call)
        while self._moving and self._has_moved(call) and call.deadline - self._loop.time() > _PAUSE_SECONDS:
            await asyncio.sleep(_PAUSE_SECONDS)
            call = call.again()
            await self._find_route(call)
            await self._route[bucket].answer(call)
        return call

    async def nodes(self) -> dict[Node, list[int]]:
        if not self._route:
            await self._find_route(None)
        nodes: dict[Node, list[int]] = {}
        for bucket in range(BUCKETS):
            node = next(node for node, coalescer in self._coalescers.items() if coalescer is self._route[bucket])
            nodes.setdefault(node, []).append(bucket)
        return nodes

    async def drop_idle(self) -> None:
        for coalescer in self._coalescers.values():
            await coalescer.drop_idle()

    async def aclose(self) -> None:
        self._route = ()
        while self._coalescers:
            _, coalescer = self._coalescers.popitem()
            await coalescer.aclose()

    def _has_moved(self, call: Call) -> bool:
        error = call.error_reply()
        return error is not None and code_of(error) in self._moving

    async def _find_route(self, call: Call | None) -> None:
        deadline = self._loop.time() + self._timeout if call is None else call.deadline
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    route = await self._topology.route()
            except TRANSPORT_ERRORS as error:
                if is_hopeless(error) or self._loop.time() + _PAUSE_SECONDS > deadline:
                    in_doubt = call is not None and call.in_doubt
                    message = "no node of the cluster says who serves what"
                    raise RedisCallError(message, code="connection", may_have_run=in_doubt) from error
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._route = [self._coalescer_of(node) for node in route]
                return

    def _coalescer_of(self, node: Node) -> Coalescer:
        found = self._coalescers.get(node)
        if found is None:
            pool = Pool(lambda: self._topology.locate(node))
            found = Coalescer(pool, timeout=self._timeout, replicas=self._replicas)
            self._coalescers[node] = found
        return found
