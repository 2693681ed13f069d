"""Outages are survived, mistakes are not: which is which, and how long until the next try."""

import asyncio

import pytest

from mintkey.bus import BusNotice, Trouble
from mintkey.bus.notices import Teller
from mintkey.bus.patience import Progress, go_on
from mintkey.redis.errors import RedisCallError


class Sessions:
    """Ends one session after the other as it is told to; the last one is cancelled."""

    def __init__(self, *ends: str) -> None:
        self.ends = list(ends)

    async def __call__(self, progress: Progress) -> None:
        if not self.ends:
            raise asyncio.CancelledError
        end = self.ends.pop(0)
        if end == "works":
            progress.works()
            end = "connection"
        raise RedisCallError("no", code=end, may_have_run=False)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("mintkey.bus.patience.asyncio.sleep", sleep)
    return slept


@pytest.fixture
def told() -> list[BusNotice]:
    return []


async def run(told: list[BusNotice], *ends: str) -> None:
    with pytest.raises(asyncio.CancelledError):
        await go_on(Sessions(*ends), Teller("events", [told.append]), group="billing")


async def test_pauses_grow_and_begin_anew_once_it_works(told: list[BusNotice], pauses: list[float]) -> None:
    await run(told, "connection", "connection", "timeout", "works", "connection")
    assert pauses == [0.05, 0.1, 0.2, 0.05, 0.1]


async def test_no_pause_is_longer_than_two_seconds(told: list[BusNotice], pauses: list[float]) -> None:
    await run(told, *["connection"] * 2000)
    assert max(pauses) == 2.0


async def test_an_outage_is_told_once_and_a_replaced_connection_is_none(
    told: list[BusNotice], pauses: list[float]
) -> None:
    await run(told, "works", "works", "connection", "connection", "connection", "works", "READONLY")
    assert [(notice.trouble, notice.group) for notice in told] == [(Trouble.DEGRADED, "billing")] * 2


@pytest.mark.parametrize("code", ["NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "ERR"])
async def test_a_mistake_is_told_at_the_beginning_and_survived_later(
    told: list[BusNotice], pauses: list[float], code: str
) -> None:
    with pytest.raises(RedisCallError) as caught:
        await go_on(Sessions("connection", code), Teller("events", ()), group="")
    assert caught.value.code == code
    await run(told, "works", code, code)
