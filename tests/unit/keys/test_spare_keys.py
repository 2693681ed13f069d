"""Keys that were made and not needed: those elsewhere cost their price, and are let go of after a while."""

from datetime import timedelta

import pytest

from mintkey.keys.base import Algorithm
from mintkey.keys.keychain import Keychain
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Create, Ring, apply
from mintkey.lifecycle import Resource
from mintkey.testing import FakeClock
from tests.support.ring_faults import FaultyCustodian

HOUR = timedelta(hours=1)


class Elsewhere(FaultyCustodian, Resource):
    """Its handles are the names of keys that it keeps, over connections of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.closings = 0

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        made = await super().create(algorithm)
        return KeyMaterial(kid=made.kid, algorithm=algorithm, public_jwk=made.public_jwk, handle=f"key/{made.kid}")

    async def _close(self) -> None:
        self.closings += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_spare_key_serves_the_next_time(clock: FakeClock) -> None:
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(1)
    clock.advance(HOUR)
    await keychain.destroy(())
    spares = keychain.spares(1, Ring())
    assert spares is not None
    assert [spare.kid for spare in spares] == custodian.created
    assert custodian.destroyed == []


async def test_one_elsewhere_that_nobody_took_is_destroyed(clock: FakeClock) -> None:
    """At the end of the next look at the ring, however long the next rotation is off."""
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(2)
    clock.advance(HOUR + timedelta(seconds=1))
    await keychain.destroy(())
    assert custodian.destroyed == custodian.created
    assert keychain.spares(1, Ring()) is None


async def test_an_old_one_never_gets_into_a_ring(clock: FakeClock) -> None:
    """It may have been swept meanwhile: then it would be published, and could not sign when its time comes."""
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(1)
    clock.advance(HOUR + timedelta(seconds=1))
    assert keychain.spares(1, Ring()) is None
    await keychain.make(1)
    spares = keychain.spares(1, Ring())
    assert spares is not None
    assert spares[0].kid == custodian.created[1]
    await keychain.destroy(())
    assert custodian.destroyed == custodian.created[:1]


@pytest.mark.parametrize("algorithm", ["EdDSA", "HS256"])
async def test_one_that_is_its_own_handle_may_wait(clock: FakeClock, algorithm: Algorithm) -> None:
    """It costs nothing, and nobody can sweep it."""
    custodian = FaultyCustodian()
    keychain = Keychain(custodian, algorithm, clock=clock)
    await keychain.make(1)
    clock.advance(100 * HOUR)
    await keychain.destroy(())
    assert custodian.destroyed == []
    assert keychain.spares(1, Ring()) is not None


async def test_one_that_may_be_in_the_ring_is_not_destroyed_unasked(clock: FakeClock) -> None:
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(1)
    spares = keychain.spares(1, Ring())
    assert spares is not None
    with pytest.raises(OSError, match="lost"), keychain.perhaps_used(spares):
        raise OSError("the answer was lost")
    clock.advance(2 * HOUR)
    await keychain.destroy(())
    await keychain.aclose()
    assert custodian.destroyed == []


async def test_what_is_in_the_ring_is_no_spare_key(clock: FakeClock) -> None:
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(1)
    spares = keychain.spares(1, Ring())
    assert spares is not None
    keychain.used(spares)
    assert keychain.spares(1, apply(Ring(), (Create(0.0),), spares)) is None
    clock.advance(2 * HOUR)
    await keychain.aclose()
    assert custodian.destroyed == []


async def test_closing_closes_a_custodian_that_nobody_entered(clock: FakeClock) -> None:
    custodian = Elsewhere()
    keychain = Keychain(custodian, "EdDSA", clock=clock)
    await keychain.make(1)
    async with custodian:
        await keychain.aclose()
        assert custodian.closings == 0
    assert custodian.closings == 1
    await keychain.aclose()
    assert custodian.closings == 2
    assert custodian.destroyed == custodian.created
