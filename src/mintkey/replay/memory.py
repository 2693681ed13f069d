"""Single use within one process: marks in memory, exactly one winner, nothing to clean up."""

import hashlib
import threading
from datetime import datetime, timedelta

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.lifecycle import Resource
from mintkey.replay.base import ClaimOutcome, ClaimStatus, StoredFamily
from mintkey.replay.family_table import FamilyTable
from mintkey.replay.marks import life, memory_begins_at_opening, microseconds
from mintkey.replay.table import Mark, MarkTable

__all__ = ["MemoryReplayStore"]

_SPENT, _RESERVED, _REVOKED, _CUT_OFF = b"s", b"r", b"x", b"c"
_OUTCOMES = {_SPENT: ClaimOutcome.SPENT, _RESERVED: ClaimOutcome.RESERVED, _REVOKED: ClaimOutcome.REVOKED}
_STATUSES = {_SPENT: ClaimStatus.SPENT, _RESERVED: ClaimStatus.RESERVED, _REVOKED: ClaimStatus.REVOKED}
_NOBODY = bytes(16)
_CALLS_PER_CLEANING = 8


class MemoryReplayStore(Resource):
    """A `ReplayStore`, `RevocationStore` and `FamilyStore` for one process with any number of threads and event loops.

    Its memory begins when it is opened or first used, and ends with the process: after a restart nobody can know what
    was spent before, so tokens issued before are refused as `replay_unprovable`. A second process shares nothing with
    it: use `RedisReplayStore` or `SQLReplayStore` there.

    A million marks take some 45 MB. Marks are cleaned away a few at a time, by the calls that follow.

    Args:
        clock: Where time comes from; by default the machine's.
        fence: Refuse tokens issued before the memory begins. Without it, a restart lets every token that is still
            valid be used once more.

    Example:
        >>> import anyio
        >>> from datetime import UTC
        >>> async def spend_twice() -> list[str]:
        ...     now = datetime.now(UTC)
        ...     async with MemoryReplayStore() as store:
        ...         times = {"issued_at": now, "expires_at": now + timedelta(minutes=10)}
        ...         return [await store.claim("a-mark", owner=owner, **times) for owner in ("first", "second")]
        >>> anyio.run(spend_twice)
        [<ClaimOutcome.ACCEPTED: 'accepted'>, <ClaimOutcome.SPENT: 'spent'>]
    """

    def __init__(self, *, clock: Clock | None = None, fence: bool = True) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._fence = fence
        self._memory_begins: int | None = None
        self._table = MarkTable()
        self._families = FamilyTable()
        self._calls = 0
        # One process may run several event loops in several threads. Held for microseconds, never over an await.
        self._lock = threading.Lock()

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once; see `ReplayStore.claim`."""
        name, claimant = _digest(b"mark", key), _digest(b"owner", owner)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            if mark is not None and mark.value != claimant:
                return _OUTCOMES[mark.state]
            if mark is None and not self._is_provable(issued_at):
                return ClaimOutcome.UNPROVABLE
            if mark is None and lease is not None:
                self._table.put(name, Mark(_RESERVED, claimant, now + lease.total_seconds()))
            elif lease is None:
                self._spend(name, claimant, mark, expires_at, now)
        return ClaimOutcome.ACCEPTED

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; see `ReplayStore.commit`."""
        name, claimant = _digest(b"mark", key), _digest(b"owner", owner)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            if mark is not None and mark.value != claimant:
                return False
            self._spend(name, claimant, mark, expires_at, now)
        return True

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; see `ReplayStore.release`."""
        name, claimant = _digest(b"mark", key), _digest(b"owner", owner)
        with self._lock:
            mark = self._table.get(name, now=self._tick())
            if mark is None or mark.value != claimant or mark.state != _RESERVED:
                return False
            self._table.remove(name)
        return True

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, whatever it was before, for no shorter than it was remembered already."""
        name = _digest(b"mark", key)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            expires = now + life(expires_at, now)
            self._table.put(name, Mark(_REVOKED, _NOBODY, expires if mark is None else max(expires, mark.expires)))

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming."""
        name = _digest(b"mark", key)
        with self._lock:
            mark = self._table.get(name, now=self._tick())
            if mark is not None:
                return _STATUSES[mark.state]
            return ClaimStatus.UNUSED if self._is_provable(issued_at) else ClaimStatus.UNPROVABLE

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse everything under this key that was issued before an instant; see `RevocationStore.cut_off`."""
        name = _digest(b"subject", key)
        moment = microseconds(before)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            expires = now + life(expires_at, now)
            if mark is not None:
                moment = max(moment, int.from_bytes(mark.value, "big", signed=True))
                expires = max(expires, mark.expires)
            self._table.put(name, Mark(_CUT_OFF, moment.to_bytes(16, "big", signed=True), expires))

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one."""
        name = _digest(b"subject", key)
        with self._lock:
            mark = self._table.get(name, now=self._tick())
        if mark is None:
            return None
        return from_timestamp(0) + timedelta(microseconds=int.from_bytes(mark.value, "big", signed=True))

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is; see `FamilyStore.family`."""
        with self._lock:
            return StoredFamily(self._families.get(key, now=self._tick()), self._is_provable(issued_at))

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; see `FamilyStore.swap_family`."""
        with self._lock:
            now = self._tick()
            held = self._families.get(key, now=now)
            if held == expected:
                self._families.put(key, document, expires=now + life(expires_at, now), now=now)
        return held in {expected, document}

    async def _open(self) -> None:
        with self._lock:
            self._tick()

    def _spend(self, name: bytes, claimant: bytes, mark: Mark | None, expires_at: datetime, now: float) -> None:
        expires = now + life(expires_at, now)
        self._table.put(name, Mark(_SPENT, claimant, expires if mark is None else max(expires, mark.expires)))

    def _tick(self) -> float:
        """What every call begins with: the time, the beginning of memory, and now and then a page to clean."""
        now = self._clock.time()
        if self._memory_begins is None:
            self._memory_begins = memory_begins_at_opening(now)
        self._calls += 1
        if self._calls % _CALLS_PER_CLEANING == 0:
            self._table.clean(now=now)
        return now

    def _is_provable(self, issued_at: datetime) -> bool:
        return not self._fence or (self._memory_begins or 0) <= issued_at.timestamp()


def _digest(domain: bytes, text: str) -> bytes:
    """Sixteen bytes for a name or an owner of any length. The domain keeps cut-offs apart from marks."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=domain).digest()
