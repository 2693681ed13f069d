"""What the replay store contract needs to know about a backend, and the few calls that its tests are made of."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import anyio
import pytest

from mintkey.ids import new_id
from mintkey.replay.base import ClaimOutcome, ClaimStatus, JointLookStore, ReplayStore, RevocationStore
from mintkey.replay.marks import mark_name, subject_name
from mintkey.testing.clock import FakeClock

__all__ = ["ClosableStore", "ReplayStoreHarness"]

LIFETIME = timedelta(minutes=10)
LEASE = timedelta(seconds=30)
TINY_LEASE = timedelta(milliseconds=40)
TOLERANCE = timedelta(minutes=1)
PATIENCE = 10.0

T = TypeVar("T")


class ClosableStore(ReplayStore, Protocol):
    """A replay store that may be entered, too."""

    async def __aenter__(self) -> Self:
        """Open the store."""
        ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Close the store."""
        ...


class ReplayStoreHarness(ABC):
    """What the contract needs to know about a backend. An async context manager that closes what it gave out.

    Attributes:
        clock: The clock of every store that `store` returns.
        time_is_real: The backend lets marks expire by a clock of its own that nobody can move (Redis). The contract
            then looks at `life_left` instead of moving the clock, or waits for a lease of some milliseconds.
        memory_is_shared: Stores from `store` share a memory outside the process, so a running store can lose it.

    Example:
        ```python
        class MyHarness(ReplayStoreHarness):
            def __init__(self) -> None:
                super().__init__()
                self._database = MyDatabase()
                self._given: list[MyReplayStore] = []

            async def store(self, *, fence: bool = True) -> MyReplayStore:
                self._given.append(MyReplayStore(self._database, fence=fence, clock=self.clock))
                return self._given[-1]

            async def lose_memory(self) -> None:
                self._database.clear()

            async def __aexit__(self, *exc_info: object) -> None:
                for store in self._given:
                    await store.aclose()
        ```
    """

    time_is_real: bool = False
    memory_is_shared: bool = True

    def __init__(self) -> None:
        self.clock: FakeClock = FakeClock()

    async def __aenter__(self) -> Self:
        """Make an empty memory; the stores come later."""
        return self

    @abstractmethod
    async def __aexit__(self, *exc_info: object) -> None:
        """Close every store given out, and leave nothing behind."""

    @abstractmethod
    async def store(self, *, fence: bool = True) -> ClosableStore:
        """A store on the one memory, not entered yet; where memory is shared, another object every time."""

    @abstractmethod
    async def lose_memory(self) -> None:
        """What a restart without persistence does: everything is forgotten, when the memory began included."""

    async def life_left(self, key: str, /) -> timedelta | None:
        """How long the mark of this key still lives; None: there is none. Needed only where `time_is_real`."""
        raise NotImplementedError


def new_key() -> str:
    return mark_name("https://issuer.example", "contract", new_id())


def new_subject() -> str:
    return subject_name("https://issuer.example", "contract", new_id())


async def claim(
    harness: ReplayStoreHarness,
    store: ReplayStore,
    key: str,
    *,
    owner: str | None = None,
    issued_at: datetime | None = None,
    lifetime: timedelta = LIFETIME,
    lease: timedelta | None = None,
) -> ClaimOutcome:
    now = harness.clock.now()
    return await store.claim(
        key,
        owner=owner if owner is not None else new_id(),
        issued_at=issued_at if issued_at is not None else now,
        expires_at=now + lifetime,
        lease=lease,
    )


def claim_later(
    harness: ReplayStoreHarness, store: ReplayStore, key: str
) -> Callable[[], Coroutine[Any, Any, ClaimOutcome]]:
    return lambda: claim(harness, store, key)


async def commit(harness: ReplayStoreHarness, store: ReplayStore, key: str, owner: str) -> bool:
    return await store.commit(key, owner=owner, expires_at=harness.clock.now() + LIFETIME)


async def status(
    harness: ReplayStoreHarness, store: ReplayStore, key: str, *, issued_at: datetime | None = None
) -> ClaimStatus:
    return await store.status(key, issued_at=issued_at if issued_at is not None else harness.clock.now())


async def lapse(harness: ReplayStoreHarness, store: ReplayStore, key: str, *, owner: str) -> None:
    """Reserve, and let the lease run out."""
    if not harness.time_is_real:
        await claim(harness, store, key, owner=owner, lease=LEASE)
        harness.clock.advance(LEASE + timedelta(milliseconds=1))
        return
    await claim(harness, store, key, owner=owner, lease=TINY_LEASE)
    with anyio.fail_after(PATIENCE):
        while await harness.life_left(key) is not None:  # noqa: ASYNC110 - only waiting moves a real clock
            await anyio.sleep(0.005)


def cut_offs_of(store: ReplayStore) -> RevocationStore:
    if not isinstance(store, RevocationStore):
        pytest.skip("this store has no cut-offs")
    return store


def joint_looks_of(store: ReplayStore) -> JointLookStore:
    if not isinstance(store, JointLookStore):
        pytest.skip("this store has no joint looks")
    return store


async def together(calls: list[Callable[[], Awaitable[T]]]) -> list[T]:
    results: dict[int, T] = {}

    async def run(index: int) -> None:
        results[index] = await calls[index]()

    async with anyio.create_task_group() as group:
        for index in range(len(calls)):
            group.start_soon(run, index)
    return [results[index] for index in range(len(calls))]
