"""The pytest plugin: fixtures for services that mint and verify, installed with the package.

`mintkey_clock` stands still until a test advances it; `mintkey_tokens` is a whole service in memory on that clock.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mintkey import TokenService
    from mintkey.testing.clock import FakeClock

__all__ = ["mintkey_clock", "mintkey_tokens"]

# A broken promise is shown with its values, as in the tests of whoever runs a contract suite.
pytest.register_assert_rewrite("mintkey.testing.contracts")


@pytest.fixture
def mintkey_clock() -> "FakeClock":
    """A clock that a test moves by hand."""
    # Imported on demand: a plugin is loaded by every pytest run of everybody who has the package installed.
    from mintkey.testing.clock import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def mintkey_tokens(mintkey_clock: "FakeClock") -> "TokenService":
    """A service in memory, issuer `https://issuer.test`, on `mintkey_clock`."""
    from mintkey import TokenService  # noqa: PLC0415
    from mintkey.keys import MemoryKeyProvider  # noqa: PLC0415
    from mintkey.replay import MemoryReplayStore  # noqa: PLC0415

    return TokenService(
        issuer="https://issuer.test",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
    )
