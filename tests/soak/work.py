"""What every process of a soak stands on: its service, its diary, and when it is over."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio

from mintkey import TokenService
from tests.soak.diary import Diary, Entry, Tail
from tests.soak.fleet import opened_at

__all__ = ["CLOSED", "LAST_CALL", "Jobs", "Work", "working"]

T = TypeVar("T")

LAST_CALL, CLOSED = "last-call", "closed"
"""Files that say: nobody mints any more; nobody who minted is there any more."""

_POLL = 0.1
_HANDS = 24  # calls of a process at the same time


@dataclass
class Work:
    """One process's own.

    Attributes:
        tokens: Its service.
        diary: Where it writes down what it does.
        dice: What it does next; another in every process.
        directory: Where everybody writes.
        role: What it does.
    """

    tokens: TokenService
    diary: Diary
    dice: random.Random
    directory: Path
    role: str

    def is_told(self, what: str) -> bool:
        return (self.directory / what).exists()

    async def pause(self, mean: float) -> None:
        await anyio.sleep(self.dice.uniform(0.5, 1.5) * mean)

    async def tokens_of_others(self) -> AsyncIterator[Entry]:
        """Every token as it appears, until no more of them can come."""
        tail, is_last = Tail(self.directory, "mint*.diary"), False
        while not is_last:
            is_last = self.is_told(CLOSED)  # looked at first: what was written before it is read below
            for entry in tail.entries():
                if entry["what"] == "minted":
                    yield entry
            await anyio.sleep(_POLL)

    def calls_of_former_lives(self) -> Iterator[Entry]:
        """What processes wrote down that did the same and were killed."""
        name = f"{self.diary.name}.diary"
        for path in self.directory.glob(f"{self.role}.*.diary"):
            if path.name != name:
                yield from Tail(self.directory, path.name).entries()


@asynccontextmanager
async def working(url: str, directory: Path, role: str, life: int) -> AsyncIterator[Work]:
    """A process that is at work, as soon as the servers let it."""
    diary = Diary(directory, f"{role}.{life}")
    tokens = await opened_at(url)
    diary.write("at work", role=role)
    try:
        yield Work(tokens, diary, random.Random(diary.name), directory, role)  # noqa: S311 - not for secrets
    finally:
        await tokens.aclose()
    diary.write("done", role=role)


class Jobs:
    """Many calls at once, but not too many; some of them later."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._hands = anyio.Semaphore(_HANDS)

    def put(self, call: Callable[..., object], *arguments: object, after: float = 0.0) -> None:
        self._tasks.start_soon(self._do, call, arguments, after)

    async def _do(self, call, arguments, after: float) -> None:
        await anyio.sleep(after)
        async with self._hands:
            await call(*arguments)
