"""A ring store and a custodian that fail on demand, and count what they are asked; policies that tests share."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

import anyio

from mintkey.errors import KeyProviderError
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian, KeyMaterial, KeyRingStore, StoredRing
from mintkey.keys.sealing import Plaintext
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.lifecycle import Resource

TTL = timedelta(minutes=40)
HOURLY = RotationPolicy(every=timedelta(hours=1), previous_ttl=TTL, publish_ahead=timedelta(minutes=10))
BY_HAND = RotationPolicy(every=None, previous_ttl=TTL, publish_ahead=timedelta(0))
BY_COUNT = RotationPolicy(every=None, max_mints=7, previous_ttl=TTL, publish_ahead=timedelta(0))


class FaultyRingStore(Resource):
    """One process's way to a shared store.

    Attributes:
        calls: How often each operation was asked for.
        broken: Operations that fail.
        error: What a broken operation raises.
        hanging: Operations that do not answer until `release` is called.
        losing: How many compare-and-swaps somebody else wins.
        is_open: How many openings there are.
    """

    def __init__(self, shared: MemoryKeyRingStore | None = None) -> None:
        self.shared = MemoryKeyRingStore() if shared is None else shared
        self.calls: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.error: Exception = KeyProviderError("the store is away")
        self.hanging: set[str] = set()
        self.losing = 0
        self.is_open = False
        self._released = anyio.Event()

    def fail(self, *operations: str) -> None:
        self.broken = set(operations or ("load", "compare_and_swap", "reserve", "give_back"))

    def heal(self) -> None:
        self.broken = set()

    def hang(self, *operations: str) -> None:
        self.hanging = set(operations)
        self._released = anyio.Event()

    def release(self) -> None:
        self.hanging = set()
        self._released.set()

    async def load(self, ring: str, /) -> StoredRing | None:
        await self._asked("load")
        return await self.shared.load(ring)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        await self._asked("compare_and_swap")
        if self.losing:
            self.losing -= 1
            return False
        return await self.shared.compare_and_swap(ring, expected=expected, document=document)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        await self._asked("reserve")
        return await self.shared.reserve(ring, kid, want=want, limit=limit)

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        await self._asked("give_back")
        await self.shared.give_back(ring, kid, count=count)

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        return self.shared.watch(ring)

    async def _open(self) -> None:
        self.is_open = True

    async def _close(self) -> None:
        self.is_open = False

    async def _asked(self, operation: str) -> None:
        self.calls[operation] += 1
        if operation in self.hanging:
            await self._released.wait()
        if operation in self.broken:
            raise self.error


class FourCalls:
    """A store with the calls of the port and no more, on another one's rings."""

    def __init__(self, store: KeyRingStore) -> None:
        self.load = store.load
        self.compare_and_swap = store.compare_and_swap
        self.reserve = store.reserve
        self.watch = store.watch


class FaultyCustodian:
    """The default custodian, failing on demand.

    Attributes:
        created, destroyed: The kids, in order.
        broken: Operations that fail.
        error: What a broken operation raises.
        slow: An event that `create` waits for, if there is one.
    """

    def __init__(self) -> None:
        self._real: KeyCustodian = SealedCustodian(Plaintext(), ring="default")
        self.calls: Counter[str] = Counter()
        self.created: list[str] = []
        self.destroyed: list[str] = []
        self.broken: set[str] = set()
        self.error: Exception = KeyProviderError("the custodian is away")
        self.slow: anyio.Event | None = None

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        await self._asked("create")
        material = await self._real.create(algorithm)
        self.created.append(material.kid)
        return material

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        await self._asked("open")
        return await self._real.open(material)

    async def destroy(self, material: KeyMaterial, /) -> None:
        await self._asked("destroy")
        self.destroyed.append(material.kid)

    async def _asked(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.slow is not None and operation == "create":
            await self.slow.wait()
        if operation in self.broken:
            raise self.error


class Start(Protocol):
    """Starts a process: a provider that is closed when the test ends."""

    def __call__(
        self,
        store: FaultyRingStore,
        policy: RotationPolicy = ...,
        *,
        custodian: KeyCustodian | None = ...,
        algorithm: Algorithm = ...,
    ) -> RotatingKeyProvider: ...


async def held(store: FaultyRingStore) -> StoredRing:
    """What is in the store now."""
    stored = await store.shared.load("default")
    assert stored is not None
    return stored


async def counted(store: FaultyRingStore) -> dict[str, int]:
    """What the store has counted, by kid."""
    return dict((await held(store)).mints)


async def restore(
    store: FaultyRingStore, stored: StoredRing, *, revision: int | None = None, with_counts: bool = True
) -> None:
    """Put an older state back, as a replica knew it that lagged behind; at a revision, by default its own."""
    store.shared.forget("default")
    for each in range(stored.revision if revision is None else revision):
        await store.shared.compare_and_swap("default", expected=each, document=stored.document)
    for kid, count in stored.mints.items() if with_counts else ():
        await store.shared.reserve("default", kid, want=count, limit=count)
