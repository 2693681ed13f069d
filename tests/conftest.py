"""What every test runs under: asyncio, and no blocking call on the event loop."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

pytest_plugins = ["tests.support.fixtures"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call of ours inside the event loop fails the test."""
    with blockbuster_ctx("mintkey") as blockbuster:
        yield blockbuster


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values get their argument's name as an id: keys drawn at random must be the same test in every worker."""
    return argname if isinstance(val, str | bytes) and len(val) > 24 else None
