"""A ring in a database: one row for the document, one for each version that is counted."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import timedelta

from mintkey.errors import KeyProviderError
from mintkey.health import Check
from mintkey.keys.ports import StoredRing
from mintkey.lifecycle import Resource
from mintkey.sql.database import Database
from mintkey.sql.engine import EngineOrURL
from mintkey.sql.rings import Rings, topic_of
from mintkey.sql.schema import MINTS, RINGS

__all__ = ["SQLKeyRingStore"]

_PATIENCE = timedelta(seconds=4)  # less than the engine waits for a store, so that this error is the one to be seen


class SQLKeyRingStore(Resource):
    """A `KeyRingStore` in SQLite or PostgreSQL, for any number of processes.

    Any number of event loops may share one; only a database in memory and an engine of the caller's belong to one loop.

    Args:
        engine_or_url: `sqlite:///file.db`, `sqlite://` (in memory, forgotten when closed), `postgresql://…`, or an
            `AsyncEngine` that stays the caller's and is never closed here.
        timeout: How long a call waits for the database at most.

    Raises:
        ConfigurationError: The URL, the engine or the timeout cannot be used (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).

    Example:
        >>> SQLKeyRingStore("sqlite://")
        SQLKeyRingStore('sqlite://')
    """

    def __init__(self, engine_or_url: EngineOrURL, *, timeout: timedelta = _PATIENCE) -> None:
        self._database = Database(engine_or_url, tables=(RINGS, MINTS), timeout=timeout, failure=_failure)
        self._rings = Rings(self._database.backend)

    def __repr__(self) -> str:
        return f"SQLKeyRingStore({self._database.name!r})"

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is no row of it.

        Raises:
            KeyProviderError: The database cannot be used (`keys_unavailable`).
        """
        return await self._database.read(self._rings.load, ring)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened.

        Raises:
            KeyProviderError: The database cannot be used (`keys_unavailable`).
        """
        return await self._database.write(self._rings.swap, {"of": ring, "expected": expected, "replacement": document})

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, never beyond `limit` in all; how many were granted.

        Raises:
            KeyProviderError: The database cannot be used (`keys_unavailable`).
        """
        return await self._database.write(self._rings.reserve, {"of": ring, "key": kid, "want": want, "limit": limit})

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        """Take back so many reserved mints. It is never committed twice: a lost answer is an error.

        Raises:
            KeyProviderError: The database cannot be used (`keys_unavailable`).
        """
        await self._database.write(self._rings.give_back, {"of": ring, "key": kid, "count": count})

    async def watch(self, ring: str, /) -> AsyncGenerator[int]:
        """On PostgreSQL with asyncpg the revision that the ring has, and each that it gets; nothing elsewhere.

        It has a connection of its own, beside those of the pool, for as long as somebody watches.

        Raises:
            KeyProviderError: The connection was lost, or cannot be had (`keys_unavailable`).
        """
        async with aclosing(self._database.watch(self._rings.revision, ring, topic_of(ring))) as revisions:
            async for revision in revisions:
                yield revision

    async def checks(self) -> Mapping[str, Check]:
        """As `durability`: whether an answered commit survives a power cut.

        The word is what PostgreSQL's `synchronous_commit`, or SQLite's `PRAGMA synchronous`, is set to.
        """
        return await self._database.checks()

    async def _close(self) -> None:
        await self._database.close()


def _failure(message: str, /, *, may_have_happened: bool) -> KeyProviderError:
    # A swap that may have happened shows at the next load; a reservation wastes at most its block.
    return KeyProviderError(message, details={"may_have_happened": may_have_happened})
