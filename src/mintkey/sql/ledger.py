"""What happens to marks and cut-offs inside a transaction; many requests at a time, instants in microseconds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.replay.base import ClaimOutcome
from mintkey.sql.backend import Insert
from mintkey.sql.marks import MarkStatements
from mintkey.sql.schema import FENCE_NAME, MarkState

__all__ = ["Found", "Ledger", "Request"]

Request = Mapping[str, Any]
"""The parameters of a statement, by the names that `MarkStatements` gives them."""

_PURGE_AFTER = 16  # writes

_OUTCOMES = {
    MarkState.RESERVED: ClaimOutcome.RESERVED,
    MarkState.SPENT: ClaimOutcome.SPENT,
    MarkState.REVOKED: ClaimOutcome.REVOKED,
}


class Found(NamedTuple):
    """What a look at a name shows.

    Attributes:
        state: What the mark says, unless there is none or its time is over.
        begins: Since when the store remembers; None if that is lost.
    """

    state: MarkState | None
    begins: int | None


class Ledger:
    """The operations of a replay store.

    Args:
        insert: Makes an INSERT of the database's dialect.
        is_fenced: Whether a claim needs memory that reaches back to the token's issue.
    """

    def __init__(self, insert: Callable[[Table], Insert], /, *, is_fenced: bool) -> None:
        self._statements = MarkStatements.of(insert, is_fenced=is_fenced)
        self._is_fenced = is_fenced
        self._unpurged = 0

    async def claim(self, connection: AsyncConnection, claims: Sequence[Request], /) -> list[ClaimOutcome]:
        """Make rows their claimers', as far as they may have them; `begins` is written where the fence is missing."""
        rows = await self._try_claim(connection, claims)
        if self._is_fenced and FENCE_NAME not in rows:
            await connection.execute(self._statements.fence, {"at": claims[0]["begins"]})
            rows = await self._try_claim(connection, claims)
        elif any(self._was_too_early(rows, claim) for claim in claims):
            rows = await self._try_claim(connection, claims)
        await self._purge(connection, claims)
        return [_outcome(rows.get(claim["key"]), claim) for claim in claims]

    async def commit(self, connection: AsyncConnection, commits: Sequence[Request], /) -> list[bool]:
        """Make rows spent; whether they are, and by the one who asked."""
        await connection.execute(self._statements.commit, commits)
        rows = await self._rows(connection, commits)
        await self._purge(connection, commits)
        return [_outcome(rows.get(commit["key"]), commit) is ClaimOutcome.ACCEPTED for commit in commits]

    async def release(self, connection: AsyncConnection, releases: Sequence[Request], /) -> list[bool]:
        """Delete reservations; whether there was one."""
        return [
            (await connection.execute(self._statements.release, release)).rowcount == 1  # one by one, for the count
            for release in releases
        ]

    async def revoke(self, connection: AsyncConnection, revocations: Sequence[Request], /) -> list[None]:
        """Make rows revoked."""
        await connection.execute(self._statements.revoke, revocations)
        await self._purge(connection, revocations)
        return [None for _ in revocations]

    async def look(self, connection: AsyncConnection, looks: Sequence[Request], /) -> list[Found]:
        """What there is."""
        rows = await self._rows(connection, looks)
        begins = rows[FENCE_NAME].moment if FENCE_NAME in rows else None
        return [Found(_state(rows.get(look["key"]), look["now"]), begins) for look in looks]

    async def begin(self, connection: AsyncConnection, moments: Sequence[int], /) -> list[int]:
        """Say since when the store remembers, unless it is said already; since when it does."""
        await connection.execute(self._statements.fence, {"at": moments[0]})
        rows = await self._rows(connection, ())
        return [rows[FENCE_NAME].moment for _ in moments]

    async def cut_off(self, connection: AsyncConnection, cut_offs: Sequence[Request], /) -> list[None]:
        """Move cut-offs forwards."""
        await connection.execute(self._statements.cut_off, cut_offs)
        await self._purge(connection, cut_offs)
        return [None for _ in cut_offs]

    async def cut_offs(self, connection: AsyncConnection, looks: Sequence[Request], /) -> list[int | None]:
        """The cut-offs, as far as there are any."""
        found = await connection.execute(self._statements.cut_offs, {"keys": _names(looks), "now": looks[0]["now"]})
        before = {row.name: row.before for row in found}
        return [before.get(look["key"]) for look in looks]

    async def look_at_both(
        self, connection: AsyncConnection, looks: Sequence[tuple[Request, Request]], /
    ) -> list[tuple[Found, int | None]]:
        """What there is under names of marks, each with the cut-off of a subject; two statements for all of them."""
        marks = await self.look(connection, [mark for mark, _ in looks])
        cut_offs = await self.cut_offs(connection, [subject for _, subject in looks])
        return list(zip(marks, cut_offs, strict=True))

    async def _try_claim(self, connection: AsyncConnection, claims: Sequence[Request]) -> dict[bytes, Row[Any]]:
        await connection.execute(self._statements.claim, claims)
        return await self._rows(connection, claims)

    def _was_too_early(self, rows: Mapping[bytes, Row[Any]], claim: Request) -> bool:
        """Whether a claim found no fence, which somebody else began before we looked; a row that it finds it locks."""
        return self._is_fenced and claim["key"] not in rows and rows[FENCE_NAME].moment <= claim["issued"]

    async def _rows(self, connection: AsyncConnection, requests: Iterable[Request]) -> dict[bytes, Row[Any]]:
        found = await connection.execute(self._statements.look, {"keys": _names(requests)})
        return {row.name: row for row in found}

    async def _purge(self, connection: AsyncConnection, requests: Sequence[Request]) -> None:
        """Now and then delete several times as many rows as were written since, so that expired ones never pile up."""
        self._unpurged += len(requests)
        if self._unpurged >= _PURGE_AFTER:
            self._unpurged = 0
            for purge in self._statements.purges:
                await connection.execute(purge, {"now": requests[0]["now"]})


def _names(requests: Iterable[Request]) -> list[bytes]:
    return [request["key"] for request in requests]


def _state(row: Row[Any] | None, now: int) -> MarkState | None:
    """What the row says, unless its time is over."""
    if row is None or row.expires_at <= now or (row.state == MarkState.RESERVED and row.moment <= now):
        return None
    return MarkState(row.state)


def _outcome(row: Row[Any] | None, claim: Request) -> ClaimOutcome:
    """The answer to a claim that has been tried: the row shows whose it is."""
    if row is not None and row.owner == claim["by"]:
        return ClaimOutcome.ACCEPTED
    state = _state(row, claim["now"])
    # It was to be had, and the claim did not take it: only a fence prevents that.
    return ClaimOutcome.UNPROVABLE if state is None else _OUTCOMES[state]
