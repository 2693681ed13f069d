"""A ring in a database: one row for the document, one for each version that is counted."""

from collections.abc import AsyncIterator
from datetime import timedelta

from mintkey.errors import KeyProviderError
from mintkey.keys.base import StoredRing
from mintkey.lifecycle import Resource
from mintkey.sql.database import Database
from mintkey.sql.engine import EngineOrURL
from mintkey.sql.rings import Rings
from mintkey.sql.schema import MINTS, RINGS

__all__ = ["SQLKeyRingStore"]

_PATIENCE = timedelta(seconds=4)  # less than the engine waits for a store, so that this error is the one to be seen


class SQLKeyRingStore(Resource):
    """A `KeyRingStore` in SQLite or PostgreSQL, for any number of processes.

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
        self._rings = Rings(self._database.insert)

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

    async def watch(self, ring: str, /) -> AsyncIterator[int]:  # noqa: ARG002 - the shape of the port
        """Nothing: a database tells nobody portably, and polling is the guarantee."""
        return
        yield 0  # never reached; it makes this a generator

    async def _close(self) -> None:
        await self._database.close()


def _failure(message: str, /, *, may_have_happened: bool) -> KeyProviderError:
    # A swap that may have happened shows at the next load; a reservation wastes at most its block.
    return KeyProviderError(message, details={"may_have_happened": may_have_happened})
