"""A store that cannot be opened is not closed by anybody, so it leaves nothing open."""

import pytest

from mintkey.errors import ReplayStoreError
from mintkey.replay.redis import RedisReplayStore
from tests.support.polling import until
from tests.support.servers import RedisServer


def connections(server: RedisServer) -> list[str]:
    """Those to the server, but for the one that asks."""
    return [line for line in server.command("CLIENT", "LIST").splitlines() if "cmd=client" not in line]


async def test_a_failed_opening_leaves_no_connection_open(own_valkey: RedisServer) -> None:
    own_valkey.command("CONFIG", "SET", "maxmemory", "1")

    async def none_stays() -> bool:
        return connections(own_valkey) == []

    store = RedisReplayStore(own_valkey.url)
    with pytest.raises(ReplayStoreError, match="OOM"):
        await store.__aenter__()
    await until(none_stays)
    own_valkey.command("CONFIG", "SET", "maxmemory", "0")
    async with store:
        assert len(connections(own_valkey)) == 1
