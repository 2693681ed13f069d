"""One token for many callers."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import anyio
import pytest

from mintkey.errors import TokenEndpointError
from mintkey.oauth.token_cache import TokenCache
from mintkey.testing import FakeClock
from tests.support.polling import until
from tests.support.token_source import Source

AWAY = TokenEndpointError("away")


class Held:
    """A cache with all that a test needs around it: tokens live for an hour and are due a minute before its end."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.source = Source()
        self.cache = TokenCache(self.source, clock=self.clock, margin=timedelta(seconds=60), closed=TokenEndpointError)

    async def at(self, seconds: float) -> None:
        """Get the first token, and let time pass."""
        assert await self.cache.token() == "token-1"
        self.clock.advance(timedelta(seconds=seconds))

    async def renewed(self) -> None:
        async def is_there() -> bool:
            return self.cache._lease is not None and self.cache._lease.token == "token-2"

        await until(is_there)


@pytest.fixture
def held() -> Held:
    return Held()


def at_once(work: Coroutine[Any, Any, str]) -> str:
    """What it returns, if it does not wait for anything at all."""
    with pytest.raises(StopIteration) as done:
        work.send(None)
    returned: str = done.value.value
    return returned


async def together(held: Held, callers: int = 50) -> list[str]:
    return await asyncio.gather(*(held.cache.token() for _ in range(callers)))


async def test_fifty_callers_cause_one_request(held: Held) -> None:
    assert await together(held) == ["token-1"] * 50
    assert held.source.count == 1


async def test_it_is_kept_until_shortly_before_the_margin(held: Held) -> None:
    await held.at(3509)
    assert await together(held) == ["token-1"] * 50
    assert held.source.count == 1


async def test_then_it_is_renewed_behind_the_callers(held: Held) -> None:
    await held.at(3510)
    held.source.gate.clear()
    assert [at_once(held.cache.token()) for _ in range(50)] == ["token-1"] * 50
    held.source.gate.set()
    await held.renewed()
    assert await held.cache.token() == "token-2"
    assert held.source.count == 2


async def test_within_the_margin_callers_get_the_new_one(held: Held) -> None:
    await held.at(3541)
    assert await together(held) == ["token-2"] * 50
    assert held.source.count == 2


async def test_but_they_do_not_wait_for_one_that_does_not_come(held: Held) -> None:
    await held.at(3541)
    held.source.gate.clear()
    assert await held.cache.token() == "token-1"  # after half a second
    assert [at_once(held.cache.token()) for _ in range(50)] == ["token-1"] * 50
    assert held.source.count == 2
    held.source.gate.set()
    await held.renewed()
    assert await held.cache.token() == "token-2"


async def test_a_source_that_is_down_is_not_noticed_while_the_token_is_good(held: Held) -> None:
    await held.at(3541)
    held.source.error = AWAY
    for _ in range(11):
        assert await together(held) == ["token-1"] * 50
        held.clock.advance(timedelta(seconds=5))
    assert held.source.count < 15  # a try every five seconds, not for every caller


async def test_when_it_is_back_the_new_token_comes_behind_the_callers(held: Held) -> None:
    await held.at(3541)
    held.source.error = AWAY
    assert await held.cache.token() == "token-1"
    held.source.error = None
    assert await held.cache.token() == "token-1"  # too soon for another try
    assert held.source.count == 2
    held.clock.advance(timedelta(seconds=5))
    assert await held.cache.token() == "token-1"  # begins it, and does not wait: it may fail again

    async def is_there() -> bool:
        return await held.cache.token() == "token-3"

    await until(is_there)
    assert held.source.count == 3


async def test_an_expired_token_is_not_given_out(held: Held) -> None:
    await held.at(3600)
    held.source.error = AWAY
    with pytest.raises(TokenEndpointError, match="away"):
        await held.cache.token()
    held.source.error = None
    assert await held.cache.token() == "token-3"


async def test_the_first_token_that_cannot_be_had_is_everybodys_error(held: Held) -> None:
    held.source.error = AWAY
    results = await asyncio.gather(*(held.cache.token() for _ in range(50)), return_exceptions=True)
    assert results == [AWAY] * 50
    assert held.source.count == 1


async def test_a_source_that_keeps_failing_is_not_asked_for_every_caller(held: Held) -> None:
    held.source.error = AWAY
    for _ in range(20):
        with pytest.raises(TokenEndpointError, match="away"):
            await held.cache.token()
    assert held.source.count == 3
    held.clock.advance(timedelta(seconds=1))
    held.source.error = None
    assert await held.cache.token() == "token-4"


async def test_however_long_the_answer_takes_the_token_is_not_younger(held: Held) -> None:
    held.source.gate.clear()
    first = asyncio.create_task(held.cache.token())
    await anyio.wait_all_tasks_blocked()
    held.clock.advance(timedelta(seconds=30))
    held.source.gate.set()
    await first
    held.clock.advance(timedelta(seconds=3570))
    assert await held.cache.token() == "token-2"


async def test_an_invalidated_token_is_not_given_out(held: Held) -> None:
    await held.at(0)
    held.cache.invalidate()
    assert await together(held) == ["token-2"] * 50


async def test_a_replacement_is_got_once_for_all_who_were_refused(held: Held) -> None:
    await held.at(0)
    assert await asyncio.gather(*(held.cache.replacement("token-1") for _ in range(50))) == ["token-2"] * 50
    assert await held.cache.replacement("token-1") == "token-2"  # refused long ago
    assert held.source.count == 2


async def test_a_refused_token_is_kept_while_there_is_no_other(held: Held) -> None:
    """Somebody who refuses everything must not take it from the others during an outage."""
    await held.at(0)
    held.source.error = AWAY
    with pytest.raises(TokenEndpointError, match="away"):
        await held.cache.replacement("token-1")
    assert await held.cache.token() == "token-1"


async def test_an_expired_replacement_is_none(held: Held) -> None:
    await held.at(3600)
    assert await held.cache.replacement("token-0") == "token-2"


async def test_a_cancelled_caller_leaves_the_request_to_the_others(held: Held) -> None:
    held.source.gate.clear()
    with anyio.move_on_after(0):
        await held.cache.token()
    held.source.gate.set()
    assert await held.cache.token() == "token-1"
    assert held.source.count == 1


async def test_closing_tells_those_who_wait(held: Held) -> None:
    held.source.gate.clear()
    waiting = asyncio.create_task(held.cache.token())
    await anyio.wait_all_tasks_blocked()
    await held.cache.aclose()
    with pytest.raises(TokenEndpointError, match="closed") as raised:
        await waiting
    assert raised.value.reason == "token_endpoint_unavailable"
    held.source.gate.set()
    assert await held.cache.token() == "token-2"


async def test_closing_while_a_good_token_is_renewed_disturbs_nobody(held: Held) -> None:
    await held.at(3541)
    held.source.gate.clear()
    waiting = asyncio.create_task(held.cache.token())
    await anyio.wait_all_tasks_blocked()
    await held.cache.aclose()
    assert await waiting == "token-1"
