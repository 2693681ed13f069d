"""What happens to key rings inside a transaction: the statements, built once, and the operations made of them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    LargeBinary,
    Row,
    Text,
    bindparam,
    case,
    cast,
    delete,
    literal,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.keys.ports import StoredRing
from mintkey.sql.backend import Backend, Insert
from mintkey.sql.schema import MINTS, RINGS, SECONDS

__all__ = ["Rings", "topic_of"]

# The store cannot read documents, so it does not know which kids a ring has dropped. A counter that nobody touched for
# so many changes of its ring belongs to a version that stopped signing long ago.
_FORGET_AFTER_REVISIONS = 1024

_RING = bindparam("of", type_=Text())
_KID = bindparam("key", type_=Text())
_DOCUMENT = bindparam("replacement", type_=LargeBinary())
_EXPECTED = bindparam("expected", type_=BigInteger())
_WANT = bindparam("want", type_=BigInteger())
_LIMIT = bindparam("limit", type_=BigInteger())
_COUNT = bindparam("count", type_=BigInteger())

_REVISION = select(RINGS.c.revision).where(RINGS.c.name == _RING)
_REPLACE = (
    update(RINGS)
    .where(RINGS.c.name == _RING, RINGS.c.revision == _EXPECTED)
    .values(revision=RINGS.c.revision + 1, document=_DOCUMENT)
)
_FORGET = delete(MINTS).where(MINTS.c.ring == _RING, MINTS.c.revision < _EXPECTED - _FORGET_AFTER_REVISIONS)
_GRANTED = select(MINTS.c.granted).where(MINTS.c.ring == _RING, MINTS.c.kid == _KID)
_GIVEN_BACK = case((MINTS.c.reserved < _COUNT, MINTS.c.reserved), else_=_COUNT)
_GIVE_BACK = (
    update(MINTS)
    .where(MINTS.c.ring == _RING, MINTS.c.kid == _KID, _COUNT > 0)
    .values(reserved=MINTS.c.reserved - _GIVEN_BACK, returned=MINTS.c.returned + _GIVEN_BACK)
)


class Rings:
    """The operations of a ring store. Requests are the parameters of the statements above.

    Args:
        backend: What is special about the database.
    """

    def __init__(self, backend: Backend, /) -> None:
        first = backend.insert(RINGS).values(name=_RING, revision=1, document=_DOCUMENT)
        self._create = first.on_conflict_do_nothing(index_elements=[RINGS.c.name])
        self._count = _count(backend.insert(MINTS))
        self._load = _load(backend.time())
        self._tell = backend.tell

    async def load(self, connection: AsyncConnection, rings: Sequence[str], /) -> list[StoredRing | None]:
        """The rings, as far as there are any."""
        return [_ring(list(await connection.execute(self._load, {"of": ring}))) for ring in rings]

    async def revision(self, connection: AsyncConnection, rings: Sequence[str], /) -> list[int | None]:
        """Their revisions, as far as there are any."""
        return [await connection.scalar(_REVISION, {"of": ring}) for ring in rings]

    async def swap(self, connection: AsyncConnection, swaps: Sequence[Mapping[str, Any]], /) -> list[bool]:
        """Replace documents of expected revisions; whether that happened."""
        done: list[bool] = []
        for swap in swaps:
            changed = await connection.execute(_REPLACE if swap["expected"] else self._create, swap)
            done.append(changed.rowcount == 1)
            if done[-1]:
                await connection.execute(_FORGET, swap)
                await self._tell(connection, topic_of(swap["of"]), str(swap["expected"] + 1))
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

    async def give_back(self, connection: AsyncConnection, returns: Sequence[Mapping[str, Any]], /) -> list[None]:
        """Take back reserved mints, as far as there are any."""
        await connection.execute(_GIVE_BACK, list(returns))
        return [None for _ in returns]


def topic_of(ring: str, /) -> str:
    """Under which changes of a ring are told of: short, whatever the name."""
    return hashlib.sha256(ring.encode("utf-8", "surrogatepass")).hexdigest()


def _ring(rows: Sequence[Row[Any]]) -> StoredRing | None:
    """From the ring's row, which alone has no kid, and those of its counters."""
    found = next((row for row in rows if row.kid is None), None)
    if found is None:
        return None
    counts = [row for row in rows if row.kid is not None]
    mints = {row.kid: row.reserved for row in counts}
    returned = {row.kid: row.returned for row in counts if row.returned}
    return StoredRing(found.document, found.revision, mints, returned, found.time)


def _load(time: ColumnElement[float | None]) -> Executable:
    # One statement: one round trip, and the counters belong to the document.
    ring = select(
        RINGS.c.revision,
        RINGS.c.document,
        time.label("time"),
        cast(null(), Text()).label("kid"),
        cast(null(), BigInteger()).label("reserved"),
        cast(null(), BigInteger()).label("returned"),
    ).where(RINGS.c.name == _RING)
    counts = select(
        cast(null(), BigInteger()),
        cast(null(), LargeBinary()),
        cast(null(), SECONDS),
        MINTS.c.kid,
        MINTS.c.reserved,
        MINTS.c.returned,
    ).where(MINTS.c.ring == _RING)
    return union_all(ring, counts)


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
