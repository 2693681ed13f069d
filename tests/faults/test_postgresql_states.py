"""Every call to a PostgreSQL server that is not itself: refused, or in doubt, and told so; then all is well again."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults.ground import sql_stores
from tests.faults.matrix import cells
from tests.faults.plays import LONG, while_in_state
from tests.faults.postgresql_states import STATES, WAITED_OUT
from tests.support.postgres import PostgresDatabase, running_postgres

SHORT = 0.7


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresDatabase]:
    with running_postgres() as server:
        yield PostgresDatabase(server, server.create())


@pytest.mark.parametrize(("name", "state"), cells("postgresql", STATES))
async def test_a_call_is_told_what_happened_to_it(database: PostgresDatabase, state: str, name: str) -> None:
    being_so, may_be = STATES[state]
    connect = partial(sql_stores, database.url)
    patience = SHORT if state in WAITED_OUT else LONG
    await while_in_state("postgresql", connect, name, being_so(database), may_be, patience=patience)
