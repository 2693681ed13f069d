"""Servers as fixtures. Each worker of a parallel run has its own; a test gets one that is empty."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mintkey.http.httpx import HttpxTransport
from tests.support.http_server import HttpServer
from tests.support.postgres import PostgresDatabase, PostgresServer, running_postgres
from tests.support.redis_groups import RedisCluster, WatchedRedis, clustered, watched
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


@pytest.fixture(scope="session")
def redis_cluster_session() -> Iterator[RedisCluster]:
    with clustered() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_sentinel_session() -> Iterator[WatchedRedis]:
    with watched() as servers:
        yield servers


@pytest.fixture
def redis_cluster(redis_cluster_session: RedisCluster) -> RedisCluster:
    """Three masters without replicas, empty."""
    redis_cluster_session.flush()
    return redis_cluster_session


@pytest.fixture
def redis_sentinel(redis_sentinel_session: WatchedRedis) -> WatchedRedis:
    """A master with two replicas behind three sentinels, empty."""
    redis_sentinel_session.flush()
    return redis_sentinel_session


@pytest.fixture
def own_valkey() -> Iterator[RedisServer]:
    """A server that the test may kill, freeze and restart."""
    with running("valkey") as server:
        yield server


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """Where a database may be; there is none yet."""
    return tmp_path / "mintkey.db"


@pytest.fixture(scope="session")
def postgres_session() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_session: PostgresServer) -> Iterator[PostgresDatabase]:
    """A new database on the PostgreSQL that comes with the test dependencies."""
    name = postgres_session.create()
    yield PostgresDatabase(postgres_session, name)
    postgres_session.drop(name)


@pytest.fixture
def own_postgres() -> Iterator[PostgresDatabase]:
    """A database on a server that the test may kill, freeze and restart."""
    with running_postgres() as server:
        yield PostgresDatabase(server, server.create())


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    """An HTTP server on loopback that answers as the test tells it to."""
    async with HttpServer() as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[HttpxTransport]:
    """What sends requests to it."""
    transport = HttpxTransport()
    yield transport
    await transport.aclose()
