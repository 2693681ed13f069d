"""Sealing anew in the middle of everything: no version is lost, and the old key can go."""

import anyio

from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.sealing import Sealer
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock
from tests.concurrency.test_cap import DistantRingStore
from tests.support.ring_faults import BY_HAND

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


async def test_rotations_revocations_and_rewrapping_at_the_same_time() -> None:
    shared, clock = MemoryKeyRingStore(), FakeClock()

    def start(*keys: bytes) -> RotatingKeyProvider:
        sealer = Sealer(keys)
        custodian = SealedCustodian(sealer, ring="default")
        return RotatingKeyProvider(
            DistantRingStore(shared), custodian=custodian, sealer=sealer, policy=BY_HAND, clock=clock
        )

    await start(OLD).acquire()
    fleet = [start(NEW, OLD) for _ in range(4)]
    kids: list[str] = []

    async def rotate(process: RotatingKeyProvider) -> None:
        kids.extend([(await process.rotate()).kid for _ in range(3)])

    async def revoke(process: RotatingKeyProvider) -> None:
        for version in list(await process.versions())[-1:]:
            await process.revoke(version.kid)

    async with anyio.create_task_group() as tasks:
        for process in fleet:
            tasks.start_soon(rotate, process)
            tasks.start_soon(process.rewrap)
            tasks.start_soon(revoke, process)
    assert await fleet[0].rewrap() == 0
    fresh = start(NEW)
    assert set(kids) <= {version.kid for version in await fresh.versions()}
    assert (await fresh.acquire()).key.kid == (await start(NEW, OLD).acquire()).key.kid
