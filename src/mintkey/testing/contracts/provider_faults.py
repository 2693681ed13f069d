"""Lost rings, cancelled callers, and what closing means: the fourth part of the key provider contract."""

from collections import Counter

import anyio
import anyio.lowlevel

from mintkey.keys.base import KeyState
from mintkey.testing.clock import FakeClock
from mintkey.testing.contracts.provider_harness import (
    BY_COUNT,
    BY_HAND,
    HOURLY,
    REFRESHED,
    KeyProviderHarness,
    StartProcess,
    times,
)

__all__ = ["FaultContract", "ProviderLifecycleContract"]


class FaultContract:
    """What goes wrong harms no token that is out."""

    async def test_a_lost_ring_is_written_back(
        self, start: StartProcess, harness: KeyProviderHarness, clock: FakeClock
    ) -> None:
        """By a process that still holds it; a silent new first key would refuse every token that is out."""
        provider = start(BY_HAND)
        kid = (await provider.acquire()).key.kid
        before = await provider.versions()
        await harness.lose_ring()
        clock.advance(REFRESHED)
        assert (await provider.acquire()).key.kid == kid
        assert times(await start(BY_HAND).versions()) == times(before)

    async def test_a_lost_ring_does_not_lift_the_cap(
        self, start: StartProcess, harness: KeyProviderHarness, clock: FakeClock
    ) -> None:
        """The counts are lost with the ring, so the version that may have used its mints up signs no more."""
        provider = start(BY_COUNT)
        granted = Counter([(await provider.acquire()).key.kid for _ in range(5)])
        await harness.lose_ring()
        clock.advance(REFRESHED)
        granted.update([(await provider.acquire()).key.kid for _ in range(20)])
        assert max(granted.values()) <= 7

    async def test_a_younger_ring_is_joined(
        self, start: StartProcess, harness: KeyProviderHarness, clock: FakeClock
    ) -> None:
        """If somebody who knew nothing has begun a new ring, tokens of both verify everywhere."""
        elder = start(BY_HAND)
        old = (await elder.acquire()).key.kid
        await harness.lose_ring()
        younger = start(BY_HAND)
        new = (await younger.acquire()).key.kid
        clock.advance(REFRESHED)
        assert (await elder.acquire()).key.kid == new
        assert (await elder.resolve(new)).kid == new
        assert (await younger.resolve(old)).kid == old
        assert Counter(v.state for v in await younger.versions())[KeyState.ACTIVE] == 1

    async def test_a_cancelled_caller_disturbs_nobody(self, start: StartProcess) -> None:
        """Work that several wait for goes on without the one who began it."""
        provider = start(BY_COUNT)
        granted: Counter[str] = Counter()

        async def mint() -> None:
            granted[(await provider.acquire()).key.kid] += 1

        async with anyio.create_task_group() as others, anyio.create_task_group() as cancelled:
            cancelled.start_soon(mint)
            for _ in range(10):
                others.start_soon(mint)
            await anyio.lowlevel.checkpoint()
            cancelled.cancel_scope.cancel()
        assert sum(granted.values()) >= 10
        assert max(granted.values()) <= 7


class ProviderLifecycleContract:
    """Opening and closing."""

    async def test_closing_twice_does_nothing(self, start: StartProcess) -> None:
        """Also closing what was never opened."""
        provider = start(HOURLY)
        await provider.aclose()
        await provider.aclose()

    async def test_the_last_to_leave_closes(self, start: StartProcess) -> None:
        """One provider may serve several services."""
        provider = start(HOURLY)
        async with provider:
            async with provider:
                kid = (await provider.acquire()).key.kid
            assert (await provider.acquire()).key.kid == kid
