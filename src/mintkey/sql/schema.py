"""The tables: instants in integer microseconds since the epoch, names and owners as bytes that no collation can bend.

Whoever migrates by hand finds everything in `metadata`; where the tables exist already, nothing is created.
"""

from enum import IntEnum

from sqlalchemy import BigInteger, Column, Double, LargeBinary, MetaData, SmallInteger, Table, Text, text

__all__ = [
    "CUT_OFFS",
    "FAMILIES",
    "FENCE_NAME",
    "FOREVER",
    "MARKS",
    "MINTS",
    "NOBODY",
    "RINGS",
    "SECONDS",
    "MarkState",
    "metadata",
]


class MarkState(IntEnum):
    """What a row of `MARKS` says."""

    FENCE = 0
    RESERVED = 1
    SPENT = 2
    REVOKED = 3


NOBODY = b"\xff"
"""The owner of what belongs to nobody. No text is encoded like that, so nobody can be asked to be it."""

FENCE_NAME = b"\xff"
"""The name of the row that says since when the store remembers; no text is encoded like that. The row lies among the
marks, so that whoever empties the table takes it away with them."""

FOREVER = 2**63 - 1
"""An instant that never comes."""

SECONDS: "Double[float]" = Double()
"""An instant as a database's clock tells it."""

metadata: MetaData = MetaData()
"""The tables of keys and marks, for migrations: Alembic takes it beside your own.

Example:
    >>> sorted(metadata.tables)
    ['mintkey_cut_offs', 'mintkey_families', 'mintkey_marks', 'mintkey_mints', 'mintkey_rings']
"""

RINGS = Table(
    "mintkey_rings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
)
"""One row a key ring: the document and its revision."""

MINTS = Table(
    "mintkey_mints",
    metadata,
    Column("ring", Text, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("reserved", BigInteger, nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False, server_default=text("0")),
)
"""One row a key version: mints reserved and not given back; what the last reservation was granted, and the ring's
revision then; mints given back."""

MARKS = Table(
    "mintkey_marks",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("owner", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("moment", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""One row a token, and the fence. `moment`: when a reservation runs out, or since when the store remembers."""

CUT_OFFS = Table(
    "mintkey_cut_offs",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("before", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""One row a subject: what was issued before is refused."""

FAMILIES = Table(
    "mintkey_families",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""One row a family of refresh tokens: a document that is only ever replaced by compare-and-swap."""
