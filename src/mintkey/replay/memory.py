"""Single use within one process: marks in memory, exactly one winner, nothing to clean up."""

import hashlib
import threading
from datetime import datetime, timedelta

from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.lifecycle import Resource
from mintkey.replay.base import ClaimOutcome, ClaimStatus, Look, StoredFamily
from mintkey.replay.family_table import FamilyTable
from mintkey.replay.marks import life, memory_begins_at_opening, microseconds
from mintkey.replay.table import NAME_SIZE, Mark, MarkTable

__all__ = ["MemoryReplayStore"]

_SPENT, _RESERVED, _REVOKED, _CUT_OFF = b"s", b"r", b"x", b"c"
_OUTCOMES = {_SPENT: ClaimOutcome.SPENT, _RESERVED: ClaimOutcome.RESERVED, _REVOKED: ClaimOutcome.REVOKED}
_STATUSES = {_SPENT: ClaimStatus.SPENT, _RESERVED: ClaimStatus.RESERVED, _REVOKED: ClaimStatus.REVOKED}
_CALLS_PER_CLEANING = 32

# No text begins with these bytes in UTF-8: what stands for nobody, for a long text or for a subject is no short text.
_LONG, _SUBJECT = b"\xff", b"\xfe"
_NOBODY = b"\xfd" * NAME_SIZE


class MemoryReplayStore(Resource):
    """A `ReplayStore`, `RevocationStore` and `FamilyStore` for one process with any number of threads and event loops.

    Its memory begins when it is opened or first used, and ends with the process: after a restart nobody can know what
    was spent before, so tokens issued before are refused as `replay_unprovable`. A second process shares nothing with
    it: use `RedisReplayStore` or `SQLReplayStore` there.

    A million marks take some 65 MB and make a claim slower by a microsecond. Marks are cleaned away a few at a time, by
    the calls that follow.

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
        self._memory_begins: datetime | None = None
        self._table = MarkTable()
        self._families = FamilyTable()
        self._calls = 0
        # One process may run several event loops in several threads. Held for microseconds, never over an await.
        self._lock = threading.Lock()

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once; see `ReplayStore.claim`."""
        name, claimant = _fixed(key), _fixed(owner)
        with self._lock:
            now = self._tick()
            if lease is None:
                state, expires = _SPENT, now + life(expires_at, now)
            else:
                state, expires = _RESERVED, now + lease.total_seconds()
            if self._is_provable(issued_at):
                mark, unknown = self._table.add(name, state, claimant, expires, now=now), ClaimOutcome.ACCEPTED
            else:
                mark, unknown = self._table.get(name, now=now), ClaimOutcome.UNPROVABLE
            if mark is None:
                return unknown
            if mark.value != claimant:
                return _OUTCOMES[mark.state]
            if lease is None:
                self._table.put(name, _SPENT, claimant, max(expires, mark.expires))
        return ClaimOutcome.ACCEPTED

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; see `ReplayStore.commit`."""
        name, claimant = _fixed(key), _fixed(owner)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            if mark is not None and mark.value != claimant:
                return False
            self._table.put(name, _SPENT, claimant, _no_earlier(mark, now + life(expires_at, now)))
        return True

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; see `ReplayStore.release`."""
        name, claimant = _fixed(key), _fixed(owner)
        with self._lock:
            mark = self._table.get(name, now=self._tick())
            if mark is None or mark.value != claimant or mark.state != _RESERVED:
                return False
            self._table.remove(name)
        return True

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, whatever it was before, for no shorter than it was remembered already."""
        name = _fixed(key)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            self._table.put(name, _REVOKED, _NOBODY, _no_earlier(mark, now + life(expires_at, now)))

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet, without claiming."""
        name = _fixed(key)
        with self._lock:
            return self._status(name, issued_at, now=self._tick())

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse everything under this key that was issued before an instant; see `RevocationStore.cut_off`."""
        name = _digest(_SUBJECT, key)
        moment = microseconds(before)
        with self._lock:
            now = self._tick()
            mark = self._table.get(name, now=now)
            if mark is not None:
                moment = max(moment, int.from_bytes(mark.value, "big", signed=True))
            value = moment.to_bytes(NAME_SIZE, "big", signed=True)
            self._table.put(name, _CUT_OFF, value, _no_earlier(mark, now + life(expires_at, now)))

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key, if there is one."""
        name = _digest(_SUBJECT, key)
        with self._lock:
            mark = self._table.get(name, now=self._tick())
        return _moment(mark)

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        """A token and its subject at once; see `JointLookStore.look`."""
        name, subject = _fixed(key), _digest(_SUBJECT, cut_off)
        with self._lock:
            now = self._tick()
            status, mark = self._status(name, issued_at, now=now), self._table.get(subject, now=now)
        return Look(status, _moment(mark))

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

    def _tick(self) -> float:
        """What every call begins with: the time, the beginning of memory, and now and then a little to clean."""
        now = self._clock.time()
        if self._memory_begins is None:
            self._memory_begins = from_timestamp(memory_begins_at_opening(now))
        self._calls += 1
        if self._calls % _CALLS_PER_CLEANING == 0:
            self._table.clean(now=now)
        return now

    def _status(self, name: bytes, issued_at: datetime, *, now: float) -> ClaimStatus:
        mark = self._table.get(name, now=now)
        if mark is not None:
            return _STATUSES[mark.state]
        return ClaimStatus.UNUSED if self._is_provable(issued_at) else ClaimStatus.UNPROVABLE

    def _is_provable(self, issued_at: datetime) -> bool:
        begins = self._memory_begins
        return not self._fence or (begins is not None and begins <= issued_at)


def _moment(mark: Mark | None) -> datetime | None:
    """The instant that a cut-off holds."""
    if mark is None:
        return None
    return from_timestamp(0) + timedelta(microseconds=int.from_bytes(mark.value, "big", signed=True))


def _no_earlier(mark: Mark | None, expires: float) -> float:
    """When a mark may be forgotten that replaces another, which is remembered for as long as it was going to be."""
    return expires if mark is None else max(expires, mark.expires)


def _fixed(text: str) -> bytes:
    """A name or an owner as bytes of one length: what mintkey makes has it already, anything else is hashed."""
    encoded = text.encode("utf-8", "surrogatepass")
    return encoded if len(encoded) == NAME_SIZE else _digest(_LONG, text)


def _digest(kind: bytes, text: str) -> bytes:
    """Bytes of the same length for a text of any length. Kinds never meet: a cut-off is no mark."""
    size = NAME_SIZE - len(kind)
    return kind + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
