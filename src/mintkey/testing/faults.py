"""Stores that fail when they are told to: before the call, after it, or by never answering."""

from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum, auto
from threading import Lock
from typing import ClassVar

from mintkey.errors import BackendError, ConfigurationError, KeyProviderError, Reason, ReplayStoreError
from mintkey.keys.ports import KeyRingStore, StoredRing
from mintkey.lifecycle import Resource
from mintkey.loops import Waiting
from mintkey.replay.base import ClaimOutcome, ClaimStatus, ReplayStore

__all__ = ["FaultyReplayStore", "FaultyRingStore", "StoreFault"]


class StoreFault(Enum):
    """How a call fails.

    Example:
        >>> StoreFault.AFTER.name
        'AFTER'
    """

    BEFORE = auto()
    """It fails, and nothing was done."""
    AFTER = auto()
    """It was done, and fails all the same: the answer is lost."""
    HANG = auto()
    """It does not answer before `heal`, and nothing was done until then."""


class _Faulty(Resource):
    """What both stores have in common: faults to come, faults that stay, and a count of the calls.

    Attributes:
        calls: How often each method was called, by its name.
    """

    _methods: ClassVar[Collection[str]] = ()

    def __init__(self, inside: object) -> None:
        self.calls: Counter[str] = Counter()
        self._inside = inside
        self._entered: Resource | None = None
        self._next: defaultdict[str | None, deque[StoreFault | None]] = defaultdict(deque)
        self._always: dict[str | None, StoreFault | None] = {}
        self._guard = Lock()  # a test may heal what hangs in another event loop; never held over an await
        self._hanging = Waiting()

    def fail(self, *faults: StoreFault | None, on: str | None = None) -> None:
        """What the next calls meet, one each.

        Args:
            faults: In the order of the calls; None lets one pass.
            on: The method whose calls they are. By default those of any method; a method's own faults come first.

        Raises:
            ConfigurationError: There is no such method (`configuration`).
        """
        self._next[self._known(on)].extend(faults)

    def fail_always(self, fault: StoreFault | None, /, *, on: str | None = None) -> None:
        """What every call meets that has no fault of its own, until `heal`; None: nothing.

        Args:
            fault: How they fail.
            on: The method; by default all.

        Raises:
            ConfigurationError: There is no such method (`configuration`).
        """
        self._always[self._known(on)] = fault

    def heal(self) -> None:
        """Forget all faults; calls that hang go on and are executed."""
        with self._guard:
            self._next.clear()
            self._always.clear()
            self._hanging.wake_all()

    def _known(self, method: str | None) -> str | None:
        # A typo would be a fault that never happens, and a test that proves nothing.
        if method is not None and method not in self._methods:
            raise ConfigurationError(f"on must be one of {', '.join(self._methods)}")
        return method

    def _pop(self, method: str) -> StoreFault | None:
        for name in (method, None):
            if self._next[name]:
                return self._next[name].popleft()
        return self._always.get(method, self._always.get(None))

    @asynccontextmanager
    async def _passage(self, method: str, before: BackendError, after: BackendError) -> AsyncGenerator[None, None]:
        """The way of one call through its fault, if it has one."""
        with self._guard:
            self.calls[method] += 1
            fault = self._pop(method)
            healed = self._hanging.join() if fault is StoreFault.HANG else None
        if fault is StoreFault.BEFORE:
            raise before
        if healed is not None:
            await healed
        yield
        if fault is StoreFault.AFTER:
            raise after

    async def _open(self) -> None:
        if isinstance(self._inside, Resource):
            self._entered = await self._inside.__aenter__()

    async def _close(self) -> None:
        # Only the opening that is ours: others may use the store inside, too.
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.aclose()


