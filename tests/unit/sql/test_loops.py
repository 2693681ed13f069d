"""Each event loop has transactions of its own, and a copy of the process leaves what it found alone."""

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mintkey.errors import ConfigurationError
from mintkey.sql.engine import OpenedEngine, open_engine
from mintkey.sql.loops import Loops
from mintkey.sql.schema import RINGS
from mintkey.sql.transactions import Transactions

TIMEOUT = timedelta(seconds=5)


class Opening:
    """Opens engines on one URL, and remembers them."""

    def __init__(self, url: str) -> None:
        self.opened: list[OpenedEngine] = []
        self._url = url
        self.loops = Loops(self.open(), reopen=self.open, begin=self._begin)

    def open(self) -> OpenedEngine:
        self.opened.append(open_engine(self._url, timeout=TIMEOUT))
        return self.opened[-1]

    async def here(self) -> Transactions:
        return self.loops.here()

    async def index(self) -> int:
        """Which of the engines is this loop's."""
        return self.opened.index(self.loops.here().opened)

    @staticmethod
    def _begin(opened: OpenedEngine) -> Transactions:
        return Transactions(opened, tables=(RINGS,), timeout=30.0, warn=lambda _: None)


@pytest.fixture
def file(tmp_path: Path) -> Opening:
    return Opening(f"sqlite:///{tmp_path / 'mintkey.db'}")


def meanwhile(use: Callable[[], object]) -> None:
    """In another thread, to its end."""
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()


async def test_a_loop_that_asks_again_is_given_the_same(file: Opening) -> None:
    assert await file.here() is await file.here()


def test_a_loop_takes_over_the_file_of_one_that_ended(file: Opening) -> None:
    assert [asyncio.run(file.index()) for _ in range(3)] == [0, 0, 0]


async def test_two_loops_at_once_have_an_engine_each(file: Opening) -> None:
    found: list[int] = []
    assert await file.index() == 0
    meanwhile(lambda: found.append(asyncio.run(file.index())))
    assert found == [1]


def test_connections_to_a_server_end_with_their_loop() -> None:
    server = Opening("postgresql://nobody@127.0.0.1:1/nothing")
    assert [asyncio.run(server.index()) for _ in range(2)] == [0, 1]


async def test_a_database_in_memory_is_not_begun_twice() -> None:
    memory, refused = Opening("sqlite://"), list[str]()

    def want() -> None:
        with pytest.raises(ConfigurationError) as caught:
            asyncio.run(memory.index())
        refused.append(str(caught.value))
        asyncio.run(memory.loops.leave())  # nothing of it is that loop's

    assert await memory.index() == 0
    meanwhile(want)
    assert refused == ["a database in memory belongs to one event loop: for several, use a file"]
    assert await memory.index() == 0


async def test_who_leaves_closes_what_others_left_behind(file: Opening) -> None:
    meanwhile(lambda: asyncio.run(file.index()))
    (left,) = file.opened
    pool = left.engine.pool
    await file.loops.leave()
    assert left.engine.pool is not pool  # disposing replaces it
    assert await file.index() == 1


async def test_who_leaves_does_not_close_what_is_an_applications() -> None:
    application = open_engine("postgresql://nobody@127.0.0.1:1/nothing", timeout=TIMEOUT).engine
    opened = open_engine(application, timeout=TIMEOUT)
    loops = Loops(opened, reopen=lambda: opened, begin=Opening._begin)
    pool = application.pool
    await loops.leave()
    assert application.pool is pool


async def test_a_copy_of_the_process_opens_its_own_and_closes_only_that(
    file: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await file.here()
    pool = first.opened.engine.pool
    monkeypatch.setattr(os, "getpid", lambda: -1)
    # The copy has another event loop; here, the same one will do.
    file.loops._put_in_order()
    assert await file.index() == 1
    await file.loops.leave()
    assert first.opened.engine.pool is pool
