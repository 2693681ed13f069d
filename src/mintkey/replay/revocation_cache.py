"""Revocation answers kept for a moment: fewer round trips, for a stated bound on how late a revocation is seen."""

import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, UnsupportedOperationError
from mintkey.health import Check, SelfChecking
from mintkey.lifecycle import Resource
from mintkey.replay.base import (
    ClaimOutcome,
    ClaimStatus,
    FamilyStore,
    JointLookStore,
    Look,
    ReplayStore,
    RevocationStore,
    StoredFamily,
)

__all__ = ["RevocationCache"]

LONGEST_AGE = timedelta(minutes=1)
"""Who can wait longer for a revocation needs none: a shorter lifetime does the same without a store."""


class _Store(ReplayStore, RevocationStore, Protocol):
    """What can be cached."""


class RevocationCache(Resource):
    """A store in front of another one, that does not ask again for a moment what was just found not revoked.

    For purposes with `revocable=True` whose tokens come many times: a token is asked about once in `max_age`, whatever
    the number of requests. The price is a bound and not a hope: **what another process revokes is refused here after
    `max_age` at the latest**, counted from the moment at which the store was asked. What is revoked by way of this very
    object is refused at once. So is whatever the store said last: only the answer "not revoked" is ever kept.

    Nothing else changes. Spending, reserving, revoking and refreshing always ask the store, and so does looking at
    tokens for single use that are not revocable; `peek` at one that is may miss for `max_age` that it was spent
    elsewhere, `verify` never does. With the store away, tokens known to be good stay good for `max_age`, and all others
    are refused as without the cache.

    Args:
        store: A `ReplayStore` that is a `RevocationStore`, too; opened and closed together with this one.
        max_age: How late a revocation by another process may be seen: positive, at most a minute.
        max_entries: How many tokens are remembered, and as many subjects; the oldest makes room. At least 1.
        clock: Where time comes from; by default the machine's.

    Attributes:
        max_age: The bound.

    Raises:
        ConfigurationError: A setting does not fit, or the store keeps no cut-offs; all problems at once
            (`configuration`).

    Example:
        >>> from mintkey.replay import MemoryReplayStore
        >>> RevocationCache(MemoryReplayStore(), max_age=timedelta(seconds=2))
        RevocationCache(max_age=2.0 s, max_entries=10000)
    """

    def __init__(
        self,
        store: _Store,
        *,
        max_age: timedelta = timedelta(seconds=5),
        max_entries: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        problems: list[str] = []
        if not isinstance(cast("object", store), RevocationStore):  # whatever its type said
            problems.append(f"{type(store).__name__} keeps no cut-offs per subject, so it is no RevocationStore")
        if not timedelta(0) < max_age <= LONGEST_AGE:
            problems.append("max_age must be positive and at most a minute")
        if max_entries < 1:
            problems.append("max_entries must be at least 1")
        ConfigurationError.raise_if(f"RevocationCache: {problem}" for problem in problems)
        self._store = store
        self._max_age = max_age.total_seconds()
        self.max_age: timedelta = max_age
        self._max_entries = max_entries
        self._clock = clock if clock is not None else SystemClock()
        self._tokens = _Recent(max_entries)
        self._subjects = _Recent(max_entries)
        self._changes = object()  # another one whenever something was revoked here
        # One process may run several event loops in several threads. Held for microseconds, never over an await.
        self._lock = threading.Lock()
        self._entered: AbstractAsyncContextManager[Any] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_age={self._max_age} s, max_entries={self._max_entries})"

    async def look(self, key: str, cut_off: str, /, *, issued_at: datetime) -> Look:
        """A token and its subject, from memory if both were found not revoked just now; see `JointLookStore.look`."""
        now = self._clock.monotonic()
        token, subject = self._tokens.get(key, now), self._subjects.get(cut_off, now)
        if token is not None and subject is not None and token[1] == issued_at:
            return Look(ClaimStatus.UNUSED, subject[1])
        changes = self._changes
        found = await self._look(key, cut_off, issued_at)
        if found.status is ClaimStatus.UNUSED and (found.cut_off_before is None or found.cut_off_before <= issued_at):
            with self._lock:
                # What was revoked here while the answer was on its way may not be in it.
                if changes is self._changes:
                    until = now + self._max_age
                    self._tokens.put(key, (until, issued_at))
                    self._subjects.put(cut_off, (until, found.cut_off_before))
        return found

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """What a claim would meet; always asks the store. See `ReplayStore.status`."""
        return await self._store.status(key, issued_at=issued_at)

    async def cut_off_before(self, key: str, /) -> datetime | None:
        """The cut-off under this key; always asks the store. See `RevocationStore.cut_off_before`."""
        return await self._store.cut_off_before(key)

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """Mark a key as revoked, for every look from now on; see `ReplayStore.revoke`."""
        try:
            await self._store.revoke(key, expires_at=expires_at)
        finally:
            self._forget(key, self._tokens)

    async def cut_off(self, key: str, /, *, before: datetime, expires_at: datetime) -> None:
        """Refuse what was issued before an instant, in every look from now on; see `RevocationStore.cut_off`."""
        try:
            await self._store.cut_off(key, before=before, expires_at=expires_at)
        finally:
            self._forget(key, self._subjects)

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """Take a key for an owner, once; see `ReplayStore.claim`."""
        try:
            return await self._store.claim(key, owner=owner, issued_at=issued_at, expires_at=expires_at, lease=lease)
        finally:
            self._forget(key, self._tokens)

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """Turn this owner's reservation into a spent mark; see `ReplayStore.commit`."""
        try:
            return await self._store.commit(key, owner=owner, expires_at=expires_at)
        finally:
            self._forget(key, self._tokens)

    async def release(self, key: str, /, *, owner: str) -> bool:
        """Give this owner's reservation back; see `ReplayStore.release`."""
        return await self._store.release(key, owner=owner)

    async def family(self, key: str, /, *, issued_at: datetime) -> StoredFamily:
        """The family as it is; always asks the store. See `FamilyStore.family`.

        Raises:
            UnsupportedOperationError: The store keeps no families (`unsupported`).
        """
        return await self._families().family(key, issued_at=issued_at)

    async def swap_family(self, key: str, /, *, expected: bytes | None, document: bytes, expires_at: datetime) -> bool:
        """Replace a family's document if it is still the expected one; see `FamilyStore.swap_family`.

        Raises:
            UnsupportedOperationError: The store keeps no families (`unsupported`).
        """
        return await self._families().swap_family(key, expected=expected, document=document, expires_at=expires_at)

    def forget(self) -> None:
        """Ask the store about everything again; for who was told that something was revoked elsewhere.

        Example:
            ```python
            cache.forget()  # also what is on its way from the store right now is not kept
            ```
        """
        with self._lock:
            self._changes = object()
            self._tokens, self._subjects = _Recent(self._max_entries), _Recent(self._max_entries)

    async def checks(self) -> Mapping[str, Check]:
        """What the store says of itself, if anything. Never raises an error."""
        return await self._store.checks() if isinstance(self._store, SelfChecking) else {}

    async def _open(self) -> None:
        if isinstance(self._store, AbstractAsyncContextManager):
            store: AbstractAsyncContextManager[Any] = self._store
            await store.__aenter__()
            self._entered = store

    async def _close(self) -> None:
        # Only the opening that is ours: others may use the store, too.
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.__aexit__(None, None, None)
        elif isinstance(self._store, Resource):
            await self._store.aclose_unless_open()
        else:
            await self._store.aclose()

    async def _look(self, key: str, cut_off: str, issued_at: datetime) -> Look:
        if isinstance(self._store, JointLookStore):
            return await self._store.look(key, cut_off, issued_at=issued_at)
        before = await self._store.cut_off_before(cut_off)
        return Look(await self._store.status(key, issued_at=issued_at), before)

    def _forget(self, name: str, recent: "_Recent") -> None:
        with self._lock:
            self._changes = object()
            recent.drop(name)

    def _families(self) -> FamilyStore:
        if not isinstance(self._store, FamilyStore):
            raise UnsupportedOperationError(f"{type(self._store).__name__} keeps no families of refresh tokens")
        return self._store


_Entry = tuple[float, datetime | None]
"""Until when, on the monotonic clock, an answer may be repeated; the token's `iat`, or the subject's cut-off."""


class _Recent:
    """Answers by name; as all of them are kept for the same time, the oldest is the first to go."""

    __slots__ = ("_entries", "_max_entries")

    def __init__(self, max_entries: int, /) -> None:
        self._max_entries = max_entries
        self._entries: dict[str, _Entry] = {}

    def get(self, name: str, now: float, /) -> _Entry | None:
        entry = self._entries.get(name)
        return entry if entry is not None and now < entry[0] else None

    def put(self, name: str, entry: _Entry, /) -> None:
        held = self._entries.pop(name, entry)  # so that it goes to the end of the line
        if held[0] > entry[0]:
            entry = held  # answers may overtake each other; the one that was asked for last knows more
        if len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries[name] = entry

    def drop(self, name: str, /) -> None:
        self._entries.pop(name, None)
