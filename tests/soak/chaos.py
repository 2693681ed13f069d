"""What befalls a fleet and its server, one thing after the other, in an order that dice decide."""

import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from tests.soak.diary import Diary
from tests.soak.grounds import Befalls, Ground
from tests.soak.workers import ROLES

__all__ = ["Chaos"]

_CALM = (0.5, 1.5)  # seconds
_BAD = (0.2, 1.5)
_FIRST_LOSS, _BETWEEN_LOSSES = 5.0, 25.0
"""What was issued within seconds of a loss is refused: losses one after the other would leave nothing to see."""


class Chaos:
    """Faults of one ground until told to stop.

    Args:
        ground: The servers.
        directory: Where the processes of the fleet write down what they do.
        seed: Of the dice.
        settled: Waits until all processes are at work.
    """

    def __init__(self, ground: Ground, directory: Path, seed: int, settled: Callable[[], Awaitable[None]]) -> None:
        self._ground = ground
        self._directory = directory
        self._dice = random.Random(f"{seed} {ground.name}")  # noqa: S311 - not for secrets
        self._settled = settled
        self._diary = Diary(directory, "chaos")

    async def reign(self, seconds: float) -> None:
        """One fault after the other for so long; all is well behind it."""
        begin = anyio.current_time()
        loss_at = begin + _FIRST_LOSS
        faults = self._faults()
        while (now := anyio.current_time()) < begin + seconds:
            await anyio.sleep(self._dice.uniform(*_CALM))
            if self._ground.losses and now >= loss_at:
                # A process that opens a store without memory takes it for a new one, and tokens of the very second in
                # which it was lost for tokens of its own time. Of the others, whoever notices the loss takes care.
                await self._settled()
                name, befalls = self._dice.choice(list(self._ground.losses.items()))
                await self._one(name, befalls, what="loss")
                loss_at = anyio.current_time() + _BETWEEN_LOSSES
            else:
                await self._one(*next(faults))

    async def _one(self, name: str, befalls: Befalls, *, what: str = "fault") -> None:
        seconds = self._dice.uniform(*_BAD)
        call = self._diary.begin(what, name=name)
        async with befalls(seconds):
            await anyio.sleep(seconds)
        self._diary.end(call, "good")

    def _faults(self) -> Iterator[tuple[str, Befalls]]:
        """Every fault before any comes again."""
        faults = {**self._ground.faults, "process killed": self._kill, "process frozen": self._freeze}
        while True:
            yield from self._dice.sample(list(faults.items()), len(faults))

    @asynccontextmanager
    async def _kill(self, _: float) -> AsyncIterator[None]:
        os.kill(await self._process(), signal.SIGKILL)
        yield

    @asynccontextmanager
    async def _freeze(self, _: float) -> AsyncIterator[None]:
        process = await self._process()
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    async def _process(self) -> int:
        await self._settled()  # so that it is one that lives
        file = self._directory / f"{self._dice.choice(list(ROLES))}.pid"
        return int((await run_sync(file.read_text)).split()[0])
