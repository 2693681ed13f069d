"""Every call that changes something in a store, what must be so before it, and what must be so whatever became of it.

A call that is done is seen by everybody. One that failed with *nothing* left no trace: who comes next is the first. One
whose outcome is unknown happened, or did not, and whoever made it may ask again. And in no case there are two winners.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from mintkey.bus.stream import entries_of
from mintkey.errors import BackendError
from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome
from tests.faults.ground import Fate, Ground
from tests.support.buses import Numbered

__all__ = ["PATHS", "Path"]

_LEASE = timedelta(minutes=1)
_RESERVED, _LIMIT = 10, 14
ACCEPTED, SPENT, RESERVED, REVOKED = (
    ClaimOutcome.ACCEPTED,
    ClaimOutcome.SPENT,
    ClaimOutcome.RESERVED,
    ClaimOutcome.REVOKED,
)


class Path(ABC):
    """One kind of call.

    Attributes:
        kind: Of which store: `marks`, `rings` or `bus`.
        is_repeatable: A lost answer is asked for again; else it is an error.
    """

    kind = "marks"
    is_repeatable = True

    async def before(self, ground: Ground) -> None:  # noqa: B027 - most calls need nothing
        """Make it so that the call makes sense."""

    @abstractmethod
    async def call(self, ground: Ground) -> object:
        """The call itself."""

    @abstractmethod
    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        """Look that what happened is what the caller was told, and that whoever comes next is told the truth."""


async def claim(ground: Ground, *, owner: str | None = None, lease: timedelta | None = None) -> ClaimOutcome:
    """A claim on the sure way; by somebody else, unless an owner is named."""
    times = {"issued_at": ground.issued_at, "expires_at": ground.expires_at}
    return await ground.sure.marks.claim(ground.name, owner=owner or new_id(), lease=lease, **times)


def expect(seen: ClaimOutcome, fate: Fate, *, done: ClaimOutcome, nothing: ClaimOutcome) -> None:
    """What somebody else meets behind a call."""
    allowed = {Fate.DONE: {done}, Fate.NOTHING: {nothing}, Fate.UNKNOWN: {done, nothing}}[fate]
    assert seen in allowed, f"after {fate}, somebody else is told {seen}"


class Claim(Path):
    """Spending at once."""

    lease: timedelta | None = None
    held = SPENT

    async def call(self, ground: Ground) -> object:
        times = {"issued_at": ground.issued_at, "expires_at": ground.expires_at}
        return await ground.tried.marks.claim(ground.name, owner=ground.owner, lease=self.lease, **times)

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is ACCEPTED, "a first use is called a first use"
        another = await claim(ground)
        expect(another, fate, done=self.held, nothing=ACCEPTED)
        again = await claim(ground, owner=ground.owner, lease=self.lease)
        assert again is (SPENT if another is ACCEPTED else ACCEPTED), "one winner, who is told so again"
        if self.lease is not None and again is ACCEPTED:
            assert await ground.sure.marks.commit(ground.name, owner=ground.owner, expires_at=ground.expires_at)
        assert await claim(ground) is SPENT


class Reserve(Claim):
    """Reserving for a while."""

    lease = _LEASE
    held = RESERVED


class Commit(Path):
    """Spending what one reserved."""

    async def before(self, ground: Ground) -> None:
        assert await claim(ground, owner=ground.owner, lease=_LEASE) is ACCEPTED

    async def call(self, ground: Ground) -> object:
        return await ground.tried.marks.commit(ground.name, owner=ground.owner, expires_at=ground.expires_at)

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is True
        expect(await claim(ground), fate, done=SPENT, nothing=RESERVED)
        assert await ground.sure.marks.commit(ground.name, owner=ground.owner, expires_at=ground.expires_at)
        assert await claim(ground) is SPENT


class Release(Path):
    """Giving back what one reserved."""

    async def before(self, ground: Ground) -> None:
        assert await claim(ground, owner=ground.owner, lease=_LEASE) is ACCEPTED

    async def call(self, ground: Ground) -> object:
        return await ground.tried.marks.release(ground.name, owner=ground.owner)

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is True
        seen = await claim(ground)
        expect(seen, fate, done=ACCEPTED, nothing=RESERVED)
        if seen is RESERVED:
            assert await ground.sure.marks.release(ground.name, owner=ground.owner)
            assert await claim(ground) is ACCEPTED
        assert await ground.sure.marks.release(ground.name, owner=ground.owner) is False
        assert await claim(ground) is SPENT, "nobody takes back what somebody else spent"


class SQLRelease(Release):
    """In a database a release that may have happened is not repeated: it would find nothing to give back."""

    is_repeatable = False


class Revoke(Path):
    """Refusing from now on."""

    async def call(self, ground: Ground) -> object:
        await ground.tried.marks.revoke(ground.name, expires_at=ground.expires_at)
        return None

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is None
        expect(await claim(ground), fate, done=REVOKED, nothing=ACCEPTED)
        await ground.sure.marks.revoke(ground.name, expires_at=ground.expires_at)
        assert await claim(ground) is REVOKED


class SwapFamily(Path):
    """The step of a refresh."""

    async def before(self, ground: Ground) -> None:
        assert await self._swap(ground.sure.marks, ground, None, b"one")

    async def call(self, ground: Ground) -> object:
        return await self._swap(ground.tried.marks, ground, b"one", b"two")

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is True
        found = (await ground.sure.marks.family(ground.name, issued_at=ground.issued_at)).document
        assert found in {Fate.DONE: {b"two"}, Fate.NOTHING: {b"one"}, Fate.UNKNOWN: {b"one", b"two"}}[fate]
        assert await self._swap(ground.sure.marks, ground, b"one", b"two"), "asking again is answered alike"
        assert not await self._swap(ground.sure.marks, ground, b"one", b"three"), "and nobody else was first"

    @staticmethod
    async def _swap(store: object, ground: Ground, expected: bytes | None, document: bytes) -> bool:
        swap = store.swap_family  # type: ignore[attr-defined]  # it is one of ours
        swapped: bool = await swap(ground.name, expected=expected, document=document, expires_at=ground.expires_at)
        return swapped


class SwapRing(Path):
    """Replacing a ring."""

    kind = "rings"

    async def before(self, ground: Ground) -> None:
        assert await ground.sure.rings.compare_and_swap(ground.name, expected=0, document=b"one")

    async def call(self, ground: Ground) -> object:
        return await ground.tried.rings.compare_and_swap(ground.name, expected=1, document=b"two")

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer is True, "whose keys are in the ring is told so"
        stored = await ground.sure.rings.load(ground.name)
        assert stored is not None
        seen, one, two = (stored.revision, stored.document), (1, b"one"), (2, b"two")
        assert seen in {Fate.DONE: {two}, Fate.NOTHING: {one}, Fate.UNKNOWN: {one, two}}[fate]


class SQLSwapRing(SwapRing):
    """In a database it is committed at most once: the next look shows whether it was."""

    is_repeatable = False


class ReserveMints(Path):
    """Setting mints aside, below the cap of the fleet."""

    kind = "rings"

    async def before(self, ground: Ground) -> None:
        assert await ground.sure.rings.compare_and_swap(ground.name, expected=0, document=b"one")
        assert await ground.sure.rings.reserve(ground.name, "kid", want=_RESERVED, limit=_LIMIT) == _RESERVED

    async def call(self, ground: Ground) -> object:
        return await ground.tried.rings.reserve(ground.name, "kid", want=3, limit=_LIMIT)

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        counted = await mints(ground)
        assert counted <= _LIMIT, "nobody may sign beyond the cap"
        if fate is Fate.DONE:
            assert isinstance(answer, int)
            wasted = counted - _RESERVED - answer
            assert answer > 0
            assert wasted >= 0 if self.is_repeatable else wasted == 0, "whatever was granted is counted"
        assert fate is not Fate.NOTHING or counted == _RESERVED
        left = await ground.sure.rings.reserve(ground.name, "kid", want=_LIMIT, limit=_LIMIT)
        assert left == _LIMIT - counted


class SQLReserveMints(ReserveMints):
    """In a database nothing is wasted: it is committed at most once."""

    is_repeatable = False


class GiveMintsBack(Path):
    """Giving back what nobody signed; twice would break the cap."""

    kind = "rings"
    is_repeatable = False

    async def before(self, ground: Ground) -> None:
        await ReserveMints().before(ground)
        with suppress(BackendError):  # have the server know the script
            await ground.sure.rings.give_back(ground.name, "other", count=1)

    async def call(self, ground: Ground) -> object:
        await ground.tried.rings.give_back(ground.name, "kid", count=4)
        return None

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        before, behind = _RESERVED, _RESERVED - 4
        allowed = {Fate.DONE: {behind}, Fate.NOTHING: {before}, Fate.UNKNOWN: {before, behind}}[fate]
        assert await mints(ground) in allowed


async def mints(ground: Ground) -> int:
    """What is counted against the version."""
    stored = await ground.sure.rings.load(ground.name)
    assert stored is not None
    return stored.mints["kid"]


class Publish(Path):
    """Telling the bus of an event, which the server has once."""

    kind = "bus"

    async def call(self, ground: Ground) -> object:
        assert ground.tried.bus is not None
        return await ground.tried.bus.publish(Numbered(purpose="test", number=0), event_id=ground.name)

    async def after(self, ground: Ground, fate: Fate, answer: object) -> None:
        assert fate is not Fate.DONE or answer == ground.name
        kept = await self._kept(ground)
        assert kept in {Fate.DONE: {1}, Fate.NOTHING: {0}, Fate.UNKNOWN: {0, 1}}[fate]
        assert ground.sure.bus is not None
        await ground.sure.bus.publish(Numbered(purpose="test", number=0), event_id=ground.name)
        assert await self._kept(ground) == 1, "whoever does not know publishes again, and it is there once"

    @staticmethod
    async def _kept(ground: Ground) -> int:
        bus = ground.sure.bus
        assert bus is not None
        entries = entries_of(await bus._stream._send("XRANGE", bus._stream.key, "-", "+"))
        return [bus._envelopes.open(entry.fields).id for entry in entries].count(ground.name)


_REDIS: Mapping[str, Path] = {
    "claim": Claim(),
    "reserve": Reserve(),
    "commit": Commit(),
    "release": Release(),
    "revoke": Revoke(),
    "swap family": SwapFamily(),
    "swap ring": SwapRing(),
    "reserve mints": ReserveMints(),
    "give mints back": GiveMintsBack(),
    "publish": Publish(),
}
_SQL: Mapping[str, Path] = {
    **{name: path for name, path in _REDIS.items() if name != "publish"},
    "release": SQLRelease(),
    "swap ring": SQLSwapRing(),
    "reserve mints": SQLReserveMints(),
}
PATHS: Mapping[str, Mapping[str, Path]] = {"redis": _REDIS, "postgresql": _SQL, "sqlite": _SQL}
"""By backend and name."""
