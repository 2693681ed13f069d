"""A store that cannot be opened is not closed by anybody, so it leaves nothing open."""

from datetime import timedelta

import pytest

from mintkey.errors import KeyProviderError, ReplayStoreError
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.database import Database
from mintkey.sql.schema import RINGS
from tests.support.polling import until
from tests.support.postgres import PostgresDatabase
from tests.support.sql_workers import claim

STAYING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'opening'"


async def test_a_failed_opening_leaves_no_connection_open(postgres: PostgresDatabase) -> None:
    async with SQLReplayStore(postgres.url) as store:  # makes the tables
        assert await claim(store, "before") is ClaimOutcome.ACCEPTED
    await postgres.send(f"ALTER DATABASE {postgres.name} SET default_transaction_read_only = on")

    async def none_stays() -> bool:
        return await postgres.send(STAYING) == ["0"]

    store = SQLReplayStore(f"{postgres.url}?application_name=opening")
    with pytest.raises(ReplayStoreError, match="read-only"):
        await store.__aenter__()
    await until(none_stays)
    await postgres.server.send(f"ALTER DATABASE {postgres.name} RESET default_transaction_read_only")
    async with store:
        assert await claim(store, "before") is ClaimOutcome.SPENT


async def test_what_is_in_memory_is_not_forgotten_by_it() -> None:
    """Somebody may have been using it without an opening."""

    def failure(message: str, /, *, may_have_happened: bool) -> KeyProviderError:
        return KeyProviderError(message, details={"may_have_happened": may_have_happened})

    async def make(connection, requests):
        await connection.exec_driver_sql("CREATE TABLE kept (one INTEGER)")
        return requests

    async def look(connection, requests):
        (await connection.exec_driver_sql("SELECT * FROM kept")).all()
        return requests

    database = Database("sqlite://", tables=(RINGS,), timeout=timedelta(seconds=30), failure=failure)
    assert await database.write(make, 1) == 1
    await database.give_up()
    assert await database.read(look, 2) == 2
    await database.close()
    with pytest.raises(KeyProviderError, match="no such table"):
        await database.read(look, 3)
    await database.close()
