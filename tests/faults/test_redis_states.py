"""Every call to a Redis server that is not itself: refused, or in doubt, and told so; then all is well again."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults.ground import redis_stores
from tests.faults.matrix import cells
from tests.faults.plays import LONG, while_in_state
from tests.faults.redis_states import STATES, WAITED_OUT, keeping
from tests.support.servers import RedisServer, running

SHORT = 0.4


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running("valkey", *keeping) as server:
        yield server


@pytest.mark.parametrize(("name", "state"), cells("redis", STATES))
async def test_a_call_is_told_what_happened_to_it(server: RedisServer, state: str, name: str) -> None:
    being_so, may_be = STATES[state]
    connect = partial(redis_stores, server.url)
    patience = SHORT if state in WAITED_OUT else LONG
    await while_in_state("redis", connect, name, being_so(server), may_be, patience=patience)
