"""What every test runs under: asyncio, and no blocking call on the event loop."""

from collections.abc import Iterator

import aiosqlite
import asyncpg  # type: ignore[import-untyped]  # it has no types
import httpx2
import pytest
import sqlalchemy.dialects.postgresql.asyncpg
import sqlalchemy.dialects.sqlite.aiosqlite
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.fixtures", "tests.support.speed"]

# Whatever else the machine does: an example may take its time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Drivers are imported when an engine is made, httpx2 when a transport is; reading modules inside a test would count as
# blocking.
DRIVERS = (aiosqlite, asyncpg, httpx2, sqlalchemy.dialects.postgresql.asyncpg, sqlalchemy.dialects.sqlite.aiosqlite)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call of ours inside the event loop fails the test."""
    with blockbuster_ctx("mintkey") as blockbuster:
        # The tracer meets a file first in whatever thread gets there, and the other one waits for a moment. That lock
        # is coverage's, not ours.
        blockbuster.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", {"lock_data"})
        # asyncpg looks whether it has files with passwords and certificates whenever it connects.
        for function in ("os.stat", "os.path.abspath"):
            blockbuster.functions[function].can_block_in("asyncpg/connect_utils.py", {"_parse_connect_dsn_and_args"})
        yield blockbuster


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values get their argument's name as an id: keys drawn at random must be the same test in every worker."""
    return argname if isinstance(val, str | bytes) and len(val) > 24 else None
