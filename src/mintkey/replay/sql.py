"""How a token is spent in a database: an upsert that changes the row only if it may, then a look at whose it is."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.errors import Reason, ReplayStoreError
from mintkey.health import Check
from mintkey.lifecycle import Resource
from mintkey.replay.base import ClaimOutcome, ClaimStatus, Look, StoredFamily
from mintkey.replay.marks import life, memory_begins_after_loss, memory_begins_at_opening, microseconds
from mintkey.sql.database import Database
from mintkey.sql.engine import EngineOrURL
from mintkey.sql.families import Families, FamilySwap
from mintkey.sql.ledger import Found, Ledger
from mintkey.sql.schema import CUT_OFFS, FAMILIES, MARKS, MarkState

__all__ = ["SQLReplayStore"]

_STATUSES = {
    MarkState.RESERVED: ClaimStatus.RESERVED,
    MarkState.SPENT: ClaimStatus.SPENT,
    MarkState.REVOKED: ClaimStatus.REVOKED,
}


class SQLReplayStore(Resource):
    """A `ReplayStore`, `RevocationStore` and `FamilyStore` in SQLite or PostgreSQL, for any number of processes.

    A claim is granted if and only if the row shows its owner afterwards: a call that is repeated because its answer was
    lost is granted again, and nobody else's is. So is one that lost the answer to its commit with its connection: it
    asks again by itself while there is time. Concurrent calls share transactions, and with them the flush to disk.
    Expired rows are deleted in small steps along with the writes.

    Any number of event loops may share one; only a database in memory and an engine of the caller's belong to one loop.

    Args:
        engine_or_url: `sqlite:///file.db`, `sqlite://` (in memory, forgotten when closed), `postgresql://…`, or an
            `AsyncEngine` that stays the caller's and is never closed here. Such an engine should flush every commit to
            disk (`PRAGMA synchronous = FULL`, `synchronous_commit = on`), or a power cut takes marks back.
        timeout: How long a call waits for the database at most.
        clock: Where time comes from; by default the machine's.
        fence: Refuse tokens from before the store's memory begins, as `unprovable`. Without it, a database that was
            lost lets spent tokens in again.

    Raises:
        ConfigurationError: The URL, the engine or the timeout cannot be used (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).

    Example:
        >>> SQLReplayStore("sqlite://")
        SQLReplayStore('sqlite://')
    """

    def __init__(
        self,
        engine_or_url: EngineOrURL,
        *,
        timeout: timedelta = timedelta(seconds=2),
        clock: Clock | None = None,
        fence: bool = True,
    ) -> None:
        self._database = Database(engine_or_url, tables=(MARKS, CUT_OFFS, FAMILIES), timeout=timeout, failure=_failure)
        self._ledger = Ledger(self._database.backend.insert, is_fenced=fence)
        self._families = Families(self._database.backend.insert)
        self._clock = clock if clock is not None else SystemClock()
        self._is_fenced = fence
        self._has_begun = False

    def __repr__(self) -> str:
        return f"SQLReplayStore({self._database.name!r})"

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once; with a lease only for so long, until `commit` or `release`.

        Raises:
            ReplayStoreError: The database cannot be used (`replay_unavailable`), or failed while it committed
                (`replay_outcome_unknown`); asking again with the same owner is safe.
        """
        now = self._clock.time()
        request = {
            **_mark(key, now, expires_at),
            "by": _bytes(owner),
            "becomes": MarkState.SPENT if lease is None else MarkState.RESERVED,
            "at": 0 if lease is None else _micros(now + lease.total_seconds()),
            "issued": microseconds(issued_at),
            "begins": self._memory_begins(now),
        }
        outcome = await self._database.write(self._ledger.claim, request, is_repeatable=True)
        self._has_begun = True
        return outcome

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; False if the key belongs to somebody else by now.

        Raises:
            ReplayStoreError: As for `claim`.
        """
        request = {**_mark(key, self._clock.time(), expires_at), "by": _bytes(owner)}
        return await self._database.write(self._ledger.commit, request, is_repeatable=True)

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; whether there was one.

        Raises:
            ReplayStoreError: As for `claim`.
        """
        return await self._database.write(self._ledger.release, {"key": _bytes(key), "by": _bytes(owner)})

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, whatever it was before; the mark never lives shorter for it.

        Raises:
            ReplayStoreError: As for `claim`.
        """
        request = _mark(key, self._clock.time(), expires_at)
        await self._database.write(self._ledger.revoke, request, is_repeatable=True)

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming.

        Raises:
            ReplayStoreError: The database cannot be used (`replay_unavailable`).
        """
        now = self._clock.time()
        found = await self._database.read(self._ledger.look, {"key": _bytes(key), "now": _micros(now)})
        return await self._status(found, issued_at, now)

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse everything under this key that was issued before an instant; a later cut-off wins.

        Raises:
            ReplayStoreError: As for `claim`.
        """
        request = {**_mark(key, self._clock.time(), expires_at), "at": microseconds(before)}
        await self._database.write(self._ledger.cut_off, request, is_repeatable=True)

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one.

        Raises:
            ReplayStoreError: The database cannot be used (`replay_unavailable`).
        """
        request = {"key": _bytes(key), "now": _micros(self._clock.time())}
        return _instant(await self._database.read(self._ledger.cut_offs, request))

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        """A token and its subject at once; see `JointLookStore.look`.

        Raises:
            ReplayStoreError: The database cannot be used (`replay_unavailable`).
        """
        now = self._clock.time()
        mark, subject = ({"key": _bytes(name), "now": _micros(now)} for name in (key, cut_off))
        found, before = await self._database.read(self._ledger.look_at_both, (mark, subject))
        return Look(await self._status(found, issued_at, now), _instant(before))

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is; see `FamilyStore.family`.

        Raises:
            ReplayStoreError: The database cannot be used (`replay_unavailable`).
        """
        now = self._clock.time()
        document, begins = await self._database.read(self._families.look, (_bytes(key), _micros(now)))
        return StoredFamily(document, await self._proves(issued_at, begins, now))

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; see `FamilyStore.swap_family`.

        Raises:
            ReplayStoreError: As for `claim`.
        """
        now = self._clock.time()
        until = _micros(now + life(expires_at, now))
        swap = FamilySwap(_bytes(key), expected, document, _micros(now), until)
        return await self._database.write(self._families.swap, swap, is_repeatable=True)

    async def checks(self) -> Mapping[str, Check]:
        """As `durability`: whether an answered commit survives a power cut.

        The word is what PostgreSQL's `synchronous_commit`, or SQLite's `PRAGMA synchronous`, is set to.
        """
        return await self._database.checks()

    async def _open(self) -> None:
        if self._is_fenced:
            try:
                await self._begin(self._clock.time())
            except BaseException:
                await self._database.give_up()  # whoever cannot be opened is not closed either
                raise
            self._has_begun = True

    async def _close(self) -> None:
        await self._database.close()
        self._has_begun = False  # whatever is found missing next time was lost while nobody used this store

    async def _status(self, found: Found, issued_at: datetime, now: float) -> ClaimStatus:
        is_provable = await self._proves(issued_at, found.begins, now)
        if found.state is not None:
            return _STATUSES[found.state]
        return ClaimStatus.UNUSED if is_provable else ClaimStatus.UNPROVABLE

    async def _proves(self, issued_at: datetime, begins: int | None, now: float) -> bool:
        """Whether the memory reaches back to an instant; where its beginning is lost, it begins now."""
        if not self._is_fenced:
            return True
        if begins is None:
            # Looking is a use: who only looks would otherwise never be able to prove anything.
            begins = await self._begin(now)
        self._has_begun = True
        return begins <= microseconds(issued_at)

    async def _begin(self, now: float) -> int:
        return await self._database.write(self._ledger.begin, self._memory_begins(now), is_repeatable=True)

    def _memory_begins(self, now: float) -> int:
        """Since when the store remembers, if it turns out that this is not written anywhere."""
        begins = memory_begins_after_loss(now) if self._has_begun else memory_begins_at_opening(now)
        return _micros(begins)


def _mark(key: str, now: float, expires_at: datetime) -> dict[str, object]:
    """What every write about a mark says."""
    return {"key": _bytes(key), "now": _micros(now), "until": _micros(now + life(expires_at, now))}


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_timestamp(0) + timedelta(microseconds=micros)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _failure(message: str, /, *, may_have_happened: bool) -> ReplayStoreError:
    return ReplayStoreError(
        message, reason=Reason.REPLAY_OUTCOME_UNKNOWN if may_have_happened else Reason.REPLAY_UNAVAILABLE
    )
