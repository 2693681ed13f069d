"""What happens to key rings inside a transaction: the statements, built once, and the operations made of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    LargeBinary,
    Table,
    Text,
    bindparam,
    case,
    delete,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.keys.base import StoredRing
from mintkey.sql.backend import Insert
from mintkey.sql.schema import MINTS, RINGS

__all__ = ["Rings"]

# The store cannot read documents, so it does not know which kids a ring has dropped. A counter that nobody touched for
# so many changes of its ring belongs to a version that stopped signing long ago.
_FORGET_AFTER_REVISIONS = 1024

_RING = bindparam("of", type_=Text())
_KID = bindparam("key", type_=Text())
_DOCUMENT = bindparam("replacement", type_=LargeBinary())
_EXPECTED = bindparam("expected", type_=BigInteger())
_WANT = bindparam("want", type_=BigInteger())
_LIMIT = bindparam("limit", type_=BigInteger())

_LOAD = select(RINGS.c.revision, RINGS.c.document).where(RINGS.c.name == _RING)
_COUNTS = select(MINTS.c.kid, MINTS.c.reserved).where(MINTS.c.ring == _RING)
_REPLACE = (
    update(RINGS)
    .where(RINGS.c.name == _RING, RINGS.c.revision == _EXPECTED)
    .values(revision=RINGS.c.revision + 1, document=_DOCUMENT)
)
_FORGET = delete(MINTS).where(MINTS.c.ring == _RING, MINTS.c.revision < _EXPECTED - _FORGET_AFTER_REVISIONS)
_GRANTED = select(MINTS.c.granted).where(MINTS.c.ring == _RING, MINTS.c.kid == _KID)


class Rings:
    """The operations of a ring store. Requests are the parameters of the statements above.

    Args:
        insert: Makes an INSERT of the database's dialect.
    """

    def __init__(self, insert: Callable[[Table], Insert], /) -> None:
        first = insert(RINGS).values(name=_RING, revision=1, document=_DOCUMENT)
        self._create = first.on_conflict_do_nothing(index_elements=[RINGS.c.name])
        self._count = _count(insert(MINTS))

    async def load(self, connection: AsyncConnection, rings: Sequence[str], /) -> list[StoredRing | None]:
        """The rings, as far as there are any."""
        loaded: list[StoredRing | None] = []
        for ring in rings:
            found = (await connection.execute(_LOAD, {"of": ring})).first()
            counts = await connection.execute(_COUNTS, {"of": ring})
            mints = {row.kid: row.reserved for row in counts}
            loaded.append(StoredRing(found.document, found.revision, mints) if found is not None else None)
        return loaded

    async def swap(self, connection: AsyncConnection, swaps: Sequence[Mapping[str, Any]], /) -> list[bool]:
        """Replace documents of expected revisions; whether that happened."""
        done: list[bool] = []
        for swap in swaps:
            changed = await connection.execute(_REPLACE if swap["expected"] else self._create, swap)
            done.append(changed.rowcount == 1)
            if done[-1]:
                await connection.execute(_FORGET, swap)
        return done

    async def reserve(self, connection: AsyncConnection, reservations: Sequence[Mapping[str, Any]], /) -> list[int]:
        """Count what is wanted and left; how much that was."""
        granted: list[int] = []
        for reservation in reservations:
            has_ring = (await connection.execute(self._count, reservation)).rowcount == 1
            # A second statement of the same transaction, which still holds the row's lock: RETURNING came with SQLite
            # 3.35, and systems with long support have older ones.
            granted.append((await connection.execute(_GRANTED, reservation)).scalar_one() if has_ring else 0)
        return granted


def _count(counter: Insert) -> Executable:
    # From the ring's row: whoever lost a ring lost its counters, and counting from zero again would break the cap.
    first = _grant(_LIMIT)
    ring = select(_RING, _KID, first, first, RINGS.c.revision).where(RINGS.c.name == _RING)
    counter = counter.from_select(["ring", "kid", "reserved", "granted", "revision"], ring)
    more = _grant(_LIMIT - MINTS.c.reserved)
    return counter.on_conflict_do_update(
        index_elements=[MINTS.c.ring, MINTS.c.kid],
        set_={"reserved": MINTS.c.reserved + more, "granted": more, "revision": counter.excluded.revision},
    )


def _grant(left: ColumnElement[int]) -> ColumnElement[int]:
    """What is wanted, as far as there is something left."""
    return case((left <= 0, literal(0, BigInteger())), (left < _WANT, left), else_=_WANT)
