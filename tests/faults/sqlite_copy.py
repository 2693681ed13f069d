"""A process that used an SQLite file, and copies of it: `python -m tests.faults.sqlite_copy SCENARIO DIRECTORY`."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey.errors import ReplayStoreError
from mintkey.ids import new_id
from mintkey.replay import SQLReplayStore
from tests.support.processes import copy, say

_AHEAD = timedelta(minutes=1)  # it does not matter when the memory of a store begins


def a_store(place: AsyncEngine | str) -> SQLReplayStore:
    """With all the time that it may take to say something."""
    return SQLReplayStore(place, timeout=timedelta(seconds=20))


async def claimed(store: SQLReplayStore, key: str) -> str:
    """What a claim is told."""
    now = datetime.now(UTC)
    try:
        return await store.claim(key, owner=new_id(), issued_at=now + _AHEAD, expires_at=now + 2 * _AHEAD)
    except ReplayStoreError as error:
        return f"{error.reason}: {str(error).partition('cannot be used: ')[2]}"


async def in_copy(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do some work in a copy of this process, to the end."""
    _, status = await asyncio.to_thread(os.waitpid, copy(work), 0)
    assert status == 0


class Scenario:
    """What is said is who is asked for which key, and the answer."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory}/marks.db"
        self.other = f"sqlite:///{directory}/others.db"
        self.ours = a_store(self.url)

    async def used(self) -> None:
        """The file is in use when the process forks."""
        await self.tell("parent", self.ours, "a")
        await in_copy(self.use_of_copy)
        await self.tell("parent", self.ours, "a", "b")
        await self.ours.aclose()

    async def use_of_copy(self) -> None:
        """By the store that it has, and by new ones."""
        await self.tell("copy", self.ours, "b")
        await self.tell("new store", a_store(self.url), "b")
        await in_copy(lambda: self.tell("copy of the copy", a_store(self.url), "b"))
        await self.tell("new file", a_store(self.other), "b")

    async def locked(self) -> None:
        """A thread has the lock when the process forks."""
        engine = create_async_engine(self.url.replace("sqlite:", "sqlite+aiosqlite:"))
        await self.tell("parent", self.ours, "a")
        async with engine.connect() as connection:
            await connection.execute(text("BEGIN IMMEDIATE"))
            await in_copy(lambda: self.tell("copy", a_store(self.url), "b"))
        await engine.dispose()
        await self.ours.aclose()

    async def closed(self) -> None:
        """The file is closed by then."""
        await self.tell("parent", self.ours, "a")
        await self.ours.aclose()
        await in_copy(lambda: self.tell("copy", self.ours, "a", "b"))
        await self.tell("parent", self.ours, "b")
        await self.ours.aclose()

    async def engine(self) -> None:
        """The application has an engine of its own, and does with it what SQLAlchemy says of forks."""
        engine = create_async_engine(self.url.replace("sqlite:", "sqlite+aiosqlite:"))
        await self.tell("parent", a_store(engine), "a")
        await in_copy(lambda: self.anew(engine))
        await engine.dispose()
        await in_copy(lambda: self.anew(engine))

    async def anew(self, engine: AsyncEngine) -> None:
        await engine.dispose(close=False)
        await self.tell("copy", a_store(engine), "a")

    async def tell(self, who: str, store: SQLReplayStore, *keys: str) -> None:
        """Ask, and say what was answered."""
        for key in keys:
            say(f"{who} {key}: {await claimed(store, key)}")


if __name__ == "__main__":
    asyncio.run(getattr(Scenario(Path(sys.argv[2])), sys.argv[1])())
