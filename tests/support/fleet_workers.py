"""Processes of a fleet that shares one ring: `python -m tests.support.fleet_workers TASK URL …`."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import jwt

from mintkey import (
    BackendError,
    KeyProviderError,
    MintedToken,
    MintkeyError,
    Purpose,
    Reason,
    SystemClock,
    TokenService,
)
from mintkey.clock import Clock
from mintkey.keys import RedisKeyProvider, RotatingKeyProvider, RotationPolicy, Sealer, SQLKeyProvider
from mintkey.replay import RedisReplayStore
from mintkey.testing import FakeClock
from tests.support.processes import perform, say

R = TypeVar("R")

SEALER = Sealer([bytes(range(32))])
ISSUER = "https://fleet.example"
SERVICE = Purpose[dict[str, Any]]("service", lifetime=timedelta(seconds=4), audience="fleet", leeway=timedelta(0))
LASTING = Purpose[dict[str, Any]]("lasting", lifetime=timedelta(minutes=30))
ONCE = Purpose[dict[str, Any]]("once", lifetime=timedelta(seconds=60), single_use=True)
HOUR = timedelta(hours=1)

BY_TIME = RotationPolicy(every=HOUR, previous_ttl=HOUR, publish_ahead=timedelta(minutes=10))
EVERY_TWO_SECONDS = RotationPolicy(
    every=timedelta(seconds=2), previous_ttl=timedelta(seconds=8), publish_ahead=timedelta(seconds=1.5)
)
A_MILLION = RotationPolicy(max_mints=1_000_000)

_POLL = 0.02


def by_count(cap: int) -> RotationPolicy:
    return RotationPolicy(every=None, max_mints=cap, previous_ttl=HOUR, publish_ahead=timedelta(0))


def keys_at(
    url: str, policy: RotationPolicy, *, clock: Clock | None = None, quick: bool = False
) -> RotatingKeyProvider:
    """The fleet's keys, in whatever store the URL leads to; `quick` looks often enough to rotate every two seconds."""
    refresh_interval, max_clock_skew = (
        (timedelta(seconds=0.3), timedelta(seconds=0.1)) if quick else (timedelta(seconds=5), timedelta(seconds=5))
    )
    provider = SQLKeyProvider if url.startswith("postgresql") else RedisKeyProvider
    return provider(
        url,
        policy=policy,
        clock=clock,
        sealer=SEALER,
        refresh_interval=refresh_interval,
        max_clock_skew=max_clock_skew,
    )


async def patiently(call: Callable[[], Awaitable[MintedToken]]) -> MintedToken:
    """A token, asked for again as callers of a retryable error do: a busy machine may be too slow once."""
    with anyio.fail_after(60):
        while True:
            try:
                return await call()
            except KeyProviderError as error:
                if not error.retryable:
                    raise


async def mint(url: str, count: str, cap: str) -> object:
    """Say one token after the other."""
    async with TokenService(issuer=ISSUER, keys=keys_at(url, by_count(int(cap)))) as tokens:
        for number in range(int(count)):
            say(await patiently(lambda: tokens.mint(LASTING, subject="20")))
            if number % 10 == 0:
                await anyio.lowlevel.checkpoint()
    return "done"


async def reach(url: str, at: str, cap: str) -> object:
    """Be there with all the others when a rotation is due, by time or (with a cap) by count; who signs then."""
    clock = FakeClock(datetime.now(UTC))
    policy = by_count(int(cap)) if int(cap) else BY_TIME
    async with keys_at(url, policy, clock=clock) as keys:
        await keys.versions()
        await anyio.sleep(max(0.0, float(at) - SystemClock().time()))
        if not int(cap):
            clock.advance(HOUR)
        return (await keys.acquire()).key.kid


async def mint_into(url: str, directory: str, name: str) -> object:
    """Mint until told to stop, each token into a line of a file."""
    minted = 0
    async with TokenService(issuer=ISSUER, keys=keys_at(url, EVERY_TWO_SECONDS, quick=True)) as tokens:
        while not is_over(directory):
            _append(directory, name, await patiently(lambda: tokens.mint(SERVICE, subject="20")))
            minted += 1
            await anyio.sleep(0.01)
    return minted


