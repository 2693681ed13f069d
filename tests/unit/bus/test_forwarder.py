"""What hooks hear is published: in order, once each, over outages, and only what is worth it."""

import asyncio

import pytest

from mintkey.bus import Forwarder, Trouble
from mintkey.errors import ConfigurationError, EventBusError
from mintkey.events import Event, KeyRevoked, Minted, ReuseDetected, Revoked, Rotated
from tests.support.buses import Numbered

URGENT = [
    Revoked(purpose="access", what="token"),
    ReuseDetected(purpose="refresh"),
    Rotated(ring="default", key_id="k2", previous_key_id="k1", is_own=True),
    KeyRevoked(ring="default", key_id="k1", is_own=True),
]


class Bus:
    """Takes events, or does not."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.ids: list[str] = []
        self.failures = 0
        self.told: list[tuple[Trouble, int]] = []
        self.is_away = False

    async def publish(self, event: Event, /, *, event_id: str) -> str:
        await asyncio.sleep(0)
        self.ids.append(event_id)
        if self.failures or self.is_away:
            self.failures -= 1
            raise EventBusError("away")
        if isinstance(event, Numbered):
            raise ConfigurationError("no type of this bus")
        self.taken.append(event)
        return event_id

    def tell(self, trouble: Trouble, /, *, count: int = 1) -> None:
        self.told.append((trouble, count))


@pytest.fixture
def bus() -> Bus:
    return Bus()


def forwarder_to(bus: Bus, **settings: object) -> Forwarder:
    return Forwarder(bus, **settings)  # type: ignore[arg-type]  # a stand-in


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def at_once(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("mintkey.bus.forwarder.asyncio.sleep", at_once)
    return slept


async def test_revocations_and_changes_of_keys_are_published_in_order(bus: Bus) -> None:
    async with forwarder_to(bus) as forwarder:
        for event in URGENT:
            forwarder(event)
    assert bus.taken == URGENT
    assert len(set(bus.ids)) == len(URGENT)


async def test_what_is_everyday_or_what_others_did_is_not(bus: Bus) -> None:
    async with forwarder_to(bus) as forwarder:
        forwarder(Minted(purpose="access", key_id="k1"))
        forwarder(KeyRevoked(ring="default", key_id="k1", is_own=False))
    assert bus.ids == []


async def test_other_types_may_be_asked_for(bus: Bus) -> None:
    async with forwarder_to(bus, only=[Minted]) as forwarder:
        forwarder(Minted(purpose="access", key_id="k1"))
        forwarder(URGENT[0])
    assert bus.taken == [Minted(purpose="access", key_id="k1")]


async def test_an_outage_is_waited_for_under_the_same_id(bus: Bus, pauses: list[float]) -> None:
    bus.failures = 9
    async with forwarder_to(bus) as forwarder:
        forwarder(URGENT[0])
        forwarder(URGENT[1])
    assert bus.taken == URGENT[:2]
    assert len(bus.ids) == 11
    assert len(set(bus.ids)) == 2
    assert [pause for pause in pauses if pause] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


async def test_what_no_bus_takes_is_dropped_and_told(bus: Bus) -> None:
    async with forwarder_to(bus, only=[Event]) as forwarder:
        forwarder(Numbered(purpose="test", number=1))
        forwarder(URGENT[0])
    assert bus.taken == URGENT[:1]
    assert bus.told == [(Trouble.OVERFLOW, 1)]


async def test_more_than_fit_are_dropped_and_told(bus: Bus) -> None:
    async with forwarder_to(bus, capacity=2) as forwarder:
        for event in URGENT:
            forwarder(event)
    assert bus.taken == URGENT[:2]
    assert bus.told == [(Trouble.OVERFLOW, 1)] * 2


async def test_what_is_left_when_it_is_closed_is_told(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mintkey.bus.forwarder._PARTING_SECONDS", 0.01)
    bus.is_away = True
    forwarder = forwarder_to(bus)
    forwarder(URGENT[0])
    forwarder(URGENT[1])
    await forwarder.aclose()
    assert bus.told == [(Trouble.OVERFLOW, 2)]
    await forwarder.aclose()
    assert len(bus.told) == 1


def test_a_capacity_of_none_is_a_mistake(bus: Bus) -> None:
    with pytest.raises(ConfigurationError, match="capacity must be at least 1"):
        forwarder_to(bus, capacity=0)
