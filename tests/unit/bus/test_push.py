"""What is heard is acted on: caches forget, rings are looked at, and nothing that goes wrong ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
import pytest

from mintkey.bus import Delivered, Push, Trouble
from mintkey.errors import EventBusError, KeyProviderError
from mintkey.events import Event, KeyRevoked, ReuseDetected, Revoked

NOW = datetime.now(UTC)
REVOKED = Revoked(purpose="access", what="token")
KEY_REVOKED = KeyRevoked(ring="default", key_id="k1", is_own=True)


class Bus:
    """Hands over what it is told to."""

    def __init__(self, *refusals: EventBusError) -> None:
        self.refusals = list(refusals)
        self.told: list[Trouble] = []
        self.hand_over: Callable[[Event], Awaitable[object]]
        self.missed: Callable[[], Awaitable[object]]
        self.listening = anyio.Event()

    async def listen(
        self,
        handler: Callable[[Delivered], Awaitable[object]],
        /,
        *,
        missed: Callable[[], Awaitable[object]],
        only: tuple[type[Event], ...],
    ) -> None:
        if self.refusals:
            raise self.refusals.pop()

        async def hand_over(event: Event) -> None:
            assert isinstance(event, only)
            await handler(Delivered(id="an-id", event=event, published_at=NOW))

        self.hand_over, self.missed = hand_over, missed
        self.listening.set()
        await anyio.sleep_forever()

    def tell(self, trouble: Trouble, /) -> None:
        self.told.append(trouble)


class Part:
    """A cache and a ring."""

    def __init__(self, *, broken: bool = False) -> None:
        self.forgotten = self.looked = 0
        self.broken = broken

    def forget(self) -> None:
        self.forgotten += 1

    async def versions(self) -> list[object]:
        self.looked += 1
        if self.broken:
            raise KeyProviderError("away")
        return []


def push_of(bus: Bus, *parts: Part) -> Push:
    return Push(bus, rings=parts, caches=parts)  # type: ignore[arg-type]  # stand-ins


async def test_a_revocation_is_forgotten_about_and_a_change_of_keys_looked_at() -> None:
    bus, one, two = Bus(), Part(), Part(broken=True)
    async with push_of(bus, two, one):
        await bus.listening.wait()
        for event in (REVOKED, ReuseDetected(purpose="refresh"), KEY_REVOKED):
            await bus.hand_over(event)
        assert (one.forgotten, one.looked) == (two.forgotten, two.looked) == (2, 1)
        await bus.missed()
        assert (one.forgotten, one.looked) == (3, 2)


async def test_a_server_that_does_not_let_us_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mintkey.bus.push._PAUSE", 0)
    bus = Bus(EventBusError("no"), EventBusError("no"))
    async with push_of(bus):
        await bus.listening.wait()
    assert bus.told == [Trouble.DEGRADED] * 2


async def test_nothing_listens_any_more_once_it_is_left() -> None:
    bus, before = Bus(), asyncio.all_tasks()
    async with push_of(bus):
        await bus.listening.wait()
        assert len(asyncio.all_tasks()) == len(before) + 1
    assert asyncio.all_tasks() == before
