"""What others commit between two statements of a claim: a rightful first use is told so all the same."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.ledger import Ledger
from tests.faults.ground import Ground, opened, sql_stores
from tests.faults.paths import claim
from tests.support.postgres import PostgresDatabase

PATIENCE = 30.0

Between = Callable[[Callable[[], Any]], None]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Has something done between the next claim's statement and the look at what came of it."""

    def do_between(work: Callable[[], Any]) -> None:
        look, left = Ledger._rows, [work]

        async def work_and_look(ledger: Ledger, connection: AsyncConnection, requests: Iterable[Any]) -> Any:
            if left:
                await left.pop()()
            return await look(ledger, connection, requests)

        monkeypatch.setattr(Ledger, "_rows", work_and_look)

    return do_between


async def test_whose_memory_begins_meanwhile_is_as_good_as_ours(postgres: PostgresDatabase, between: Between) -> None:
    """Two processes come to a new database at once: both have a first use."""
    sure, other = sql_stores(postgres.url, PATIENCE), SQLReplayStore(postgres.url)
    async with opened(sure):
        await sure.rings.load("the tables are there")
        ground = Ground(sure, sure)

        async def begin() -> None:
            async with other:
                pass

        between(begin)
        assert await claim(ground) is ClaimOutcome.ACCEPTED
        assert await claim(ground) is ClaimOutcome.SPENT


async def test_a_token_from_before_the_memory_stays_unprovable(postgres: PostgresDatabase) -> None:
    sure = sql_stores(postgres.url, PATIENCE)
    async with opened(sure):
        ground = Ground(sure, sure)
        ground.issued_at -= timedelta(hours=1)
        assert await claim(ground) is ClaimOutcome.UNPROVABLE
