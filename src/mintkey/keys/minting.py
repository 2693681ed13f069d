"""Counts mints: hands out what is left of a block and has the store grant the next one.

The cap is the fleet's, so nothing is signed that the store did not count before. Without a cap the count is only told
to operators: while the store is away signing goes on, and what was not counted is owed. What was set aside and not used
goes back when its version stops signing, and at the end.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from threading import Lock

import anyio

from mintkey.errors import KeyProviderError, MintkeyError, Reason
from mintkey.flight import SingleFlight
from mintkey.keys.base import SigningGrant, SigningKey
from mintkey.keys.blocks import MintBlock, next_size, reservation
from mintkey.keys.ring import Intent, RingVersion
from mintkey.keys.snapshot import Snapshot
from mintkey.keys.workings import RingWorkings
from mintkey.loops import PerLoop

__all__ = ["MintCounter"]

_NO_CAP = 2**62  # still fits into a signed 64-bit column
_TRIES = 16
_PATIENCE = 0.5  # seconds of real time that a caller waits for a count that nothing depends on
_LOOKS = 100
_COOL_DOWN = 1.0  # seconds between two tries while the store is away


@dataclass(slots=True)
class _Tally:
    """Where the store's count of a version differs from what this process signed, its block apart."""

    unused: int = 0
    owed: int = 0


