"""The statements about marks and cut-offs, built once; what varies are their parameters."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Executable,
    LargeBinary,
    SmallInteger,
    Table,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    true,
)

from mintkey.sql.backend import Insert
from mintkey.sql.schema import CUT_OFFS, FENCE_NAME, FOREVER, MARKS, NOBODY, MarkState

__all__ = ["MarkStatements", "purge_of"]

_PURGED_AT_ONCE = 128

_NAME = bindparam("key", type_=LargeBinary())
_NAMES = bindparam("keys", expanding=True, type_=LargeBinary())
_OWNER = bindparam("by", type_=LargeBinary())
_STATE = bindparam("becomes", type_=SmallInteger())
_MOMENT = bindparam("at", type_=BigInteger())
_EXPIRES = bindparam("until", type_=BigInteger())
_ISSUED = bindparam("issued", type_=BigInteger())
_NOW = bindparam("now", type_=BigInteger())


@dataclass(frozen=True, slots=True)
class MarkStatements:
    """What a replay store says to its database.

    Attributes:
        claim: (key, by, becomes, at, until, issued, now) Makes the row this owner's, if it is to be had.
        look: (keys) The rows of these names, and the fence.
        commit: (key, by, until, now) Makes the row spent by this owner, unless it is somebody else's.
        release: (key, by) Deletes a reservation of this owner.
        revoke: (key, until) Makes the row revoked.
        fence: (at) Says since when the store remembers, unless it is said already.
        cut_off: (key, at, until) Moves a cut-off, forwards only.
        cut_offs: (keys, now) The cut-offs of these names.
        purges: (now) Each deletes some rows that have expired.
    """

    claim: Executable
    look: Executable
    commit: Executable
    release: Executable
    revoke: Executable
    fence: Executable
    cut_off: Executable
    cut_offs: Executable
    purges: tuple[Executable, ...]

    @classmethod
    def of(cls, insert: Callable[[Table], Insert], /, *, is_fenced: bool) -> "MarkStatements":
        """The statements in one dialect.

        Args:
            insert: Makes an INSERT of the dialect.
            is_fenced: Whether a claim needs memory that reaches back to the token's issue.
        """
        own_reservation = (MARKS.c.owner == _OWNER) & (MARKS.c.state == MarkState.RESERVED)
        return cls(
            claim=_claim(insert(MARKS), is_fenced=is_fenced, own_reservation=own_reservation),
            look=select(MARKS).where(or_(MARKS.c.name.in_(_NAMES), MARKS.c.name == FENCE_NAME)),
            commit=_commit(insert(MARKS)),
            release=delete(MARKS).where(MARKS.c.name == _NAME, own_reservation),
            revoke=_revoke(insert(MARKS)),
            fence=insert(MARKS)
            .values(name=FENCE_NAME, owner=NOBODY, state=MarkState.FENCE, moment=_MOMENT, expires_at=FOREVER)
            .on_conflict_do_nothing(index_elements=[MARKS.c.name]),
            cut_off=_cut_off(insert(CUT_OFFS)),
            cut_offs=select(CUT_OFFS.c.name, CUT_OFFS.c.before).where(
                CUT_OFFS.c.name.in_(_NAMES), CUT_OFFS.c.expires_at > _NOW
            ),
            purges=tuple(purge_of(table) for table in (MARKS, CUT_OFFS)),
        )


def _claim(insert: Insert, *, is_fenced: bool, own_reservation: ColumnElement[bool]) -> Executable:
    fence = MARKS.alias("fence")
    remembers = exists().where(fence.c.name == FENCE_NAME, fence.c.moment <= _ISSUED) if is_fenced else true()
    row = select(_NAME, _OWNER, _STATE, _MOMENT, _EXPIRES).where(remembers)
    new = insert.from_select(["name", "owner", "state", "moment", "expires_at"], row)
    has_run_out = (MARKS.c.state == MarkState.RESERVED) & (MARKS.c.moment <= _NOW)
    return new.on_conflict_do_update(
        index_elements=[MARKS.c.name],
        set_={column: new.excluded[column] for column in ("owner", "state", "moment", "expires_at")},
        where=or_(MARKS.c.expires_at <= _NOW, has_run_out, own_reservation),
    )


def _commit(insert: Insert) -> Executable:
    new = insert.values(name=_NAME, owner=_OWNER, state=MarkState.SPENT, moment=0, expires_at=_EXPIRES)
    return new.on_conflict_do_update(
        index_elements=[MARKS.c.name],
        set_={
            "owner": new.excluded.owner,
            "state": new.excluded.state,
            "expires_at": _later(MARKS.c.expires_at, new.excluded.expires_at),
        },
        # A reservation of this owner that ran out is still its own; one of somebody else is theirs.
        where=or_(MARKS.c.expires_at <= _NOW, MARKS.c.owner == _OWNER),
    )


def _revoke(insert: Insert) -> Executable:
    # No longer its owner's, who would be granted it on asking again.
    new = insert.values(name=_NAME, owner=NOBODY, state=MarkState.REVOKED, moment=0, expires_at=_EXPIRES)
    return new.on_conflict_do_update(
        index_elements=[MARKS.c.name],
        set_={
            "owner": new.excluded.owner,
            "state": new.excluded.state,
            "expires_at": _later(MARKS.c.expires_at, new.excluded.expires_at),
        },
    )


def _cut_off(insert: Insert) -> Executable:
    new = insert.values(name=_NAME, before=_MOMENT, expires_at=_EXPIRES)
    return new.on_conflict_do_update(
        index_elements=[CUT_OFFS.c.name],
        set_={
            "before": _later(CUT_OFFS.c.before, new.excluded.before),
            "expires_at": _later(CUT_OFFS.c.expires_at, new.excluded.expires_at),
        },
    )


def purge_of(table: Table, /) -> Executable:
    """Deletes some rows of a table that have expired, those first that did so first."""
    # Ordered, so that the index is walked and not the table; rows that somebody else is just using are left to them.
    expired = select(table.c.name).where(table.c.expires_at <= _NOW).order_by(table.c.expires_at)
    # Named: as a subquery it might be run once a row, with another limit each time.
    chosen = expired.limit(_PURGED_AT_ONCE).with_for_update(skip_locked=True).cte("expired")
    return delete(table).where(table.c.name.in_(select(chosen.c.name)))


def _later(one: ColumnElement[int] | Column[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)
