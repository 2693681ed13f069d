"""Sessions are the same on every store that keeps families."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from mintkey import Reason, TokenReplayedError, TokenRevokedError, TokenService, presets
from mintkey.events import Event, ReuseDetected
from mintkey.keys import MemoryKeyProvider
from mintkey.refresh import RefreshFlow, TokenPair
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.replay_table import REPLAY_STORES, OpenReplayStores

SECOND = timedelta(seconds=1)
ACCESS = presets.ACCESS.replace(audience="https://api.test")


@pytest.fixture(params=REPLAY_STORES)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ReplayStoreHarness]:
    open_stores: OpenReplayStores = request.param
    async with open_stores(request) as harness:
        yield harness


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def fleet(harness: ReplayStoreHarness, events: list[Event]) -> AsyncIterator[list[RefreshFlow[Any]]]:
    """Two processes, each with a store of its own on what they share, as far as it can be shared."""
    keys = MemoryKeyProvider(clock=harness.clock)
    async with AsyncExitStack() as stack:
        flows: list[RefreshFlow[Any]] = []
        for _ in range(2):
            tokens = TokenService(
                issuer="https://issuer.test",
                keys=keys,
                replay=await harness.store(),
                clock=harness.clock,
                hooks=[events.append],
            )
            await stack.enter_async_context(tokens)
            flows.append(RefreshFlow(tokens, access=ACCESS, refresh=presets.REFRESH))
        yield flows


def says(pair: TokenPair) -> tuple[object, ...]:
    return pair.family, pair.refresh.id, pair.refresh.exp, pair.access.id, pair.access.exp


async def test_a_session_from_sign_in_to_sign_out(harness: ReplayStoreHarness, fleet: list[RefreshFlow[Any]]) -> None:
    here, there = fleet
    pair = first = await here.issue("20", claims={"role": "editor"}, scopes=["read"])
    for number in range(6):
        harness.clock.advance(timedelta(minutes=9))
        pair = await fleet[number % 2].refresh(pair.refresh)
        assert pair.family == first.family
    await here.revoke(pair.refresh)
    for token in (first.refresh, pair.refresh):
        with pytest.raises(TokenRevokedError):
            await there.refresh(token)


async def test_fifty_at_once_in_two_processes_get_one_successor(fleet: list[RefreshFlow[Any]]) -> None:
    here, there = fleet
    first = await here.issue("20")
    pairs = await asyncio.gather(*(flow.refresh(first.refresh) for _ in range(25) for flow in fleet))
    assert len({says(pair) for pair in pairs}) == 1
    assert len({says(await flow.refresh(pairs[0].refresh)) for flow in (here, there)}) == 1


async def test_reuse_ends_the_family_everywhere_and_is_told_once(
    harness: ReplayStoreHarness, fleet: list[RefreshFlow[Any]], events: list[Event]
) -> None:
    here, there = fleet
    first = await here.issue("20")
    second = await there.refresh(first.refresh)
    harness.clock.advance(9 * SECOND)
    assert says(await here.refresh(first.refresh)) == says(second)
    harness.clock.advance(SECOND)
    outcomes = await asyncio.gather(
        *(flow.refresh(first.refresh) for _ in range(5) for flow in fleet), return_exceptions=True
    )
    assert {type(error) for error in outcomes} <= {TokenReplayedError, TokenRevokedError}
    assert [type(error) for error in outcomes].count(TokenReplayedError) == 1
    for flow in fleet:
        with pytest.raises(TokenRevokedError):
            await flow.refresh(second.refresh)
    assert [event for event in events if isinstance(event, ReuseDetected)] == [ReuseDetected(purpose="refresh")]


async def test_a_lost_memory_lets_nobody_go_on(harness: ReplayStoreHarness, fleet: list[RefreshFlow[Any]]) -> None:
    if not harness.memory_is_shared:
        pytest.skip("the memory dies with the store")
    here, there = fleet
    first = await here.issue("20")
    second = await here.refresh(first.refresh)
    harness.clock.advance(SECOND)
    await harness.lose_memory()
    for flow, token in ((here, first.refresh), (there, first.refresh), (there, second.refresh)):
        with pytest.raises(TokenReplayedError) as caught:
            await flow.refresh(token)
        assert caught.value.reason is Reason.REPLAY_UNPROVABLE
    harness.clock.advance(10 * SECOND)
    await there.refresh((await here.issue("20")).refresh)
