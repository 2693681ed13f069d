"""A fleet moves from one store to another: old and new processes mint, verify and rotate, and refuse no token."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio
import pytest

from mintkey.errors import MintkeyError
from mintkey.keys.copying import copy_ring
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.redis import RedisKeyProvider
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.sql import SQLKeyProvider
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock

TTL, LIFETIME = timedelta(minutes=40), timedelta(minutes=30)
LOOK = timedelta(seconds=6)
CAP = 300
POLICY = RotationPolicy(every=None, max_mints=CAP, previous_ttl=TTL, publish_ahead=timedelta(0))
SEALER = Sealer([Sealer.generate_key()])

Start = Callable[[FakeClock], RotatingKeyProvider]


def memory(_request: pytest.FixtureRequest) -> Start:
    store = MemoryKeyRingStore()
    return lambda clock: MemoryKeyProvider(store=store, policy=POLICY, clock=clock)


def file(request: pytest.FixtureRequest) -> Start:
    path = request.getfixturevalue("tmp_path") / "keys"
    return lambda clock: FileKeyProvider(path, policy=POLICY, clock=clock, sealer=SEALER)


def sqlite(request: pytest.FixtureRequest) -> Start:
    url = f"sqlite:///{request.getfixturevalue('tmp_path') / 'keys.db'}"
    return lambda clock: SQLKeyProvider(url, policy=POLICY, clock=clock, sealer=SEALER, ring="moved")


def valkey(request: pytest.FixtureRequest) -> Start:
    url = request.getfixturevalue("valkey").url
    return lambda clock: RedisKeyProvider(url, policy=POLICY, clock=clock, sealer=Plaintext())


def postgresql(request: pytest.FixtureRequest) -> Start:
    url = request.getfixturevalue("postgres").url
    return lambda clock: SQLKeyProvider(url, policy=POLICY, clock=clock, sealer=SEALER)


@dataclass(frozen=True)
class Token:
    kid: str
    signature: bytes
    minted_at: datetime


class Fleet:
    """Processes on two stores, and the tokens that they minted."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tokens: list[Token] = []
        self.minted: Counter[str] = Counter()
        self.refused: list[str] = []

    async def round(self, *processes: RotatingKeyProvider) -> None:
        """Everybody mints at the same time, and everybody verifies everything that anybody minted."""
        self.clock.advance(LOOK)
        async with anyio.create_task_group() as tasks:
            for process in processes:
                tasks.start_soon(self._mint, process)
        async with anyio.create_task_group() as tasks:
            for process in processes:
                tasks.start_soon(self.verify, process)

    async def _mint(self, process: RotatingKeyProvider) -> None:
        for _ in range(3):
            grant = await process.acquire()
            self.minted[grant.key.kid] += grant.count
            signature = await grant.key.sign(b"input")
            self.tokens.append(Token(grant.key.kid, signature, self.clock.now()))

    async def verify(self, process: RotatingKeyProvider) -> None:
        for token in self.tokens:
            if self.clock.now() >= token.minted_at + LIFETIME:
                continue
            try:
                key = await process.resolve(token.kid)
                assert key.verify(b"input", token.signature)
            except MintkeyError as error:
                self.refused.append(repr(error))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("here", "there"),
    [
        pytest.param(memory, file, id="memory to file"),
        pytest.param(file, sqlite, id="file to sqlite"),
        pytest.param(sqlite, valkey, id="sqlite to valkey"),
        pytest.param(valkey, postgresql, id="valkey to postgresql"),
        pytest.param(postgresql, memory, id="postgresql to memory"),
    ],
)
async def test_no_token_is_refused_through_a_move(request, stack: AsyncExitStack, here, there) -> None:
    clock = FakeClock()
    fleet = Fleet(clock)
    start_old, start_new = here(request), there(request)
    old = [await stack.enter_async_context(start_old(clock)) for _ in range(2)]
    tools = [await stack.enter_async_context(start(clock)) for start in (start_old, start_new)]

    async def copy(*, back: bool = False) -> None:
        source, target = reversed(tools) if back else tools
        await copy_ring(source, target, max_mints=CAP)

    await fleet.round(*old)
    async with anyio.create_task_group() as tasks:  # the old ones never stop
        tasks.start_soon(copy)
        tasks.start_soon(fleet.round, *old)
    new = [await stack.enter_async_context(start_new(clock)) for _ in range(2)]
    await fleet.round(*old, *new)

    await old[0].rotate()
    await fleet.round(*old, *new)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(copy)
        tasks.start_soon(fleet.round, *(old + new))
    await fleet.round(*old, *new)

    await new[0].rotate()
    await fleet.round(*old, *new)
    await copy(back=True)
    await fleet.round(*old, *new)
    signing = {(await process.acquire()).key.kid for process in (*old, *new)}
    assert len(signing) == 1

    await old[1].rotate()
    await copy()
    await fleet.round(*old, *new)
    for process in old:
        await process.aclose()
    await fleet.round(*new)
    await new[1].rotate()
    await fleet.round(*new)
    while clock.now() < fleet.tokens[-1].minted_at + LIFETIME - timedelta(seconds=1):
        clock.advance(min(timedelta(minutes=1), fleet.tokens[-1].minted_at + LIFETIME - clock.now()))
        for process in new:
            await fleet.verify(process)
    assert fleet.refused == []
    assert len(fleet.minted) >= 4
    assert max(fleet.minted.values()) <= CAP


@pytest.mark.parametrize(
    ("here", "there"),
    [
        pytest.param(memory, sqlite, id="memory to sqlite"),
        pytest.param(file, valkey, id="file to valkey"),
        pytest.param(valkey, postgresql, id="valkey to postgresql"),
    ],
)
async def test_both_stores_together_never_exceed_the_cap(request, stack: AsyncExitStack, here, there) -> None:
    """Both sides mint as fast as they can, rotating by count, while the ring is copied to and fro."""
    clock = FakeClock()
    start_old, start_new = here(request), there(request)
    old = [await stack.enter_async_context(start_old(clock)) for _ in range(2)]
    tools = [await stack.enter_async_context(start(clock)) for start in (start_old, start_new)]
    minted: Counter[str] = Counter()

    async def mint(process: RotatingKeyProvider, count: int) -> None:
        while count > 0:
            grant = await process.acquire(min(count, 5))
            minted[grant.key.kid] += grant.count
            count -= grant.count

    await mint(old[0], 100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mint, old[1], 100)
        await copy_ring(*tools, max_mints=CAP)
        new = [await stack.enter_async_context(start_new(clock)) for _ in range(2)]
        for process in (*old, *new):
            tasks.start_soon(mint, process, 400)
        for _ in range(4):
            clock.advance(LOOK)
            await copy_ring(*tools, max_mints=CAP)
            await copy_ring(*reversed(tools), max_mints=CAP)
    assert sum(minted.values()) == 1800
    assert max(minted.values()) <= CAP
