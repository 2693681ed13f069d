"""How often a service looks at the clock, and when others get a turn of the loop, on a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mintkey import MintRequest, Purpose, TokenService
from mintkey.jose.jwk import generate
from mintkey.keys import StaticKeyProvider
from mintkey.pace import Pace
from mintkey.testing import FakeClock

ACCESS = Purpose("access", lifetime=timedelta(minutes=10))
WHILE = timedelta(milliseconds=3)
"""Longer than anybody may keep the loop for himself."""

EIGHTS = 24
LOOKS = 3
"""Of 24 in a run every eighth looks at the clock, the first one included."""


def own_keys() -> StaticKeyProvider:
    """A key that never lets anybody wait."""
    return StaticKeyProvider({"keys": [generate("EdDSA").private_jwk]})


class Watch(FakeClock):
    """Counts who looks at it."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic()


class OtherTask:
    """Counts the turns that the loop gives to somebody else."""

    def __init__(self) -> None:
        self.turns = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns += 1

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def tokens(watch: Watch) -> TokenService:
    """A service that has done everything once, and begins a new run."""
    service = TokenService(issuer="i", keys=own_keys())
    await service.verify(await service.mint(ACCESS), ACCESS)
    service._pace = Pace(watch)
    await asyncio.sleep(0)
    return service


@pytest.fixture
async def other() -> AsyncIterator[OtherTask]:
    task = OtherTask()
    yield task
    await task.leave()


Work = Callable[[TokenService, str], Awaitable[object]]
WORKS: dict[str, Work] = {
    "mint": lambda tokens, _: tokens.mint(ACCESS),
    "verify": lambda tokens, token: tokens.verify(token, ACCESS),
}


@pytest.mark.parametrize("work", WORKS)
async def test_a_short_run_keeps_the_loop_and_looks_at_the_clock_every_eighth_time(
    tokens: TokenService, watch: Watch, other: OtherTask, work: str
) -> None:
    token = await tokens.mint(ACCESS)
    await asyncio.sleep(0)
    watch.looks, other.turns = 0, 0
    for _ in range(EIGHTS):
        await WORKS[work](tokens, token)
    assert watch.looks == LOOKS
    assert other.turns == 0


@pytest.mark.parametrize("work", WORKS)
async def test_a_run_that_has_become_long_gives_way_and_goes_on(
    tokens: TokenService, watch: Watch, other: OtherTask, work: str
) -> None:
    token = await tokens.mint(ACCESS)
    await asyncio.sleep(0)
    other.turns = 0
    await WORKS[work](tokens, token)
    watch.advance(WHILE)
    for _ in range(7):  # nobody looks
        await WORKS[work](tokens, token)
    assert other.turns == 0
    await WORKS[work](tokens, token)
    assert other.turns == 1


class Dated(FakeClock):
    """Notes how many turns somebody else had had whenever a token was dated."""

    def __init__(self, other: OtherTask) -> None:
        super().__init__()
        self.turns: list[int] = []
        self._other = other

    def time(self) -> float:
        self.turns.append(self._other.turns)
        return super().time()


class TestManyThatAreAskedForTogether:
    @pytest.fixture
    async def clock(self, other: OtherTask) -> Dated:
        return Dated(other)

    @pytest.fixture
    async def tokens(self, watch: Watch, clock: Dated) -> TokenService:
        service = TokenService(issuer="i", keys=own_keys(), clock=clock)
        await service.mint(ACCESS)
        clock.turns.clear()
        service._pace = Pace(watch)
        await asyncio.sleep(0)
        return service

    @pytest.mark.parametrize("turns", [0, 1])
    async def test_are_signed_at_once_unless_it_took_long_to_read_the_requests(
        self, tokens: TokenService, watch: Watch, other: OtherTask, clock: Dated, turns: int
    ) -> None:
        def requests() -> Iterator[MintRequest[dict[str, Any]]]:
            yield from [MintRequest()] * (EIGHTS - 1)
            assert watch.looks == LOOKS
            watch.advance(turns * WHILE)
            yield MintRequest()

        had = other.turns
        assert len(await tokens.mint_many(ACCESS, requests())) == EIGHTS
        assert clock.turns == [had + turns] * EIGHTS

    async def test_let_others_work_while_their_requests_are_read(
        self, tokens: TokenService, watch: Watch, other: OtherTask
    ) -> None:
        turns: list[int] = []

        def slowly() -> Iterator[MintRequest[dict[str, Any]]]:
            for _ in range(EIGHTS):
                watch.advance(WHILE)
                turns.append(other.turns)
                yield MintRequest()

        had = other.turns
        assert len(await tokens.mint_many(ACCESS, slowly())) == EIGHTS
        assert [number - had for number in turns] == [0] * 9 + [1] * 8 + [2] * 7