async def verify_from(url: str, directory: str, how: str) -> object:
    """Verify every token of the files as it appears, until told to stop; how it went.

    `mintkey` is another process of the fleet; `pyjwt` knows a JWK Set that it keeps for exactly as long as it was told.
    """
    outcomes: Counter[str] = Counter()
    async with TokenService(issuer=ISSUER, keys=keys_at(url, EVERY_TWO_SECONDS, quick=True)) as tokens:
        check = _Outsider(tokens).check if how == "pyjwt" else _insider(tokens)
        tails = [_Tail(Path(directory, f"{name}.tokens")) for name in ("one", "two")]
        while not is_over(directory):
            for token in [token for tail in tails for token in tail.lines()]:
                outcomes[await check(token)] += 1
            await anyio.sleep(_POLL)
    return outcomes


def is_over(directory: str) -> bool:
    """Whether the test said stop."""
    return Path(directory, "stop").exists()


def _append(directory: str, name: str, token: str) -> None:
    with Path(directory, f"{name}.tokens").open("a") as lines:
        lines.write(f"{token}\n")


def _insider(tokens: TokenService) -> Callable[[str], Awaitable[str]]:
    async def check(token: str) -> str:
        try:
            await tokens.verify(token, SERVICE)
        except MintkeyError as error:
            return error.reason
        return "good"

    return check


class _Outsider:
    """A verifier that fetches the JWK Set when its time is over, and never before."""

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens
        self._keys: dict[str, jwt.PyJWK] = {}
        self._until = 0.0
        self._clock = SystemClock()

    async def check(self, token: str) -> str:
        now = self._clock.monotonic()
        if now >= self._until:
            served = await self._tokens.jwks()
            self._keys = {str(key["kid"]): jwt.PyJWK(key) for key in served.as_dict()["keys"]}
            self._until = now + served.max_age.total_seconds()
        key = self._keys.get(jwt.get_unverified_header(token)["kid"])
        if key is None:
            return "unknown kid"
        try:
            jwt.decode(token, key, algorithms=["EdDSA"], audience="fleet", issuer=ISSUER)
        except jwt.PyJWTError as error:
            return type(error).__name__
        return "good"


class _Tail:
    """The lines of a file that others write to, as they are completed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        return whole.splitlines()


class _Load:
    """A service under load: every outcome, with the moment at which it was known."""

    def __init__(self, tokens: TokenService, directory: str) -> None:
        self._tokens = tokens
        self._directory = directory
        self.outcomes: list[tuple[float, str, str]] = []
        self.last_reason: Reason | None = None

    async def use(self) -> None:
        while not is_over(self._directory):
            token = await self._note("mint", self._tokens.mint(SERVICE))
            if token is not None:
                await self._note("verify", self._tokens.verify(token, SERVICE))
            await anyio.sleep(_POLL)

    async def spend(self) -> None:
        """Each token until it is spent, or until nobody can tell: what was not spent for certain is no replay later."""
        while not is_over(self._directory):
            token = await self._note("mint", self._tokens.mint(ONCE))
            while token is not None and not is_over(self._directory):
                self.last_reason = None
                await self._note("spend", self._tokens.verify(token, ONCE))
                await anyio.sleep(_POLL)
                if self.last_reason is not Reason.REPLAY_UNAVAILABLE:
                    break

    async def _note(self, what: str, call: Awaitable[R]) -> R | None:
        result, outcome = None, "good"
        try:
            result = await call
        except BackendError as error:
            outcome, self.last_reason = f"{error.status_code}", error.reason
        except MintkeyError as error:
            outcome = f"invalid: {error.reason}"
        self.outcomes.append((SystemClock().time(), what, outcome))
        return result


async def serve(url: str, directory: str, name: str) -> object:
    """Mint, verify and spend until told to stop; what came of it is in a file."""
    replay = RedisReplayStore(url, timeout=timedelta(seconds=1))
    async with (
        TokenService(issuer=ISSUER, keys=keys_at(url, A_MILLION), replay=replay) as tokens,
        anyio.create_task_group() as tasks,
    ):
        load = _Load(tokens, directory)
        _write(directory, f"{name}.ready", None)
        tasks.start_soon(load.use)
        tasks.start_soon(load.spend)
    _write(directory, f"{name}.json", load.outcomes)
    return "done"


def _write(directory: str, name: str, outcomes: object) -> None:
    Path(directory, name).write_text(json.dumps(outcomes))


TASKS = (mint, reach, mint_into, verify_from, serve)


def answers(lines: str) -> list[Any]:
    """What the processes said at their end."""
    return [json.loads(line) for line in lines.splitlines()]


if __name__ == "__main__":
    perform({task.__name__: task for task in TASKS})
