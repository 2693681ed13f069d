"""Whatever a backend does, one kind of error comes out."""

import anyio
import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.keys.answers import answer_of


async def raising(error: Exception) -> int:
    raise error


async def test_an_answer_is_an_answer() -> None:
    async def answer() -> int:
        return 7

    assert await answer_of(answer(), task="count") == 7


@pytest.mark.parametrize("error", [OSError("redis://secret@host"), ValueError(), TimeoutError()])
async def test_a_driver_error_is_ours(error: Exception) -> None:
    with pytest.raises(KeyProviderError, match=f"^could not load ring 'r': {type(error).__name__}$") as raised:
        await answer_of(raising(error), task="load ring 'r'")
    assert raised.value.__cause__ is error
    assert raised.value.reason is Reason.KEYS_UNAVAILABLE


@pytest.mark.parametrize("error", [ConfigurationError("wrong"), KeyProviderError("away")])
async def test_an_error_of_ours_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        await answer_of(raising(error), task="count")
    assert raised.value is error


async def test_who_hangs_is_away() -> None:
    with pytest.raises(KeyProviderError, match="TimeoutError"):
        await answer_of(anyio.sleep_forever(), task="count", deadline=0.01)


async def test_a_cancelled_caller_is_cancelled() -> None:
    with anyio.move_on_after(0.01) as scope:
        await answer_of(anyio.sleep_forever(), task="count", deadline=60)
    assert scope.cancelled_caught
