"""The `speed` extra in tests: switched off, or required."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mintkey import speed
from mintkey.jose import sodium

# Modules are read from files, which blocks: now, and not in the middle of a test.
AT_WORK = sodium.is_used() and speed.json_loads() is not None
EXPECTED = "speed" in os.environ.get("TEST_EXTRAS", "").split()


def require_speed() -> None:
    """Skip the test (or the module) where the extra is not at work; fail where the session says it is installed."""
    if not AT_WORK:
        reason = "PyNaCl or orjson is not installed, or not used (pip install 'mintkey[speed]')"
        if EXPECTED:
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)


@contextmanager
def without_speed() -> Iterator[None]:
    """Keys prepared and JSON read within the block do without the extra, installed or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "imported", lambda module: None)
        yield


# For a whole module: hypothesis runs many examples within one test, and wants nothing new for each.
@pytest.fixture(scope="module", params=["plain", "speed"] if AT_WORK or EXPECTED else ["plain"])
def with_and_without_speed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test runs on the standard library and OpenSSL alone, and with the `speed` extra where that is installed."""
    if request.param == "speed":
        require_speed()
        yield
    else:
        with without_speed():
            yield
