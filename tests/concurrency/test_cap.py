"""The cap of a version is hard: 200 concurrent callers, several processes, callers that give up half-way."""

import asyncio
from collections import Counter
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import StoredRing
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import FaultyCustodian, FaultyRingStore

CALLERS = 200


class DistantRingStore(FaultyRingStore):
    """Lets others run before and after every operation, as a network does."""

    async def load(self, ring: str, /) -> StoredRing | None:
        await anyio.lowlevel.checkpoint()
        stored = await super().load(ring)
        await anyio.lowlevel.checkpoint()
        return stored

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        await anyio.lowlevel.checkpoint()
        won = await super().compare_and_swap(ring, expected=expected, document=document)
        await anyio.lowlevel.checkpoint()
        return won

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        await anyio.lowlevel.checkpoint()
        granted = await super().reserve(ring, kid, want=want, limit=limit)
        await anyio.lowlevel.checkpoint()
        return granted


def capped(max_mints: int) -> RotationPolicy:
    return RotationPolicy(every=None, max_mints=max_mints, publish_ahead=timedelta(0))


def processes(count: int, max_mints: int) -> list[RotatingKeyProvider]:
    shared, clock = MemoryKeyRingStore(), FakeClock()
    return [
        RotatingKeyProvider(
            DistantRingStore(shared), custodian=FaultyCustodian(), policy=capped(max_mints), clock=clock
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("max_mints", [1, 7, 64])
async def test_200_concurrent_callers_of_one_process_use_every_version_up_exactly(max_mints: int) -> None:
    (provider,) = processes(1, max_mints)
    granted: Counter[str] = Counter()

    async def mint() -> None:
        grant = await provider.acquire()
        granted[grant.key.kid] += grant.count

    async with anyio.create_task_group() as tasks:
        for _ in range(CALLERS):
            tasks.start_soon(mint)
    full, rest = divmod(CALLERS, max_mints)
    assert sorted(granted.values(), reverse=True) == [max_mints] * full + [rest] * bool(rest)
    shown = {version.kid: version.mints for version in await provider.versions() if version.mints}
    assert shown == granted


@pytest.mark.parametrize("max_mints", [7, 64])
async def test_no_version_is_over_its_cap_in_a_fleet(max_mints: int) -> None:
    fleet = processes(4, max_mints)
    granted: Counter[str] = Counter()

    async def mint(provider: RotatingKeyProvider) -> None:
        grant = await provider.acquire(3)
        granted[grant.key.kid] += grant.count

    async with anyio.create_task_group() as tasks:
        for number in range(CALLERS):
            tasks.start_soon(mint, fleet[number % 4])
    assert max(granted.values()) <= max_mints
    assert sum(granted.values()) >= CALLERS


async def test_rotations_are_no_more_than_the_cap_asks_for() -> None:
    """However many callers find at the same moment that a version is used up, one rotation follows."""
    (provider,) = processes(1, 10)
    async with anyio.create_task_group() as tasks:
        for _ in range(CALLERS):
            tasks.start_soon(provider.acquire)
    assert len(await provider.versions()) == CALLERS // 10 + 1


async def test_callers_that_give_up_disturb_nobody() -> None:
    """Cancelled at every stage of refilling and rotating; those who stay all get their grant, within the cap."""
    fleet = processes(2, 7)
    granted: Counter[str] = Counter()

    async def mint(provider: RotatingKeyProvider) -> None:
        grant = await provider.acquire()
        granted[grant.key.kid] += grant.count

    async def give_up(provider: RotatingKeyProvider, after: int) -> None:
        task = asyncio.ensure_future(provider.acquire())
        for _ in range(after):
            await anyio.lowlevel.checkpoint()
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            granted[task.result().key.kid] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(CALLERS // 2):
            tasks.start_soon(mint, fleet[number % 2])
            tasks.start_soon(give_up, fleet[number % 2], number % 40)
    assert sum(granted.values()) >= CALLERS // 2
    assert max(granted.values()) <= 7


async def test_a_fleet_under_load_follows_a_rotation_by_hand() -> None:
    fleet = processes(3, 50)
    granted: Counter[str] = Counter()

    async def mint(provider: RotatingKeyProvider) -> None:
        grant = await provider.acquire()
        granted[grant.key.kid] += grant.count
        await provider.resolve(grant.key.kid)

    async with anyio.create_task_group() as tasks:
        for number in range(CALLERS):
            tasks.start_soon(mint, fleet[number % 3])
            if number % 50 == 0:
                tasks.start_soon(fleet[0].rotate)
    assert max(granted.values()) <= 50
    assert len({(await provider.rotate()).kid for provider in fleet}) == 3
