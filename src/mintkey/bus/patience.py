"""Goes on over outages: how long to wait before the next try, and when trying is useless."""

import asyncio
from collections.abc import Awaitable, Callable

from mintkey.bus.notices import Teller, Trouble
from mintkey.redis.errors import RedisCallError

__all__ = ["Progress", "go_on"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0

# At the very beginning these are mistakes in a setting. Later they are outages: whoever took a permission away, or put
# another server there, may put it right again.
_HOPELESS = frozenset({"ERR", "NOAUTH", "NOPERM", "WRONGPASS", "WRONGTYPE"})


class Progress:
    """Whether a session came to something.

    Attributes:
        failures: How many ended without that, in a row.
        has_worked: Whether one ever did.
    """

    def __init__(self) -> None:
        self.failures: int = 0
        self.has_worked: bool = False

    def works(self) -> None:
        """The session that runs came to something."""
        self.failures, self.has_worked = 0, True


async def go_on(session: Callable[[Progress], Awaitable[None]], teller: Teller, /, *, group: str) -> None:
    """Run one session after the other, until cancelled.

    Args:
        session: Runs until the server fails it, and says when it came to something.
        teller: Is told of every outage once.
        group: Whose sessions these are.

    Raises:
        RedisCallError: The first one failed in a way that trying again cannot help.
    """
    progress = Progress()
    while True:
        try:
            await session(progress)
        except RedisCallError as error:
            if not progress.has_worked and error.code in _HOPELESS:
                raise
            progress.failures += 1
            if progress.failures == 2:  # noqa: PLR2004 - a single one is a connection that was replaced
                teller.tell(Trouble.DEGRADED, group=group, count=progress.failures, detail=error.code)
            await asyncio.sleep(min(_FIRST_PAUSE * 2 ** min(progress.failures - 1, 10), _LONGEST_PAUSE))
