"""Whoever leaves while PostgreSQL is being connected to leaves nothing behind."""

import asyncio
import gc
from contextlib import aclosing, suppress
from typing import Any

import pytest

from mintkey.errors import KeyProviderError
from mintkey.keys.stores.sql import SQLKeyRingStore
from tests.faults.steps import cancelled_at
from tests.support.polling import until
from tests.support.postgres import PostgresDatabase

STAYING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaver'"
MOST_STEPS = 60


@pytest.fixture
async def heard() -> list[dict[str, Any]]:
    """What the event loop complains of."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: heard.append(complaint))
    return heard


async def test_a_watcher_leaves_wherever_it_waits(postgres: PostgresDatabase, heard: list[dict[str, Any]]) -> None:
    """It connects by itself. Nothing is complained of, and no connection stays."""
    has_come, step = True, 0
    async with SQLKeyRingStore(postgres.url) as sure:
        assert await sure.compare_and_swap("default", expected=0, document=b"one")
    while has_come:
        async with SQLKeyRingStore(f"{postgres.url}?application_name=leaver") as rings:
            has_come = await leaves_at(step, rings)
        gc.collect()  # an exception that nobody looked at is complained of when it goes
        assert heard == []
        step += 1
        assert step < MOST_STEPS
    assert step > 5

    async def none_stays() -> bool:
        return await postgres.send(STAYING) == ["0"]

    await until(none_stays)


async def test_so_does_one_who_leaves_at_any_moment(postgres: PostgresDatabase, heard: list[dict[str, Any]]) -> None:
    """Whatever turn the event loop is at, and not only when the watcher itself begins to wait."""
    for turns in range(16):
        async with SQLKeyRingStore(postgres.url) as rings:
            looking = asyncio.ensure_future(anext(rings.watch("default")))
            for _ in range(turns):
                await asyncio.sleep(0)
            looking.cancel()
            await asyncio.wait([looking])
        gc.collect()
        assert heard == []


async def leaves_at(step: int, rings: SQLKeyRingStore) -> bool:
    """Whether a look at a ring waited so often that it was cancelled."""

    async def look() -> int:
        async with aclosing(rings.watch("default")) as revisions:
            return await anext(revisions)

    try:
        has_come, revision = await cancelled_at(step, look())
    except asyncio.CancelledError:
        return True
    assert revision == 1
    return has_come


async def test_a_server_that_refuses_one_who_has_left_is_nobody_s_trouble(
    postgres: PostgresDatabase, heard: list[dict[str, Any]]
) -> None:
    async with SQLKeyRingStore(postgres.server.url("nowhere")) as rings:
        for step in range(6):
            with suppress(KeyProviderError):
                await leaves_at(step, rings)
    gc.collect()
    assert heard == []


async def test_one_who_is_there_is_told_what_the_driver_says(postgres: PostgresDatabase) -> None:
    async with SQLKeyRingStore(postgres.server.url("nowhere")) as rings:
        with pytest.raises(KeyProviderError, match='database "nowhere" does not exist'):
            await rings.load("default")
