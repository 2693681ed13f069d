"""The pytest plugin: fixtures for services that mint and verify, installed with the package.

`mintkey_clock` stands still at the present until a test advances it; `mintkey_tokens` is a whole service in memory on
that clock.
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
    """A clock that a test moves by hand; it begins at the present.

    So what looks at the machine's clock agrees with the tokens: a cookie's `Max-Age`, the `expires_in` of an answer.

    Example:
        ```python
        async def test_a_link_is_good_for_ten_minutes(mintkey_tokens, mintkey_clock):
            token = await mintkey_tokens.mint(LOGIN, subject="20")
            mintkey_clock.advance(timedelta(minutes=11))
            with pytest.raises(ExpiredTokenError):
                await mintkey_tokens.verify(token, LOGIN)
        ```
    """
    # Imported on demand: a plugin is loaded by every pytest run of everybody who has the package installed.
    from mintkey.clock import SystemClock, from_timestamp  # noqa: PLC0415
    from mintkey.testing.clock import FakeClock  # noqa: PLC0415

    return FakeClock(from_timestamp(int(SystemClock().time())))


@pytest.fixture
def mintkey_tokens(mintkey_clock: "FakeClock") -> "TokenService":
    """A service in memory, issuer `https://issuer.test`, on `mintkey_clock`.

    Example:
        ```python
        async def test_a_link_works_once(mintkey_tokens):
            token = await mintkey_tokens.mint(LOGIN, subject="20")
            assert (await mintkey_tokens.verify(token, LOGIN)).subject == "20"
            with pytest.raises(TokenReplayedError):
                await mintkey_tokens.verify(token, LOGIN)
        ```
    """
    from mintkey import TokenService  # noqa: PLC0415
    from mintkey.keys import MemoryKeyProvider  # noqa: PLC0415
    from mintkey.replay import MemoryReplayStore  # noqa: PLC0415

    return TokenService(
        issuer="https://issuer.test",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
    )