class FaultyReplayStore(_Faulty):
    """A `ReplayStore` around another one, whose calls fail on demand: before they are executed, after, or by hanging.

    It raises what a store raises whose server is away: `replay_unavailable` if nothing happened, and
    `replay_outcome_unknown` if a write did. It has no capability beyond `ReplayStore`: no cut-offs, no families.

    Args:
        store: The store that does the work; entered and left together with this one.

    Example:
        >>> import anyio
        >>> from datetime import UTC
        >>> from mintkey.replay.memory import MemoryReplayStore
        >>> async def lose_an_answer() -> list[str]:
        ...     store = FaultyReplayStore(MemoryReplayStore())
        ...     store.fail(StoreFault.AFTER)
        ...     now = datetime.now(UTC)
        ...     call = {"owner": "me", "issued_at": now, "expires_at": now + timedelta(minutes=1)}
        ...     try:
        ...         await store.claim("a-mark", **call)
        ...     except ReplayStoreError as error:
        ...         return [error.reason.value, (await store.claim("a-mark", **call)).value]
        >>> anyio.run(lose_an_answer)
        ['replay_outcome_unknown', 'accepted']
    """

    _methods = ("claim", "commit", "release", "revoke", "status")

    def __init__(self, store: ReplayStore, /) -> None:
        super().__init__(store)
        self._store = store

    async def claim(
        self, key: str, /, *, owner: str, issued_at: datetime, expires_at: datetime, lease: timedelta | None = None
    ) -> ClaimOutcome:
        """See `ReplayStore.claim`."""
        async with self._fault_of("claim"):
            return await self._store.claim(key, owner=owner, issued_at=issued_at, expires_at=expires_at, lease=lease)

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        """See `ReplayStore.commit`."""
        async with self._fault_of("commit"):
            return await self._store.commit(key, owner=owner, expires_at=expires_at)

    async def release(self, key: str, /, *, owner: str) -> bool:
        """See `ReplayStore.release`."""
        async with self._fault_of("release"):
            return await self._store.release(key, owner=owner)

    async def revoke(self, key: str, /, *, expires_at: datetime) -> None:
        """See `ReplayStore.revoke`."""
        async with self._fault_of("revoke"):
            await self._store.revoke(key, expires_at=expires_at)

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        """See `ReplayStore.status`."""
        async with self._fault_of("status"):
            return await self._store.status(key, issued_at=issued_at)

    def _fault_of(self, method: str) -> AbstractAsyncContextManager[None]:
        # A look changes nothing, so there is no outcome that could be unknown.
        lost = Reason.REPLAY_UNAVAILABLE if method == "status" else Reason.REPLAY_OUTCOME_UNKNOWN
        away = ReplayStoreError("the store fails on purpose")
        return self._passage(method, away, ReplayStoreError("the answer was lost on purpose", reason=lost))


class FaultyRingStore(_Faulty):
    """A `KeyRingStore` around another one, whose calls fail on demand (`keys_unavailable`).

    Args:
        store: The store that does the work; entered and left together with this one.

    Example:
        >>> import anyio
        >>> from mintkey.keys.stores.memory import MemoryKeyRingStore
        >>> store = FaultyRingStore(MemoryKeyRingStore())
        >>> store.fail_always(StoreFault.BEFORE)
        >>> anyio.run(store.load, "default")
        Traceback (most recent call last):
        mintkey.errors.KeyProviderError: the store fails on purpose
    """

    _methods = ("load", "compare_and_swap", "reserve")

    def __init__(self, store: KeyRingStore, /) -> None:
        super().__init__(store)
        self._store = store

    async def load(self, ring: str, /) -> StoredRing | None:
        """See `KeyRingStore.load`."""
        async with self._fault_of("load"):
            return await self._store.load(ring)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """See `KeyRingStore.compare_and_swap`."""
        async with self._fault_of("compare_and_swap"):
            return await self._store.compare_and_swap(ring, expected=expected, document=document)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """See `KeyRingStore.reserve`."""
        async with self._fault_of("reserve"):
            return await self._store.reserve(ring, kid, want=want, limit=limit)

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        """See `KeyRingStore.watch`; never fails, because nobody may rely on it."""
        return self._store.watch(ring)

    def _fault_of(self, method: str) -> AbstractAsyncContextManager[None]:
        away = KeyProviderError("the store fails on purpose")
        return self._passage(method, away, KeyProviderError("the answer was lost on purpose"))
