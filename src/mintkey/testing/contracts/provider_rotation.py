"""When versions come, sign, retire and go: the first part of the key provider contract."""

import anyio
import pytest

from mintkey.errors import KeyNotFoundError, Reason
from mintkey.jose.jwk import check_kid
from mintkey.keys.base import KeyState
from mintkey.testing.clock import FakeClock
from mintkey.testing.contracts.provider_harness import (
    BY_HAND,
    HOUR,
    HOURLY,
    REFRESHED,
    SECOND,
    TTL,
    ContractProvider,
    StartProcess,
    is_refused,
    published,
    times,
)

__all__ = ["OperatorContract", "RingContract", "TimeContract"]


class RingContract:
    """What a ring is from the beginning, and after a restart."""

    async def test_a_new_ring_has_a_version_that_signs_and_one_that_waits(self, start: StartProcess) -> None:
        """A successor always stands ready."""
        provider = start(HOURLY)
        grant = await provider.acquire()
        pending, active = await provider.versions()
        assert (pending.state, active.state) == (KeyState.PENDING, KeyState.ACTIVE)
        assert grant.key.kid == active.kid
        assert check_kid(active.kid)
        assert (pending.activates_at, active.retires_at, active.verify_until) == (None, None, None)

    async def test_what_a_grant_signs_verifies(self, start: StartProcess) -> None:
        """In the process that signed, and in one that never saw the key before."""
        provider = start(HOURLY)
        grant = await provider.acquire()
        signature = await grant.key.sign(b"input")
        for process in (provider, start(HOURLY)):
            key = await process.resolve(grant.key.kid)
            assert (key.kid, key.algorithm) == (grant.key.kid, grant.key.algorithm)
            assert key.verify(b"input", signature)
            assert not key.verify(b"other", signature)

    async def test_it_says_what_it_can_honour(self, start: StartProcess) -> None:
        """A token must not outlive the version that signed it."""
        assert start(HOURLY).max_token_age == TTL

    async def test_a_restart_changes_nothing(self, start: StartProcess, clock: FakeClock) -> None:
        """No key is made and no time is moved by a process that comes or goes."""
        first = start(HOURLY)
        await first.acquire()
        before = await first.versions()
        await first.aclose()
        clock.advance(HOUR / 2)
        second = start(HOURLY)
        grant = await second.acquire()
        assert times(await second.versions()) == times(before)
        assert grant.key.kid == before[1].kid

    async def test_processes_that_start_together_agree_on_one_ring(self, start: StartProcess) -> None:
        """The first ring is written once, however many processes find none."""
        kids: set[str] = set()

        async def mint(provider: ContractProvider) -> None:
            kids.add((await provider.acquire()).key.kid)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(mint, start(HOURLY))
        assert len(kids) == 1
        assert len(await start(HOURLY).versions()) == 2


class TimeContract:
    """Rotation by time, once for the whole fleet and without one rejected token."""

    async def test_the_successor_takes_over_when_it_is_due(self, start: StartProcess, clock: FakeClock) -> None:
        """Not a second earlier; both ends of the hand-over are one instant, and the next successor stands ready."""
        provider = start(HOURLY)
        first = (await provider.acquire()).key.kid
        successor = (await provider.versions())[0].kid
        clock.advance(HOUR - SECOND)
        assert (await provider.acquire()).key.kid == first
        clock.advance(SECOND)
        assert (await provider.acquire()).key.kid == successor
        pending, active, retiring = await provider.versions()
        assert [v.state for v in (pending, active, retiring)] == ["pending", "active", "retiring"]
        assert (active.kid, retiring.kid) == (successor, first)
        assert active.activates_at == retiring.retires_at == clock.now()
        assert retiring.verify_until == clock.now() + TTL

    async def test_a_fleet_rotates_once(self, start: StartProcess, clock: FakeClock) -> None:
        """However many processes find at the same moment that it is due."""
        fleet = [start(HOURLY) for _ in range(6)]
        for provider in fleet:
            await provider.acquire()
        clock.advance(HOUR)
        kids: set[str] = set()

        async def mint(provider: ContractProvider) -> None:
            kids.add((await provider.acquire()).key.kid)

        async with anyio.create_task_group() as tasks:
            for provider in fleet * 3:
                tasks.start_soon(mint, provider)
        assert len(kids) == 1
        assert len(await fleet[0].versions()) == 3

    async def test_a_successor_is_public_before_it_signs(self, start: StartProcess, clock: FakeClock) -> None:
        """A replaced successor delays rotation by time until it was published for long enough."""
        provider = start(HOURLY)
        first = (await provider.acquire()).key.kid
        clock.advance(HOUR - SECOND)
        await provider.revoke((await provider.versions())[0].kid)
        clock.advance(HOURLY.publish_ahead - SECOND)
        assert (await provider.acquire()).key.kid == first
        clock.advance(SECOND)
        assert (await provider.acquire()).key.kid != first

    async def test_a_previous_version_verifies_until_its_time_is_over(
        self, start: StartProcess, clock: FakeClock
    ) -> None:
        """For its TTL and not one second longer, in the JWK Set as in verifying, pruned or not."""
        provider = start(HOURLY)
        old = (await provider.acquire()).key.kid
        clock.advance(HOUR)
        await provider.acquire()
        clock.advance(TTL - SECOND)
        assert (await provider.resolve(old)).verify_until == clock.now() + SECOND
        assert old in await published(provider)
        clock.advance(SECOND)
        await is_refused(provider, old, Reason.KEY_RETIRED)
        assert old not in await published(provider)
        assert [v.state for v in await provider.versions() if v.kid == old] == [KeyState.RETIRED]


