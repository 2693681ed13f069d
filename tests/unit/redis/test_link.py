"""A backend's connections, and who closes them."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from mintkey.ids import new_id
from mintkey.replay.redis import RedisReplayStore
from tests.support.polling import until
from tests.support.servers import RedisServer

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("calls", [1, 200])
async def test_who_is_cancelled_leaves_no_connection_open(valkey: RedisServer, calls: int) -> None:
    """A cancel scope cancels everything that is awaited in it, closing as well."""
    async with anyio.create_task_group() as group, RedisReplayStore(valkey.url) as store:
        async with anyio.create_task_group() as claims:
            for _ in range(calls):
                claims.start_soon(claim, store)
        assert len(connections(valkey)) > 0
        group.start_soon(claim, store)  # its answer is on the way
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    async def are_gone() -> bool:
        return connections(valkey) == []

    await until(are_gone, patience=10)


async def claim(store: RedisReplayStore) -> None:
    await store.claim(new_id(), owner=new_id(), issued_at=LATER, expires_at=LATER + timedelta(minutes=1))


def connections(valkey: RedisServer) -> list[str]:
    """Those to the server, but for the one that asks."""
    return [line for line in valkey.command("CLIENT", "LIST").splitlines() if "cmd=client" not in line]
