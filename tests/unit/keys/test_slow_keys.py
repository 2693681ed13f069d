"""Keys that take their time to be made, or cannot be made at all: nobody waits who has a key that signs."""

from datetime import timedelta

import anyio
import pytest

from mintkey import Purpose, TokenService
from mintkey.errors import KeyProviderError, KeyRevokedError, Reason
from mintkey.keys import MemoryKeyProvider
from mintkey.testing import FakeClock
from tests.support.polling import until
from tests.support.ring_faults import BY_COUNT, BY_HAND, HOURLY, FaultyCustodian

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))


async def test_no_mint_waits_for_a_key_that_is_being_made(caplog: pytest.LogCaptureFixture) -> None:
    clock, custodian = FakeClock(), FaultyCustodian()
    keys = MemoryKeyProvider(custodian=custodian, policy=HOURLY, clock=clock)
    tokens = TokenService(issuer="https://myapp.example", keys=keys, clock=clock)
    first = await tokens.mint(ACCESS)
    custodian.slow = anyio.Event()
    clock.advance(timedelta(hours=1, seconds=1))
    with anyio.fail_after(20):  # two seconds for those who find that it is due, none for all others
        for _ in range(10):
            assert (await tokens.mint(ACCESS)).key_id == first.key_id
    (told,) = [(record.name, record.message) for record in caplog.records]
    assert told == ("mintkey.keys", "ring 'default' is being rotated and that takes its time; going on")
    clock.advance(timedelta(seconds=10))
    assert (await tokens.health()).checks["keys.rotation"].word == "overdue"
    custodian.slow.set()

    async def has_rotated() -> bool:
        return (await tokens.mint(ACCESS)).key_id != first.key_id

    await until(has_rotated)
    await tokens.aclose()


async def test_the_next_key_is_made_a_minute_ahead() -> None:
    """So the rotation itself asks nobody for anything."""
    clock, custodian = FakeClock(), FaultyCustodian()
    async with MemoryKeyProvider(custodian=custodian, policy=HOURLY, clock=clock) as keys:
        first = (await keys.acquire()).key.kid
        clock.advance(timedelta(minutes=58, seconds=59))
        await keys.maintain()
        assert len(custodian.created) == 2
        clock.advance(timedelta(seconds=2))
        for _ in range(3):
            await keys.maintain()
        assert len(custodian.created) == 3
        custodian.broken = {"create"}
        clock.advance(timedelta(seconds=60))
        assert (await keys.acquire()).key.kid != first


async def test_while_no_key_can_be_made_a_version_at_its_cap_is_relieved_all_the_same() -> None:
    """By the successor that stands ready; the one after it is made as soon as that is possible."""
    custodian = FaultyCustodian()
    async with MemoryKeyProvider(custodian=custodian, policy=BY_COUNT) as keys:
        first = (await keys.acquire()).key.kid
        custodian.broken = {"create"}
        kids = [(await keys.acquire()).key.kid for _ in range(13)]
        assert (kids.count(first), len(set(kids))) == (6, 2)
        assert (await keys.checks())["successor"].word == "missing"
        with pytest.raises(KeyProviderError) as raised:
            await keys.acquire()
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        custodian.broken = set()
        assert (await keys.acquire()).key.kid not in kids
        assert (await keys.checks())["successor"].ok


async def test_a_rotation_that_nobody_stands_ready_for_is_an_error_while_no_key_can_be_made() -> None:
    """And not the version that was to be replaced, told as if it were the new one."""
    custodian = FaultyCustodian()
    async with MemoryKeyProvider(custodian=custodian, policy=BY_HAND) as keys:
        await keys.acquire()
        custodian.broken = {"create"}
        last = (await keys.rotate()).kid
        with pytest.raises(KeyProviderError) as raised:
            await keys.rotate()
        assert raised.value.reason is Reason.KEYS_UNAVAILABLE
        assert (await keys.acquire()).key.kid == last


async def test_a_rotation_that_fails_and_then_takes_its_time_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever stands in its way next: until it is done, nobody needs to hear of it again."""
    clock, custodian = FakeClock(), FaultyCustodian()
    async with MemoryKeyProvider(custodian=custodian, policy=HOURLY, clock=clock) as keys:
        first = (await keys.acquire()).key.kid
        custodian.broken = {"create"}
        clock.advance(timedelta(hours=1))
        assert (await keys.acquire()).key.kid == first
        custodian.broken, custodian.slow = set(), anyio.Event()
        clock.advance(timedelta(seconds=2))
        assert (await keys.acquire()).key.kid == first
        (told,) = [record.message for record in caplog.records]
        assert told.startswith("ring 'default' could not be rotated when it was due")
        custodian.slow.set()


async def test_while_no_key_can_be_made_a_version_is_revoked_all_the_same() -> None:
    custodian = FaultyCustodian()
    async with MemoryKeyProvider(custodian=custodian, policy=BY_HAND) as keys:
        kids = [version.kid for version in await keys.versions()]
        custodian.broken = {"create"}
        for kid in reversed(kids):
            await keys.revoke(kid)
            with pytest.raises(KeyRevokedError):
                await keys.resolve(kid)
        with pytest.raises(KeyProviderError):
            await keys.acquire()
        custodian.broken = set()
        assert (await keys.acquire()).key.kid not in kids


async def test_a_revocation_without_a_reason_has_none() -> None:
    async with MemoryKeyProvider() as keys:
        kid = (await keys.acquire()).key.kid
        await keys.revoke(kid)
        revoked = keys.workings.keeper.signer()[0].ring.find(kid)
        assert revoked is not None
        assert (revoked.revoked_at is not None, revoked.revoked_because) == (True, "")