class OperatorContract:
    """Rotating, revoking and pruning by hand."""

    async def test_rotating_by_hand_is_instant(self, start: StartProcess) -> None:
        """The successor takes over, and the rotation's result is the version that now signs."""
        provider = start(HOURLY)
        first = (await provider.acquire()).key.kid
        successor = (await provider.versions())[0].kid
        active = await provider.rotate()
        assert (active.kid, active.state) == (successor, KeyState.ACTIVE)
        assert (await provider.acquire()).key.kid == successor
        assert (await provider.resolve(first)).kid == first
        assert (await provider.rotate()).kid not in {first, successor}

    async def test_other_processes_follow_within_the_refresh_interval(
        self, start: StartProcess, clock: FakeClock
    ) -> None:
        """A snapshot's age is bounded."""
        here, there = start(BY_HAND), start(BY_HAND)
        await there.acquire()
        active = await here.rotate()
        clock.advance(REFRESHED)
        assert (await there.acquire()).key.kid == active.kid

    async def test_a_revoked_version_is_refused_and_replaced(self, start: StartProcess, clock: FakeClock) -> None:
        """At once here, within the refresh interval elsewhere; it leaves the JWK Set."""
        here, there = start(HOURLY), start(HOURLY)
        kid = (await there.acquire()).key.kid
        await here.revoke(kid, reason="leaked")
        await is_refused(here, kid, Reason.KEY_REVOKED)
        assert kid not in await published(here)
        assert (await here.acquire()).key.kid != kid
        assert [v.state for v in await here.versions()] == ["pending", "active", "revoked"]
        clock.advance(REFRESHED)
        await is_refused(there, kid, Reason.KEY_REVOKED)
        assert (await there.acquire()).key.kid != kid

    async def test_a_revoked_successor_is_replaced_too(self, start: StartProcess) -> None:
        """And the version that signs goes on."""
        provider = start(HOURLY)
        active = (await provider.acquire()).key.kid
        successor = (await provider.versions())[0].kid
        await provider.revoke(successor)
        assert (await provider.acquire()).key.kid == active
        pending = [v.kid for v in await provider.versions() if v.state is KeyState.PENDING]
        assert len(pending) == 1
        assert pending != [successor]

    async def test_revoking_twice_changes_nothing(self, start: StartProcess) -> None:
        """An operator may be nervous."""
        provider = start(HOURLY)
        kid = (await provider.acquire()).key.kid
        await provider.revoke(kid)
        before = await provider.versions()
        await provider.revoke(kid)
        assert times(await provider.versions()) == times(before)

    async def test_an_unknown_version_cannot_be_revoked(self, start: StartProcess) -> None:
        """A slip of the pen must not look like success."""
        with pytest.raises(KeyNotFoundError) as raised:
            await start(HOURLY).revoke("unknown")
        assert raised.value.reason is Reason.KEY_UNKNOWN

    async def test_pruning_drops_what_is_past_its_time(self, start: StartProcess, clock: FakeClock) -> None:
        """How many went is the answer, and what went is still told apart from what never was."""
        provider = start(BY_HAND)
        retired = (await provider.acquire()).key.kid
        revoked = (await provider.rotate()).kid
        await provider.revoke(revoked)
        assert await provider.prune() == 0
        clock.advance(TTL)
        assert await provider.prune() == 2
        assert await provider.prune() == 0
        assert not {retired, revoked} & {v.kid for v in await provider.versions()}
        for process in (provider, start(BY_HAND)):
            await is_refused(process, retired, Reason.KEY_RETIRED)
            await is_refused(process, revoked, Reason.KEY_REVOKED)
