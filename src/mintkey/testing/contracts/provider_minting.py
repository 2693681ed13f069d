"""Who signs how often: the second part of the key provider contract."""

from collections import Counter

import anyio
import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.keys.base import SigningGrant
from mintkey.testing.contracts.provider_harness import (
    BY_COUNT,
    BY_HAND,
    ContractProvider,
    StartProcess,
)

__all__ = ["CountContract", "PinnedContract"]


class CountContract:
    """Rotation by count: the cap is hard, and the fleet's."""

    async def test_no_version_signs_more_than_its_cap(self, start: StartProcess) -> None:
        """The cap holds for the whole fleet, and nothing below it is wasted by one process that lives."""
        fleet = [start(BY_COUNT) for _ in range(3)]
        granted: Counter[str] = Counter()

        async def mint(provider: ContractProvider) -> None:
            grant = await provider.acquire()
            granted[grant.key.kid] += grant.count

        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(mint, fleet[number % 3])
        assert sum(granted.values()) == 60
        assert max(granted.values()) <= 7
        counted = {v.kid: v.mints for v in await fleet[0].versions()}
        assert all(granted[kid] <= counted[kid] <= 7 for kid in granted)

    async def test_one_process_uses_a_version_up(self, start: StartProcess) -> None:
        """Rotation by count happens at the cap, not before."""
        provider = start(BY_COUNT)
        kids = [(await provider.acquire()).key.kid for _ in range(21)]
        assert list(Counter(kids).values()) == [7, 7, 7]
        assert kids == sorted(kids, key=kids.index)

    async def test_the_cap_holds_over_restarts(self, start: StartProcess) -> None:
        """Counts are the ring's, not a process's."""
        granted: Counter[str] = Counter()
        for _ in range(10):
            provider = start(BY_COUNT)
            granted[(await provider.acquire()).key.kid] += 1
            await provider.acquire()
            await provider.aclose()
        assert max(granted.values()) <= 7
        assert len(granted) > 1

    async def test_a_grant_is_at_most_what_was_wanted(self, start: StartProcess) -> None:
        """Whoever wants many asks until they have them."""
        provider = start(BY_COUNT)
        got: list[SigningGrant] = []
        while sum(grant.count for grant in got) < 20:
            got.append(await provider.acquire(20 - sum(grant.count for grant in got)))
        assert all(1 <= grant.count <= 7 for grant in got)

    async def test_mints_are_counted_exactly(self, start: StartProcess) -> None:
        """Of one process, also without a cap: what was granted, not what was set aside."""
        provider = start(BY_HAND)
        kid = (await provider.acquire()).key.kid
        for _ in range(9):
            await provider.acquire()
        assert {v.kid: v.mints for v in await provider.versions() if v.mints} == {kid: 10}

    async def test_nobody_can_want_less_than_one(self, start: StartProcess) -> None:
        """A grant of nothing would be no grant."""
        with pytest.raises(ConfigurationError):
            await start(BY_HAND).acquire(0)


class PinnedContract:
    """Versions that a caller names."""

    async def test_the_active_and_the_pending_version_can_be_pinned(self, start: StartProcess) -> None:
        """Pinned mints count like all others."""
        provider = start(BY_HAND)
        await provider.acquire()
        pending, active = await provider.versions()
        for kid in (pending.kid, active.kid):
            grant = await provider.acquire(kid=kid)
            assert (grant.key.kid, grant.count) == (kid, 1)
            assert (await provider.resolve(kid)).verify(b"input", await grant.key.sign(b"input"))
        assert [v.mints for v in await provider.versions()] == [1, 2]

    async def test_no_other_version_can_be_pinned(self, start: StartProcess) -> None:
        """A retiring one signs no more, an unknown one never did."""
        provider = start(BY_HAND)
        old = (await provider.acquire()).key.kid
        await provider.rotate()
        for kid in (old, "unknown", "../../etc/passwd"):
            with pytest.raises(ConfigurationError):
                await provider.acquire(kid=kid)

    async def test_a_pinned_version_stops_at_its_cap(self, start: StartProcess) -> None:
        """Nobody else is put in its place."""
        provider = start(BY_COUNT)
        await provider.acquire()
        pending = (await provider.versions())[0].kid
        assert (await provider.acquire(5, kid=pending)).count == 5
        assert (await provider.acquire(5, kid=pending)).count == 2
        with pytest.raises(KeyProviderError) as raised:
            await provider.acquire(kid=pending)
        assert raised.value.reason is Reason.KEY_EXHAUSTED