class _Callers:
    """Those of one event loop.

    Attributes:
        waiting: How many mints they wait for.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: int = 0


class MintCounter:
    """The mints of one process, whatever event loops they are wanted in.

    Args:
        workings: The provider's: the ring that is counted in, the keys, the cap and the time.
    """

    def __init__(self, workings: RingWorkings, /) -> None:
        self._keeper = workings.keeper
        self._access = workings.access
        self._counts = workings.access.counts
        self._keychain = workings.keychain
        self._clock = workings.clock
        self._cap = workings.policy.max_mints
        self._limit = _NO_CAP if self._cap is None else self._cap
        self._refilling = SingleFlight(workings.tasks, self._refill)
        self._block: MintBlock | None = None
        self._size = 1
        self._callers: PerLoop[_Callers] = PerLoop(_Callers)
        self._on_the_way: Counter[str] = Counter()
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._fills = 0
        self._is_away = False
        self._tried_at = -inf
        self._guard = Lock()  # for all that is counted; held for moments, never over an await
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    def take(self, kid: str, want: int, /) -> SigningGrant | None:
        """A grant from the block; None if there is nothing left of this version in it.

        Where little is left the next block is asked for behind the caller, so that a busy process never waits for one.
        """
        if self._loop is not asyncio.get_running_loop():
            self._arrive()
        block = self._block
        if block is None or block.key.kid != kid:
            return None
        grant = block.take(want)
        if block.is_low and block.left:
            block.low_water = -1  # once: whoever finds it used up asks again
            self._refilling.start()
        return grant

    async def refill(self, kid: str, want: int, /) -> SigningGrant | None:
        """Have the block refilled, rotating if the version is used up; None: try to `take` again.

        Args:
            kid: The version that signs.
            want: How many mints the caller waits for.

        Raises:
            KeyProviderError: The store or the custodian cannot answer (`keys_unavailable`), or others take every mint
                of every new version (`rotation_conflict`).
        """
        self._arrive()
        callers = self._callers.here()
        callers.waiting += want
        try:
            if self._cap is None:
                return await self._refill_or_owe(kid, want)
            await self._refilling.join()
            return None
        finally:
            callers.waiting -= want

    async def reserve(self, snapshot: Snapshot, version: RingVersion, want: int, /) -> SigningGrant | None:
        """A grant of exactly this version, counted at once; None if it is at its cap.

        Args:
            snapshot: Where the version was found.
            version: The version.
            want: How many mints the caller would like.

        Raises:
            KeyProviderError: The store or the custodian cannot answer (`keys_unavailable`).
        """
        self._arrive()
        key = await self._keychain.open(version.material)
        try:
            granted = await self._ask(snapshot, version.kid, want)
        except MintkeyError:
            if self._cap is not None:
                raise
            granted = 0
        if granted:
            return SigningGrant(key, granted)
        return None if self._cap is not None else self._on_credit(key, want)

    def used(self, snapshot: Snapshot, kid: str, /) -> int:
        """Mints of a version that were really used, as far as this process can tell.

        Args:
            snapshot: Knows what the store counted.
            kid: The version.
        """
        tally, block = self._tallies.get(kid, _Tally()), self._block
        in_block = block.left if block is not None and block.key.kid == kid else 0
        return self._counts.mints(snapshot, kid) + tally.owed - tally.unused - in_block

    async def rest(self) -> None:
        """Wait a moment for a block that is on its way: until it is here, nobody can tell who counted it already."""
        if self._refilling.is_running:
            with anyio.move_on_after(_PATIENCE), suppress(MintkeyError):
                await self._refilling.join()

    async def settle(self) -> None:
        """Have the store count what was signed while it was away, and no longer what was never used.

        Raises:
            KeyProviderError: It still is away (`keys_unavailable`).
        """
        self._arrive()
        await self._pay_all()
        for kid, tally in list(self._tallies.items()):
            if tally.unused:
                await self._give_back(kid, tally)

    async def close(self) -> None:
        """Settle everything, the block included, as far as the store can be asked; then know nothing any more."""
        self._arrive()
        with self._guard:
            block, self._block = self._block, None
            if block is not None:
                self._tallies[block.key.kid].unused += block.empty()
        with suppress(MintkeyError):
            await self.settle()
        with self._guard:
            self._tallies.clear()

    def _arrive(self) -> None:
        """Come to the running event loop; what another process set aside is left to that one."""
        self._loop = asyncio.get_running_loop()
        if self._process != os.getpid():  # a copy, which always has an event loop of its own
            self._guard = Lock()  # another thread may have held it when the copy was made
            self._counts.begin_in_copy()
            self._process, self._block = os.getpid(), None
            self._tallies.clear()
            self._on_the_way.clear()

    async def _pay_all(self) -> None:
        for kid, tally in list(self._tallies.items()):
            if not tally.owed:
                continue
            with self._guard:
                owed, granted = tally.owed, 0
                tally.owed = 0  # nobody else settles it meanwhile
            try:
                granted = await self._access.reserve(kid, want=owed, limit=_NO_CAP)
            finally:
                with self._guard:
                    tally.owed += owed - granted

    async def _give_back(self, kid: str, tally: _Tally) -> None:
        with self._guard:
            unused, tally.unused = tally.unused, 0  # given back once, whatever the store says: else the cap could break
        if not await self._access.give_back(kid, count=unused):
            with self._guard:
                tally.unused += unused

    def _on_credit(self, key: SigningKey, want: int) -> SigningGrant:
        with self._guard:
            self._tallies[key.kid].owed += want
        return SigningGrant(key, want)

    async def _refill_or_owe(self, kid: str, want: int) -> SigningGrant | None:
        if not self._is_away:
            with anyio.move_on_after(_PATIENCE):
                try:
                    await self._refilling.join()
                except MintkeyError:
                    if not self._is_away:
                        raise
                else:
                    return None
        elif self._clock.monotonic() - self._tried_at >= _COOL_DOWN:
            self._refilling.start()  # behind the caller
        key = self._keychain.opened(kid)
        if key is None:
            _, signer = self._keeper.signer()  # whoever that is by now
            key = await self._keychain.open(signer.material)
        return self._on_credit(key, want)

    async def _refill(self) -> None:
        self._tried_at = self._clock.monotonic()
        self._size = self._next_size()
        tries = 0
        while tries < _TRIES:
            (snapshot, signer), fills = self._keeper.signer(), self._fills
            key = await self._keychain.open(signer.material)
            try:
                is_filled = await self._has_filled(key, snapshot)
            except MintkeyError:
                self._is_away = True
                raise
            self._is_away = False
            # What was asked for ahead of need may not be there: what is left of this version comes first.
            if is_filled or not self._needs_more(signer.kid):
                return
            if self._fills == fills:  # else callers of another event loop used up what they were granted: that ends
                tries += 1
        raise KeyProviderError(
            "others used up every new version before this process could sign with it; try again",
            reason=Reason.ROTATION_CONFLICT,
            details={"tries": _TRIES},
        )

    async def _has_filled(self, key: SigningKey, snapshot: Snapshot) -> bool:
        """Whether the store granted mints, which are in the block now; if not, what stood in the way was dealt with."""
        await self._pay_all()  # what goes back can wait, and must not keep anybody from minting
        kid = snapshot.signing_kid
        with self._on_its_way(kid):
            granted = await self._ask(snapshot, kid, self._wanted(snapshot, kid))
            if granted:
                return self._fill(key, granted)
        if self._cap is None:
            await self._keeper.refresh()  # without a cap a store refuses only if it lost the ring
        elif await self._has_nothing(kid):
            await self._keeper.change(Intent(relieve=frozenset({kid})))
        return False

    @contextmanager
    def _on_its_way(self, kid: str) -> Generator[None]:
        """Others can tell that the store was asked for mints of this version, and they are not in the block yet."""
        with self._guard:
            self._on_the_way[kid] += 1
        try:
            yield
        finally:
            with self._guard:
                self._on_the_way[kid] -= 1

    async def _has_nothing(self, kid: str) -> bool:
        """Whether somebody waits for mints, and the last of this version are not on their way to another event loop.

        That one may be blocked: so nobody waits for it any longer than for a store.
        """
        for _ in range(_LOOKS):
            if self._on_the_way[kid] < 1 or not self._needs_more(kid):
                break
            await anyio.sleep(_PATIENCE / _LOOKS)
        return self._needs_more(kid)

    def _wanted(self, snapshot: Snapshot, kid: str) -> int:
        left = None if self._cap is None else self._cap - self._counts.mints(snapshot, kid)
        return reservation(self._size, waiting=self._callers.here().waiting, left=left)

    async def _ask(self, snapshot: Snapshot, kid: str, want: int) -> int:
        """How many mints the store granted; it is not asked for more than the cap leaves, by what is known here."""
        if self._cap is not None:
            if self._counts.mints(snapshot, kid) >= self._cap:
                # Others may have given some back. Or it forgot what it granted, and would grant it a second time.
                snapshot = await self._keeper.refresh()
            want = min(want, self._cap - self._counts.mints(snapshot, kid))
            if want < 1 or not self._keeper.is_countable(kid):
                return 0
        return await self._access.reserve(kid, want=want, limit=self._limit)

    def _needs_more(self, kid: str) -> bool:
        """Whether somebody waits for a mint, and nothing is left of this version's block."""
        block = self._block
        return bool(self._callers.here().waiting) and (block is None or block.key.kid != kid or not block.left)

    def _fill(self, key: SigningKey, granted: int) -> bool:
        """Put granted mints into the block; False if another version signs by now, so that they are wasted."""
        with self._guard:
            (snapshot, signer), before = self._keeper.signer(), self._block
            if signer.kid != key.kid:
                self._tallies[key.kid].unused += granted
                return False
            self._fills += 1
            if before is not None and before.key.kid == key.kid:
                granted += before.empty()
            elif before is not None:
                self._tallies[before.key.kid].unused += before.empty()
            self._block = MintBlock.of(key, granted, began_at=self._clock.monotonic())
            for kid in [kid for kid in self._tallies if snapshot.ring.find(kid) is None]:
                del self._tallies[kid]
            self._on_the_way += Counter()  # forgets those that are none any more
        return True

    def _next_size(self) -> int:
        """How large a block should be, given how long the last one lasted."""
        block = self._block
        if block is None or block.low_water >= 0:
            return self._size  # nothing was used up, or not yet
        used, lasted = block.size - block.left, self._clock.monotonic() - block.began_at
        return next_size(self._size, used=used, lasted=lasted)
