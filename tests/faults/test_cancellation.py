"""Callers who leave, wherever they wait: what they asked for happened or did not, and nobody else is disturbed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from mintkey import Purpose, Reason, ReplayStoreError, TokenReplayedError, TokenService
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import RedisReplayStore
from tests.faults.ground import Fate, Ground, Stores, attempt, opened, redis_stores, sql_stores
from tests.faults.matrix import cells
from tests.faults.paths import PATHS
from tests.faults.steps import cancelled_at
from tests.support.polling import until
from tests.support.postgres import PostgresDatabase
from tests.support.servers import RedisServer

PATIENCE = 20.0
LINK = Purpose("link", lifetime=timedelta(minutes=5), single_use=True)
MOST_STEPS = 60

Connect = Callable[[], Stores]


@asynccontextmanager
async def place(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """Stores on one server or file, as a process makes them."""
    match backend:
        case "redis":
            server: RedisServer = request.getfixturevalue("valkey")
            yield lambda: redis_stores(server.url, PATIENCE)
        case "sqlite":
            yield lambda: sql_stores(f"sqlite:///{tmp_path / 'marks.db'}", PATIENCE)
        case _:
            database: PostgresDatabase = request.getfixturevalue("postgres")
            yield lambda: sql_stores(database.url, PATIENCE)


@pytest.mark.parametrize(
    ("backend", "name", "is_warm"),
    [(backend, name, is_warm) for backend in PATHS for name, is_warm in cells(backend, [True, False])],
)
async def test_a_caller_leaves_wherever_it_waits(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, name: str, is_warm: bool
) -> None:
    path = PATHS[backend][name]
    async with place(backend, request, tmp_path) as connect:
        sure, has_come, step = connect(), True, 0
        async with opened(sure):
            while has_come:
                tried = connect()
                async with opened(tried):
                    ground = Ground(tried, sure)
                    await path.before(ground)
                    if is_warm:
                        await tried.warm(path.kind, ground.name)
                    fate, answer = await attempt(cancelled_at(step, as_coroutine(path.call(ground))))
                    if isinstance(answer, tuple):
                        has_come, answer = answer
                    await tried.aclose()  # what was sent before the caller left has been executed when this is over
                    await path.after(ground, fate, answer)
                    another = Ground(tried, sure)
                    await path.before(another)
                    fate, answer = await attempt(path.call(another))
                    assert fate is Fate.DONE, f"the next caller is served: {answer!r}"
                    await path.after(another, fate, answer)
                step += 1
                assert step < MOST_STEPS
        assert step > 1


async def as_coroutine(work: "asyncio.Future[object] | object") -> object:
    return await work  # type: ignore[misc]  # an awaitable


@pytest.mark.parametrize("is_redeemed", [False, True], ids=["verify", "redeem"])
async def test_a_token_whose_user_leaves_anywhere_is_used_once_at_most(valkey: RedisServer, is_redeemed: bool) -> None:
    """Who comes next waits for the lease, is let in, or is told that it was spent: never let in beside him."""
    has_come, step = True, 0
    store = RedisReplayStore(valkey.url)
    async with TokenService(issuer="https://faults.example", keys=MemoryKeyProvider(), replay=store) as tokens:
        while has_come:
            token = await tokens.mint(LINK)
            uses = list[str]()
            with suppress(asyncio.CancelledError):
                has_come, _ = await cancelled_at(step, use(tokens, token, uses, is_redeemed=is_redeemed))
            with suppress(TokenReplayedError):
                await use_patiently(tokens, token, uses)
            assert len(uses) <= 1
            step += 1
            assert step < MOST_STEPS
    assert step > 1


async def use(tokens: TokenService, token: str, uses: list[str], *, is_redeemed: bool) -> None:
    if is_redeemed:
        async with tokens.redeem(token, LINK, lease=timedelta(milliseconds=30)):
            await asyncio.sleep(0)
    else:
        await tokens.verify(token, LINK)
    uses.append("first")


async def use_patiently(tokens: TokenService, token: str, uses: list[str]) -> None:
    async def is_over() -> bool:
        try:
            await tokens.verify(token, LINK)
        except ReplayStoreError as error:
            if error.reason is not Reason.TOKEN_RESERVED:
                raise
            return False
        return True

    await until(is_over)
    uses.append("second")
