"""Servers as fixtures. Each worker of a parallel run has its own; a test gets one that is empty."""

from collections.abc import Iterator

import pytest

from tests.support.servers import RedisServer, running


@pytest.fixture(scope="session")
def valkey_session() -> Iterator[RedisServer]:
    with running("valkey") as server:
        yield server


@pytest.fixture(scope="session")
def debian_redis_session() -> Iterator[RedisServer]:
    with running("redis") as server:
        yield server


@pytest.fixture
def valkey(valkey_session: RedisServer) -> RedisServer:
    """The Valkey server that comes with the test dependencies, empty."""
    valkey_session.command("FLUSHALL")
    return valkey_session


@pytest.fixture
def debian_redis(debian_redis_session: RedisServer) -> RedisServer:
    """The distribution's Redis server, empty."""
    debian_redis_session.command("FLUSHALL")
    return debian_redis_session


@pytest.fixture
def own_valkey() -> Iterator[RedisServer]:
    """A server that the test may kill, freeze and restart."""
    with running("valkey") as server:
        yield server
