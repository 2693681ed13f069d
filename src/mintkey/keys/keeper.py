"""Keeps this process's snapshot of a ring, and is the only one who changes the ring in the store.

Every change and every refresh is the same walk: load, join what the store forgot, plan, and if that asks for anything,
compare and swap. Whoever loses that race begins again with what the winner wrote. An older ring never replaces a
younger one in memory: a walk ends by replacing the very snapshot that it began with, and begins again if that is gone.
Only another event loop can have replaced it, because each loop walks once at a time.

The times in a ring are those of whoever writes it. They are taken after the look, which may be slow, and what was
planned is not written once it is old: a process that was stopped in between plans again.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from math import inf
from threading import Lock

import anyio

from mintkey.clock import Clock
from mintkey.errors import KeyProviderError, MintkeyError, Reason
from mintkey.keys.access import RingAccess
from mintkey.keys.counts import ever_counted
from mintkey.keys.keychain import Keychain
from mintkey.keys.merge import merge
from mintkey.keys.news import KeyNews
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial, StoredRing
from mintkey.keys.ring import Intent, Ring, RingVersion, apply, change_due_at, keys_needed, plan
from mintkey.keys.scarcity import without_new_keys
from mintkey.keys.snapshot import NO_VERIFIERS, Snapshot, prepare_verifiers
from mintkey.keys.store_clock import StoreClock
from mintkey.loops import PerLoop

__all__ = ["Change", "RingKeeper"]

_logger = logging.getLogger("mintkey.keys")

_TRIES = 16
"""Each lost race means that somebody else changed the ring, so a healthy fleet needs two or three."""

_PLAN_LASTS = 1.0
"""Seconds after which a plan is too old to be written; making one and sending it takes a few milliseconds."""

_FAR_BEHIND = 64
"""So many revisions later a ring may have forgotten the tombstones of our versions: then nothing of them was lost."""


@dataclass(frozen=True, slots=True)
class Change:
    """The ring after a change, and how many versions it dropped."""

    snapshot: Snapshot
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """How one try ended: with a snapshot, or without because keys were missing or the race was lost."""

    snapshot: Snapshot | None = None
    dropped: tuple[KeyMaterial, ...] = ()
    keys_missing: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What a try began with.

    Attributes:
        known: What was known, and is to be replaced.
        stored: What the store held.
        asked_at: When it was asked, in monotonic seconds.
        number: The number of this look, for its counts.
        least: What it must have counted of each version that may sign, unless it forgot something.
    """

    known: Snapshot | None
    stored: StoredRing | None
    asked_at: float
    number: int
    least: Mapping[str, int]


class _OvertakenError(Exception):
    """Another event loop of this process replaced what a try began with, perhaps by what is younger."""


