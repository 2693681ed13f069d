"""Soaks a fleet for every kind of server, all at the same time."""

import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import Process

from mintkey import SystemClock
from tests.soak.audit import WORKS_AGAIN
from tests.soak.books import Books
from tests.soak.chaos import Chaos
from tests.soak.diary import Tail, entries
from tests.soak.fleet import opened_at
from tests.soak.grounds import Ground, postgres_ground, redis_ground
from tests.soak.work import LAST_CALL
from tests.soak.workers import ROLES
from tests.support.polling import until

__all__ = ["GROUNDS", "soak"]

GROUNDS: dict[str, Callable[[], AbstractAsyncContextManager[Ground]]] = {
    "redis": redis_ground,
    "postgresql": postgres_ground,
}

_PATIENCE = 90.0
"""Seconds within which everything works again behind the last fault, and so many again until all is used up."""

_ROOT = Path(__file__).parents[2]


async def soak(seconds: float, directory: Path, *, seed: int | None = None) -> dict[str, Books]:
    """What was written down within so many seconds, for every kind of server."""
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    books: dict[str, Books] = {}

    async def one(name: str) -> None:
        books[name] = await _soak(GROUNDS[name], directory / name, seconds, seed)

    async with anyio.create_task_group() as tasks:
        for name in GROUNDS:
            (directory / name).mkdir()
            tasks.start_soon(one, name)
    return books


async def _soak(
    ground_of: Callable[[], AbstractAsyncContextManager[Ground]], directory: Path, seconds: float, seed: int
) -> Books:
    async with ground_of() as ground:
        await (await opened_at(ground.url)).aclose()  # ring and memory begin
        async with _fleet(ground.url, directory) as fleet:

            async def settled() -> None:
                await until(lambda: anyio.to_thread.run_sync(_all_at_work, fleet, directory))

            await settled()
            await Chaos(ground, directory, seed, settled).reign(seconds)
            await settled()
            await until(partial(anyio.to_thread.run_sync, _Recovery(directory).is_complete), patience=_PATIENCE)
            (directory / LAST_CALL).touch()
            with anyio.fail_after(_PATIENCE):
                assert await fleet.wait() == 0, _log(directory)
        return await anyio.to_thread.run_sync(lambda: Books.of(entries(directory), seed=seed))


class _Recovery:
    """Whether everything went well once more, since this was made."""

    def __init__(self, directory: Path) -> None:
        self._tail = Tail(directory)
        self._since = SystemClock().time()
        self._begun: dict[str, str] = {}
        self._missing = set(WORKS_AGAIN)

    def is_complete(self) -> bool:
        for entry in self._tail.entries():
            if entry["at"] > self._since and "call" in entry:
                if entry["what"] != "end":
                    self._begun.setdefault(entry["call"], entry["what"])
                elif entry["outcome"] in {"good", "granted"}:
                    self._missing.discard(self._begun.get(entry["call"], ""))
        return not self._missing


def _log(directory: Path) -> str:
    """What a fleet had to say that failed."""
    return (directory / "log").read_text()[-5000:]


def _all_at_work(fleet: Process, directory: Path) -> bool:
    assert fleet.returncode is None, _log(directory)
    return all(_is_at_work(directory, role) for role in ROLES)


def _is_at_work(directory: Path, role: str) -> bool:
    """Whether the process that lives now wrote that it is at work."""
    with suppress(OSError, ValueError):
        process, life = (directory / f"{role}.pid").read_text().split()
        os.kill(int(process), 0)
        return b'"at work"' in (directory / f"{role}.{life}.diary").read_bytes()[:100]
    return False


@asynccontextmanager
async def _fleet(url: str, directory: Path) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "tests.soak.workers", url, str(directory))
    with (directory / "log").open("ab") as log:
        process = await anyio.open_process(command, cwd=_ROOT, stdin=None, stdout=log, stderr=log)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)  # its processes leave with it
            await process.wait()
