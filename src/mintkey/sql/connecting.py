"""How asyncpg connects for us: to the end, also for a caller who leaves meanwhile."""

import asyncio
from typing import Any, cast

__all__ = ["connect"]


async def connect(*arguments: Any, **named: Any) -> Any:
    """A connection of asyncpg's, made by a task of its own.

    Asyncpg does not bear being cancelled between the server's accepting and the first word: a future that it made is
    then failed and never looked at, of which the event loop complains. So it goes on, within the time that it was
    given, and what nobody waits for any more is hung up.

    Args:
        *arguments: Those of `asyncpg.connect`, whatever SQLAlchemy gives.
        **named: The same.
    """
    # Imported here: it is the driver of one kind of database, which others do without.
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types

    # Detached on purpose, hence asyncio.
    connecting = asyncio.ensure_future(cast("Any", asyncpg).connect(*arguments, **named))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_hang_up)
        raise


def _hang_up(connecting: "asyncio.Future[Any]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().terminate()
