"""Whether groups keep up with what the stream holds."""

from mintkey.bus.notices import Teller, Trouble
from mintkey.bus.stream import Stream

__all__ = ["LagWatch"]


class LagWatch:
    """Looks how the groups are doing, and tells of each once when it begins to lag.

    Args:
        stream: The stream.
        teller: Is told.
    """

    def __init__(self, stream: Stream, teller: Teller, /) -> None:
        self._stream = stream
        self._teller = teller
        self._laggards: set[str] = set()

    async def look(self) -> None:
        """Look now.

        Raises:
            RedisCallError: The server cannot answer.
        """
        for standing in await self._stream.standings():
            if not standing.lags:
                self._laggards.discard(standing.group)
            elif standing.group not in self._laggards:
                self._laggards.add(standing.group)
                self._teller.tell(Trouble.LAGGING, group=standing.group, count=standing.behind)
