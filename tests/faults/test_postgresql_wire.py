"""Every call to PostgreSQL, with every mishap to every exchange of it: callers are told the truth, one wins."""

import pytest

from tests.faults.matrix import cells
from tests.faults.plays import over_postgresql
from tests.faults.wire import Mishap
from tests.support.postgres import PostgresDatabase


@pytest.mark.parametrize(("name", "mishap"), cells("postgresql", Mishap))
async def test_a_call_is_told_what_happened_to_it(postgres: PostgresDatabase, name: str, mishap: Mishap) -> None:
    """At the beginning of the transaction, at any statement, at the commit."""
    assert len(await over_postgresql(postgres, name, mishap)) > 2
