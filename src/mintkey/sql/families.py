"""What happens to families of refresh tokens inside a transaction; instants in microseconds."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, LargeBinary, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.sql.backend import Insert
from mintkey.sql.marks import purge_of
from mintkey.sql.schema import FAMILIES, FENCE_NAME, MARKS

__all__ = ["Families", "FamilyFound", "FamilySwap"]

_NAME = bindparam("key", type_=LargeBinary())
_EXPECTED = bindparam("expected", type_=LargeBinary())
_DOCUMENT = bindparam("becomes", type_=LargeBinary())
_EXPIRES = bindparam("until", type_=BigInteger())
_NOW = bindparam("now", type_=BigInteger())


class FamilyFound(NamedTuple):
    """What a look at a family shows.

    Attributes:
        document: What was written last, unless there is nothing or its time is over.
        begins: Since when the store remembers; None if that is lost.
    """

    document: bytes | None
    begins: int | None


class FamilySwap(NamedTuple):
    """A family's document to be replaced if it is the expected one; None: if there is none."""

    key: bytes
    expected: bytes | None
    document: bytes
    now: int
    until: int


class Families:
    """The operations of a family store.

    Args:
        insert: Makes an INSERT of the database's dialect.
    """

    def __init__(self, insert: Callable[[Table], Insert], /) -> None:
        new = insert(FAMILIES).values(name=_NAME, document=_DOCUMENT, expires_at=_EXPIRES)
        self._create = new.on_conflict_do_update(
            index_elements=[FAMILIES.c.name],
            set_={"document": new.excluded.document, "expires_at": new.excluded.expires_at},
            where=FAMILIES.c.expires_at <= _NOW,
        )
        self._replace = (
            update(FAMILIES)
            .where(FAMILIES.c.name == _NAME, FAMILIES.c.document == _EXPECTED, FAMILIES.c.expires_at > _NOW)
            .values(document=_DOCUMENT, expires_at=_EXPIRES)
        )
        self._look = select(FAMILIES.c.document).where(FAMILIES.c.name == _NAME, FAMILIES.c.expires_at > _NOW)
        self._begins = select(MARKS.c.moment).where(MARKS.c.name == FENCE_NAME)
        self._purge = purge_of(FAMILIES)

    async def look(self, connection: AsyncConnection, looks: Sequence[tuple[bytes, int]], /) -> list[FamilyFound]:
        """What there is under each (key, now)."""
        begins = await connection.scalar(self._begins)
        return [FamilyFound(await self._document(connection, key, now), begins) for key, now in looks]

    async def swap(self, connection: AsyncConnection, swaps: Sequence[FamilySwap], /) -> list[bool]:
        """Replace documents, as far as they are the expected ones; whether the new ones are there now."""
        answers = [await self._swap(connection, swap) for swap in swaps]
        await connection.execute(self._purge, {"now": swaps[0].now})
        return answers

    async def _swap(self, connection: AsyncConnection, swap: FamilySwap) -> bool:
        values = {"key": swap.key, "becomes": swap.document, "now": swap.now, "until": swap.until}
        if swap.expected is None:
            await connection.execute(self._create, values)
        else:
            await connection.execute(self._replace, {**values, "expected": swap.expected})
        # The row shows who was first: also to a call that is repeated because its answer was lost.
        return await self._document(connection, swap.key, swap.now) == swap.document

    async def _document(self, connection: AsyncConnection, key: bytes, now: int) -> bytes | None:
        document: bytes | None = await connection.scalar(self._look, {"key": key, "now": now})
        return document
