"""A backend's connections: one set per event loop."""

from collections.abc import Awaitable
from datetime import timedelta
from functools import partial

import anyio

from mintkey.loops import PerLoop
from mintkey.redis.calls import Call
from mintkey.redis.connections import Connections
from mintkey.redis.settings import ConnectionSettings
from mintkey.redis.sources import topology_of
from mintkey.redis.topology import Node

__all__ = ["Link"]


class Link:
    """Calls a server by bucket, from whatever event loop the caller is in.

    Connections belong to the event loop in which they were opened, so each loop gets its own. Nothing is opened before
    the first call.

    Args:
        redis_or_url: What the caller of a backend gave; see `topology_of`.
        timeout: How long a call may take, with everything that it needs.
        replicas: How many replicas must confirm each write; 0: none is asked.
    """

    __slots__ = ("_connections", "_timeout", "_topology")

    def __init__(self, redis_or_url: object, /, *, timeout: timedelta, replicas: int = 0) -> None:
        self._topology = topology_of(redis_or_url)
        self._timeout = timeout.total_seconds()
        self._connections = PerLoop(partial(Connections, self._topology, self._timeout, replicas))

    def answer(self, bucket: int, call: Call, /) -> Awaitable[Call]:
        """The answered call; error replies are in it as values. Where it had to go on elsewhere, it is another object.

        Args:
            bucket: Decides on the node of a cluster; every key of the call has its hash tag.
            call: What to send.

        Raises:
            RedisCallError: There was no answer before the deadline, or no server that serves the bucket.
        """
        return self._connections.here().answer(bucket, call)

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return self._timeout

    @property
    def lock(self) -> anyio.Lock:
        """This event loop's lock, for what a backend does once."""
        return self._connections.here().lock

    @property
    def trouble(self) -> Exception | None:
        """What this event loop's last attempt to reach a server failed with; None if it went well."""
        return self._connections.here().trouble

    async def nodes(self) -> dict[Node, list[int]]:
        """Which buckets each node serves."""
        return await self._connections.here().nodes()

    async def locate(self, bucket: int, /) -> ConnectionSettings:
        """How to reach the node that serves a bucket, for a connection that somebody else makes.

        Raises:
            RedisCallError: Nobody says who serves it.
            OSError: Nobody can be asked where that is.
            RedisError: Nobody knows.
        """
        return await self._connections.here().locate(bucket)

    async def drop_idle(self) -> None:
        """Close what this event loop does not use right now; it comes back when it is needed."""
        connections = self._connections.find()
        if connections is not None:
            await connections.drop_idle()

    async def aclose(self) -> None:
        """Close this event loop's connections, after the calls that are under way. Other loops close their own."""
        connections = self._connections.take()
        if connections is not None:
            # Also for who is cancelled, or they would stay open. It takes no longer than a call may.
            with anyio.CancelScope(shield=True):
                await connections.aclose()
