"""Where the demonstration plays: some workers, one SQLite file, a clock that runs on command."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from mintkey.cli.demo.clock import FastClock
from mintkey.cli.outcome import BrokenPromiseError
from mintkey.clock import SystemClock
from mintkey.errors import BackendError, InvalidTokenError, Reason
from mintkey.keys.base import KeyVersion
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer
from mintkey.keys.sql import SQLKeyProvider
from mintkey.purpose import Purpose
from mintkey.replay.sql import SQLReplayStore
from mintkey.service import TokenService
from mintkey.tokens import MintedToken

__all__ = ["LOGIN", "POLICY", "SESSION", "Stage", "Worker", "open_stage", "reason_of"]

POLICY = RotationPolicy(every=timedelta(days=1), max_mints=25, previous_ttl=timedelta(hours=12))

LOGIN = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="demo.web", single_use=True)
SESSION = Purpose("session", lifetime=POLICY.previous_ttl - timedelta(seconds=10), audience="demo.web")
"""Together with its leeway of 10 seconds it lives as long as a previous key verifies: the longest that is allowed."""

_WORKERS = 4
_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Worker:
    """One process of a fleet, or as good as: a service with keys, marks and connections of its own."""

    tokens: TokenService
    keys: SQLKeyProvider


@dataclass(slots=True)
class Stage:
    """What the acts play with.

    Attributes:
        workers: The fleet.
        clock: Everybody's clock.
        minted: All tokens so far.
        history: All key versions so far, as they were last seen, by kid.
        kept: How many promises were kept so far.
    """

    workers: tuple[Worker, ...]
    clock: FastClock
    minted: list[MintedToken] = field(default_factory=list[MintedToken])
    history: dict[str, KeyVersion] = field(default_factory=dict[str, KeyVersion])
    kept: int = 0

    async def look(self) -> Sequence[KeyVersion]:
        """The key versions there are now, newest first."""
        versions = await self.workers[0].keys.versions()
        self.history.update((version.kid, version) for version in versions)
        return versions

    async def mint(
        self, purpose: Purpose[Any], /, *, subject: str, claims: dict[str, Any] | None = None
    ) -> MintedToken:
        """A token by the worker whose turn it is."""
        worker = self.workers[len(self.minted) % len(self.workers)]
        token = await worker.tokens.mint(purpose, subject=subject, claims=claims)
        self.minted.append(token)
        return token

    def promise(self, promise: str, /, *, kept: bool, found: object) -> None:
        """Count a promise that was kept.

        Raises:
            BrokenPromiseError: It was not.
        """
        if not kept:
            raise BrokenPromiseError(f"promised: {promise}; found: {found}")
        self.kept += 1


@asynccontextmanager
async def open_stage(directory: Path, /) -> AsyncGenerator[Stage]:
    """A fleet that shares one new SQLite file, whose private keys are sealed."""
    clock = FastClock(float(int(SystemClock().time())))
    url, sealer = f"sqlite:///{directory / 'demo.db'}", Sealer([Sealer.generate_key()])
    async with AsyncExitStack() as stack:
        workers: list[Worker] = []
        for _ in range(_WORKERS):
            keys = SQLKeyProvider(url, policy=POLICY, sealer=sealer, clock=clock)
            replay = SQLReplayStore(url, clock=clock, timeout=_PATIENCE)
            service = TokenService(issuer="https://demo.example", keys=keys, replay=replay, clock=clock)
            # Not entered: that would start upkeep in real time, which here has nothing to do with the clock.
            workers.append(Worker(await stack.enter_async_context(aclosing(service)), keys))
        yield Stage(tuple(workers), clock)


async def reason_of(call: Awaitable[Any], /) -> Reason | None:
    """Why a call is refused; None if it is not."""
    try:
        await call
    except (InvalidTokenError, BackendError) as error:
        return error.reason
    return None
