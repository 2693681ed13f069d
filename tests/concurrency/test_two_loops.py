"""One service, several event loops in threads of their own, all at once: every promise holds, and nothing hangs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mintkey import InvalidTokenError, Purpose, TokenService
from mintkey.errors import KeyRevokedError
from mintkey.events import Event, Rotated
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import StoredRing
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.replay.memory import MemoryReplayStore
from tests.support.loops import in_threads

LOOPS = 4
MINTS = 300
ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
LINK = Purpose("link", lifetime=timedelta(minutes=5), single_use=True)


def hop() -> float:
    """Seconds on the way to a store."""
    return SystemRandom().random() / 1000


class DistantRingStore(MemoryKeyRingStore):
    """Lets others run before and after every operation, as a network does."""

    async def load(self, ring: str, /) -> StoredRing | None:
        await asyncio.sleep(hop())
        stored = await super().load(ring)
        await asyncio.sleep(hop())
        return stored

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        await asyncio.sleep(hop())
        won = await super().compare_and_swap(ring, expected=expected, document=document)
        await asyncio.sleep(hop())
        return won

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        await asyncio.sleep(0)
        granted = await super().reserve(ring, kid, want=want, limit=limit)
        await asyncio.sleep(hop())
        return granted


def capped(max_mints: int) -> RotationPolicy:
    return RotationPolicy(every=None, max_mints=max_mints, publish_ahead=timedelta(0))


def provider_in(place: str, directory: Path, policy: RotationPolicy) -> RotatingKeyProvider:
    soon = timedelta(milliseconds=20)  # so that snapshots are replaced all the time
    match place:
        case "memory":
            return MemoryKeyProvider(policy=policy, refresh_interval=soon)
        case "distance":
            return MemoryKeyProvider(policy=policy, refresh_interval=soon, store=DistantRingStore())
        case _:
            return FileKeyProvider(directory / "keys", policy=policy, refresh_interval=soon)


@pytest.fixture(params=["memory", "distance", "file"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("max_mints", [7, 40])
def test_no_version_is_over_its_cap(place: str, max_mints: int, tmp_path: Path) -> None:
    keys = provider_in(place, tmp_path, capped(max_mints))
    tokens = TokenService(issuer="https://app.example", keys=keys)
    loops, mints = (LOOPS, MINTS) if place != "file" else (2, 60)

    async def mint() -> Counter[str]:
        minted: Counter[str] = Counter()
        for batch in range(mints // 10):
            for token in await asyncio.gather(*(tokens.mint(ACCESS, subject="20") for _ in range(10))):
                minted[token.key_id] += 1
                await tokens.verify(token, ACCESS)
            if batch % 10 == 0:
                await tokens.jwks()
        return minted

    minted = sum(in_threads(*[mint] * loops), Counter[str]())
    assert sum(minted.values()) == loops * mints
    assert max(minted.values()) <= max_mints
    # What was set aside and not used is little: this is no fleet of as many processes.
    assert len(minted) <= 3 * (loops * mints // max_mints + 1)


def test_many_at_a_time_are_within_the_cap(place: str, tmp_path: Path) -> None:
    keys = provider_in(place, tmp_path, capped(50))

    async def acquire() -> Counter[str]:
        granted: Counter[str] = Counter()
        for want in range(1, 40):
            grant = await keys.acquire(want)
            granted[grant.key.kid] += grant.count
        return granted

    assert max(sum(in_threads(*[acquire] * 3), Counter[str]()).values()) <= 50


def test_rotations_and_revocations_are_known_to_every_loop_at_once(place: str, tmp_path: Path) -> None:
    """Not a refresh interval later: what one loop knows, all of them know. And each is told once."""
    heard: list[Event] = []
    keys = provider_in(place, tmp_path, RotationPolicy(every=None, publish_ahead=timedelta(0)))
    tokens = TokenService(issuer="https://app.example", keys=keys, hooks=[heard.append])

    async def rotate() -> list[str]:
        kids: list[str] = []
        for _ in range(8):
            token = await tokens.mint(ACCESS, subject="20")
            with suppress(KeyRevokedError):  # by another loop, meanwhile
                await tokens.verify(token, ACCESS)
            kids.append((await keys.rotate()).kid)
            await keys.revoke(token.key_id)
            with pytest.raises(InvalidTokenError):
                await tokens.verify(token, ACCESS)
        return kids

    rotated = {kid for kids in in_threads(*[rotate] * 3) for kid in kids}
    told = [event for event in heard if isinstance(event, Rotated)]
    assert rotated <= {event.key_id for event in told}
    assert all(event.is_own for event in told)
    assert len({event.key_id for event in told}) == len(told)
    assert len({event.previous_key_id for event in told}) == len(told)


def test_a_link_is_spent_in_one_of_them() -> None:
    tokens = TokenService(issuer="https://app.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore())

    async def mint() -> list[str]:
        return [await tokens.mint(LINK, subject=str(number)) for number in range(100)]

    links = asyncio.run(mint())

    async def spend() -> int:
        spent = 0
        for link in links:
            try:
                await tokens.verify(link, LINK)
            except InvalidTokenError:
                continue
            spent += 1
        return spent

    assert sum(in_threads(*[spend] * LOOPS)) == len(links)


def test_loops_come_and_go() -> None:
    """As with `asyncio.run` in a thread for each request; each of them opens, uses and closes what the others use."""
    keys = MemoryKeyProvider(policy=capped(25))

    async def serve() -> list[str]:
        async with TokenService(issuer="https://app.example", keys=keys) as tokens:
            return [(await tokens.mint(ACCESS, subject="20")).key_id for _ in range(5)]

    async def come_and_go() -> Counter[str]:
        minted: Counter[str] = Counter()
        for _ in range(15):
            minted.update(await asyncio.to_thread(asyncio.run, serve()))
        return minted

    holder = TokenService(issuer="https://app.example", keys=keys)

    async def hold() -> Counter[str]:
        async with holder:
            return await come_and_go()

    minted = sum(in_threads(hold, come_and_go, come_and_go), Counter[str]())
    assert sum(minted.values()) == 3 * 15 * 5
    assert max(minted.values()) <= 25


# An application in its test client, which runs it in a loop of its own


def application(tokens: TokenService) -> Starlette:
    async def login(_request: Request) -> JSONResponse:
        return JSONResponse({"token": await tokens.mint(ACCESS, subject="20")})

    async def orders(request: Request) -> JSONResponse:
        seen = await tokens.verify(request.headers["authorization"].removeprefix("Bearer "), ACCESS)
        return JSONResponse({"subject": seen.subject})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with tokens:
            yield

    return Starlette(routes=[Route("/login", login), Route("/orders", orders)], lifespan=lifespan)


def fetch_orders(client: TestClient, token: str) -> httpx2.Response:
    return client.get("/orders", headers={"Authorization": f"Bearer {token}"})


async def test_a_test_mints_while_the_application_is_at_work(place: str, tmp_path: Path) -> None:
    tokens = TokenService(issuer="https://app.example", keys=provider_in(place, tmp_path, capped(7)))

    def visit(client: TestClient) -> int:
        return sum(fetch_orders(client, client.get("/login").json()["token"]).status_code == 200 for _ in range(25))

    async def mint(count: int) -> Counter[str]:
        return Counter([(await tokens.mint(ACCESS, subject="20")).key_id for _ in range(count)])

    with TestClient(application(tokens)) as client:
        async with asyncio.timeout(60):
            visits, minted = await asyncio.gather(asyncio.to_thread(visit, client), mint(50))
        assert visits == 25
        assert max(minted.values()) <= 7


async def test_a_test_that_blocks_its_loop_keeps_the_application_from_nothing(place: str, tmp_path: Path) -> None:
    """Client calls block the test's loop, in the middle of whatever it was at behind its callers."""
    tokens = TokenService(issuer="https://app.example", keys=provider_in(place, tmp_path, capped(40)))

    def blocking(work: partial[Any]) -> Any:
        return work()

    with TestClient(application(tokens)) as client:
        async with tokens:
            for pause in range(20):
                token = await tokens.mint(ACCESS, subject="20")
                for _ in range(pause):
                    await asyncio.sleep(0)
                assert blocking(partial(fetch_orders, client, token)).status_code == 200
                assert client.get("/login").status_code == 200