class RingKeeper:
    """The snapshot and the way to the next one.

    Args:
        access: The ring in its store.
        keychain: Opens and makes keys.
        policy: When to rotate.
        clock: Where time comes from.
        store_clock: Compares it with the store's.
        fresh_for: How long after a look at the store nobody needs to look again.

    Attributes:
        snapshot: What this process knows; None before the first look.
        failure: Why the last look failed; None if it did not.
        failed_at: When it failed, in monotonic seconds.
        news: Tells of rotations and revocations that a look or a change brings.
    """

    def __init__(
        self,
        access: RingAccess,
        keychain: Keychain,
        /,
        *,
        policy: RotationPolicy,
        clock: Clock,
        store_clock: StoreClock,
        fresh_for: timedelta,
    ) -> None:
        self._access = access
        self._keychain = keychain
        self._policy = policy
        self._clock = clock
        self._store_clock = store_clock
        self._cap = policy.max_mints or 0
        self._fresh_for = fresh_for.total_seconds()
        self._lock = PerLoop(anyio.Lock)
        self._guard = Lock()  # event loops of several threads share what is known; never held over an await
        self.snapshot: Snapshot | None = None
        self.failure: MintkeyError | None = None
        self.failed_at: float = -inf
        self.news: KeyNews = KeyNews(access.ring)
        self._uncountable: frozenset[str] = frozenset()

    async def refresh(self) -> Snapshot:
        """Look at the store; changes nothing there, unless it forgot something that we know.

        Raises:
            KeyProviderError: The store cannot be read (`keys_unavailable`).
        """
        return (await self._walk(None)).snapshot

    async def catch_up(self, revision: int, /) -> None:
        """Look at the store, unless what it says to have is what we know; for who was told of a new revision.

        Raises:
            KeyProviderError: The store cannot be read (`keys_unavailable`).
        """
        async with self._lock.here():  # the news may be our own, and the walk that made it not quite done
            known = 0 if self.snapshot is None or self.snapshot.stored is None else self.snapshot.stored.revision
        if revision != known:
            await self.refresh()

    async def change(self, intent: Intent, /) -> Change:
        """Do what is wanted and what is due; nothing, if that was done already.

        Raises:
            KeyProviderError: The store or the custodian cannot answer (`keys_unavailable`), or every compare-and-swap
                was lost (`rotation_conflict`).
        """
        return await self._walk(intent)

    async def edit(self, edit: Callable[[Ring], Ring], /) -> Change:
        """Change the ring in this way and in no other; written even if it is the same, unless its seal is current.

        Args:
            edit: The ring as it should be, from the ring as it is; asked anew after every lost race.

        Raises:
            KeyProviderError: As for `change`.
        """
        return await self._walk(None, edit)

    def forget(self) -> None:
        """Know nothing any more, as before the first look."""
        with self._guard:
            self.snapshot, self.failure, self._uncountable = None, None, frozenset()

    def signer(self) -> tuple[Snapshot, RingVersion]:
        """The snapshot, and the version that signs in it.

        Raises:
            KeyProviderError: There is none, because the provider was closed meanwhile (`keys_unavailable`).
        """
        snapshot = self.snapshot
        signer = None if snapshot is None else snapshot.ring.signer
        if snapshot is None or signer is None:
            raise KeyProviderError("the key provider was closed while it was at work")
        return snapshot, signer

    def is_countable(self, kid: str, /) -> bool:
        """Whether the store can be asked for mints of a version: its count did not go back, as far as is known."""
        return kid not in self._uncountable

    async def _walk(self, intent: Intent | None, edit: Callable[[Ring], Ring] | None = None) -> Change:
        tries, no_key = 0, None
        while tries < _TRIES:
            try:
                async with self._lock.here():
                    attempt = await self._try(intent, edit, no_key)
            except _OvertakenError:
                continue  # by somebody who got further every time, so that this comes to an end
            tries += 1
            # Custodians may take their time: nobody who only wants to look waits for them.
            if attempt.snapshot is not None:
                await self._keychain.destroy(attempt.dropped)
                return Change(attempt.snapshot, len(attempt.dropped))
            try:
                await self._keychain.make(attempt.keys_missing)
            except MintkeyError as error:
                if intent is None or not (intent.relieve or intent.revoke):
                    raise
                # A revocation does not wait for a successor's successor, nor does a version that is at its cap. What is
                # done without new keys misses none, so this happens once.
                no_key = error
        raise KeyProviderError(
            f"ring {self._access.ring!r} changes faster than it can be changed; try again",
            reason=Reason.ROTATION_CONFLICT,
            details={"ring": self._access.ring, "tries": _TRIES},
        )

    async def _try(
        self, intent: Intent | None, edit: Callable[[Ring], Ring] | None, no_key: MintkeyError | None
    ) -> _Try:
        with self._noting_failure():
            look = await self._look()
            stored = look.stored
            theirs = self._read(look)
            self._keychain.check_kind(theirs)
            self._compare_counts(look)
            ring = self._joined(look, theirs)
            if ring == theirs:
                # Known from now on, whatever becomes of a change: a custodian that is away must not hide a revocation.
                snapshot = await self._prepared(look, stored, ring)
                if not self._adopt(snapshot, look.known):
                    raise _OvertakenError
                if intent is None and edit is None and not self._uncountable:
                    return _Try(snapshot=snapshot)
                look = replace(look, known=snapshot)
            else:
                snapshot = None
                self._warn_of_loss(look)
        planned_at = self._clock.time()
        if edit is not None:
            after = edit(ring)
            if snapshot is not None and after == ring and self._access.is_current(stored):
                return _Try(snapshot=snapshot)
            return await self._swap(look, theirs, after, (), planned_at)
        intent = intent or Intent()
        edits = plan(ring, planned_at, self._policy, replace(intent, relieve=intent.relieve | self._uncountable))
        if no_key is not None:
            edits = without_new_keys(ring, edits)
            if not edits:
                raise no_key
        if snapshot is not None and not edits:
            await self._use_up(self._uncountable)
            return _Try(snapshot=snapshot)
        materials = self._keychain.spares(keys_needed(edits), ring)
        if materials is None:
            return _Try(keys_missing=keys_needed(edits))
        return await self._swap(look, theirs, apply(ring, edits, materials), materials, planned_at)

    async def _look(self) -> _Look:
        known, asked_at, asked_at_time = self.snapshot, self._clock.monotonic(), self._clock.time()
        # Before the store is asked: what it grants while it answers may be missing in the answer.
        least: Mapping[str, int] = {} if known is None else self._access.counts.least(known)
        stored = await self._access.load()
        if self.snapshot is not known:
            raise _OvertakenError  # nothing can be said of what was loaded: it may be older
        self._store_clock.compare(None if stored is None else stored.time, asked_at=asked_at_time)
        return _Look(known, stored, asked_at, self._access.counts.looked(), least)

    async def _swap(
        self, look: _Look, before: Ring, after: Ring, materials: Sequence[KeyMaterial], planned_at: float
    ) -> _Try:
        if abs(self._clock.time() - planned_at) > _PLAN_LASTS:
            return _Try()  # the process was stopped, or its clock was set: as if somebody else had been faster
        with self._keychain.perhaps_used(materials):
            written = await self._access.swap(look.stored, after)
        if written is None:
            return _Try()
        self._keychain.used(materials)
        uncountable = self._uncountable
        with self._noting_failure():
            snapshot = await self._prepared(look, written, after)
        known = look.known
        while not self._adopt(snapshot, known):
            known = self.snapshot
            if known is not None and known.stored is not None and known.stored.revision >= written.revision:
                snapshot = known  # another event loop found there what we wrote, or what came after it
                break
        await self._use_up(uncountable)
        dropped = tuple(version.material for version in before.versions if after.find(version.kid) is None)
        return _Try(snapshot=snapshot, dropped=dropped)

    async def _use_up(self, kids: frozenset[str]) -> None:
        """Leave nothing of these that the store could grant: processes that did not look yet still sign with them."""
        for kid in kids:
            with suppress(MintkeyError):
                await self._access.reserve(kid, want=self._cap, limit=self._cap)
                with self._guard:
                    self._uncountable -= {kid}

    async def _prepared(self, look: _Look, stored: StoredRing | None, ring: Ring) -> Snapshot:
        known = NO_VERIFIERS if look.known is None else look.known.verifiers
        verifiers = await prepare_verifiers(ring, known, self._keychain, name=self._access.ring)
        signer = ring.signer
        return Snapshot(
            ring=ring,
            stored=stored,
            signing_kid="" if signer is None else signer.kid,
            change_due_at=change_due_at(ring, self._policy),
            checked_at=look.asked_at,
            fresh_until=look.asked_at + self._fresh_for,
            look=look.number,
            verifiers=verifiers,
        )

    def _adopt(self, snapshot: Snapshot, known: Snapshot | None) -> bool:
        """Let a snapshot replace what was known when it was prepared; whether that was still the same."""
        with self._guard:
            if self.snapshot is not known:
                return False
            self.snapshot = snapshot
            self._uncountable &= {version.kid for version in snapshot.ring.versions if version.still_to_retire}
        ring = snapshot.ring
        self._access.counts.forget(snapshot.look)
        in_use = (v.kid for v in ring.versions if v.still_to_retire or v.material.public_jwk is None)
        self._keychain.close_all_but(frozenset(in_use))
        self.news.compare(None if known is None else known.ring, ring, is_own=self._access.is_own(snapshot.stored))
        return True

    def _read(self, look: _Look) -> Ring:
        known = look.known
        if known is None or _written(known.stored) != _written(look.stored):
            return self._access.read(look.stored)
        return known.ring  # the usual case, every few seconds: nothing to parse and nothing to compare

    def _joined(self, look: _Look, theirs: Ring) -> Ring:
        known, stored = look.known, look.stored
        if known is None or known.stored is None or theirs is known.ring:
            return theirs
        if stored is not None and stored.revision - known.stored.revision > _FAR_BEHIND:
            return theirs
        return merge(theirs, known.ring, self._clock.time(), self._policy)

    def _compare_counts(self, look: _Look) -> None:
        """Notice counts that went back: what they say now could be granted a second time."""
        known, stored = look.known, look.stored
        if not self._cap or known is None or known.stored is None:
            return
        fallen = {kid for kid, least in look.least.items() if ever_counted(stored, kid) < least}
        if stored is None:
            fallen.add(known.signing_kid)  # others may have been granted what is not known here
        with self._guard:
            self._uncountable |= fallen

    def _warn_of_loss(self, look: _Look) -> None:
        before, stored = None if look.known is None else look.known.stored, look.stored
        _logger.warning(
            "ring %r was at revision %d and is at %d now, without versions or facts that are still known here "
            "(memory lost, an older state restored, or tampering?); writing them back",
            self._access.ring,
            0 if before is None else before.revision,
            0 if stored is None else stored.revision,
        )

    @contextmanager
    def _noting_failure(self) -> Generator[None]:
        try:
            yield
        except MintkeyError as error:
            if self.failure is None:
                _logger.warning("%s; going on with what is known", error)
            self.failure, self.failed_at = error, self._clock.monotonic()
            raise
        self.failure = None


def _written(stored: StoredRing | None) -> tuple[int, bytes] | None:
    """What a compare-and-swap wrote; its seal is good for this revision only."""
    return None if stored is None else (stored.revision, stored.document)
