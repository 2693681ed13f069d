"""Single use as it is written by hand: `SET key 1 NX PX life` for every token."""

import asyncio

from redis.asyncio import Redis

__all__ = ["LIFE_MS", "PipelinedClaims", "PooledClaims"]

LIFE_MS = 3_600_000


class PooledClaims:
    """With redis-py's own pool: a connection for everybody who waits.

    Args:
        url: The server.
        most: How many may wait at once; without room for them redis-py refuses.
    """

    def __init__(self, url: str, *, most: int) -> None:
        self._client: Redis = Redis.from_url(url, max_connections=most)

    async def claim(self, name: str, /) -> bool:
        """Whether this was the first time."""
        return bool(await self._client.set(name, "1", nx=True, px=LIFE_MS))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class PipelinedClaims:
    """With one redis-py `Pipeline` for all that is asked in one turn of the loop.

    Args:
        url: The server.
    """

    def __init__(self, url: str) -> None:
        self._client: Redis = Redis.from_url(url)
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._flights: set[asyncio.Task[None]] = set()

    async def claim(self, name: str, /) -> bool:
        """Whether this was the first time."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((name, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._take_off)
        return await answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _take_off(self) -> None:
        flight = asyncio.get_running_loop().create_task(self._fly())
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self) -> None:
        waiting, self._waiting = self._waiting, []
        async with self._client.pipeline(transaction=False) as pipeline:
            for name, _ in waiting:
                pipeline.set(name, "1", nx=True, px=LIFE_MS)
            for (_, answer), created in zip(waiting, await pipeline.execute(), strict=True):
                answer.set_result(bool(created))
