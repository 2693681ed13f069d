"""The guide to the bus runs against a real server, and its tables are those of the code."""

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mintkey import Purpose, TokenRevokedError
from mintkey.bus import Delivered, EventBus, Forwarder, Trouble
from mintkey.events import Event, Minted
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.support.buses import EVENTUALLY, Ear, eventually, running
from tests.support.polling import until
from tests.support.servers import RedisServer

PAGE = Page("how-to/bus")
ACCESS = Purpose("access", lifetime=timedelta(minutes=5), revocable=True)
KEY, BUS_KEY = Sealer.generate_key(), Sealer.generate_key()


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shipping.db'}")
    async with engine.begin() as transaction:
        await transaction.execute(text("CREATE TABLE handled (id TEXT PRIMARY KEY)"))
        await transaction.execute(text("CREATE TABLE shipments (order_id TEXT)"))
    yield engine
    await engine.dispose()


async def shipped(engine: AsyncEngine) -> list[str]:
    async with engine.begin() as transaction:
        found = await transaction.execute(text("SELECT order_id FROM shipments ORDER BY order_id"))
        return [order for (order,) in found]


# Acting at once


async def test_what_one_process_revokes_the_other_refuses_long_before_its_cache_would(
    guide: SimpleNamespace, valkey: RedisServer
) -> None:
    async with (
        guide.service(valkey.url, KEY, BUS_KEY) as here,
        guide.service(valkey.url, KEY, BUS_KEY) as there,
    ):
        token = await here.mint(ACCESS, subject="20")
        await there.verify(token, ACCESS)
        await here.revoke(token, ACCESS)

        async def is_refused() -> bool:
            try:
                await there.verify(token, ACCESS)
            except TokenRevokedError:
                return True
            return False

        with anyio.fail_after(20):  # the cache would say "not revoked" for thirty seconds
            await until(is_refused)


# Events of your own


async def test_each_order_is_shipped_once_though_it_is_paid_and_told_twice(
    guide: SimpleNamespace, valkey: RedisServer, engine: AsyncEngine
) -> None:
    async with guide.bus_of(valkey.url, BUS_KEY) as bus:
        await guide.paid(bus, "7", 1200)
        await guide.paid(bus, "7", 1200)  # nobody knew whether the first one got there
        await guide.paid(bus, "8", 900)
        async with running(guide.shipping(bus, engine)), running(guide.shipping(bus, engine)):

            async def is_done() -> bool:
                return [(one.pending, one.behind) for one in await bus.groups()] == [(0, 0)]

            await until(is_done)
        assert await shipped(engine) == ["7", "8"]

        # Two minutes later the bus has forgotten the id, and the handler has not.
        await bus.publish(guide.OrderPaid(purpose="payment", order="7", cents=1200))
        again = Ear()
        async with running(bus.consume(again, group="curious")):
            await again.until(3)
        assert [one.event.order for one in again.heard if isinstance(one.event, guide.OrderPaid)] == ["7", "8", "7"]


async def test_a_handler_that_gets_an_event_twice_does_its_work_once(
    guide: SimpleNamespace, valkey: RedisServer, engine: AsyncEngine
) -> None:
    """The page's handler, given to a bus of ours: what a worker does is between the two."""
    given: list[object] = []

    class Capturing:
        async def consume(self, handler: object, **_: object) -> None:
            given.append(handler)

    await guide.shipping(Capturing(), engine)
    (handle,) = given
    assert callable(handle)
    ear = Ear()
    async with guide.bus_of(valkey.url, BUS_KEY) as bus:
        await guide.paid(bus, "7", 1200)
        async with running(bus.consume(ear, group="once")):
            await ear.until(1)
    for _ in range(2):
        await handle(ear.heard[0])
    assert await shipped(engine) == ["7"]
    assert ear.heard[0].id == "paid-7"


def test_the_settings_that_the_page_names_are_the_defaults() -> None:
    consume = inspect.signature(EventBus.consume).parameters
    assert consume["handler_timeout"].default == timedelta(seconds=30)
    assert consume["max_deliveries"].default == 20
    assert consume["start"].default == "oldest"
    assert inspect.signature(EventBus).parameters["max_length"].default == 100_000
    assert inspect.signature(Forwarder).parameters["capacity"].default == 10_000


# How long the stream is


def test_the_lengths_in_the_table_are_those_of_the_function(guide: SimpleNamespace) -> None:
    rows = [row for row in PAGE.rows("How long the stream is") if row[0].isdecimal()]
    assert len(rows) == 3
    for rate, absence, length, memory in rows:
        kept = guide.length_for(int(rate), timedelta(hours=int(absence.removesuffix(" h"))))
        assert length == f"{kept:,}"
        megabytes = int(memory.removesuffix(" MB"))
        assert 0.8 <= megabytes / (kept * 290 / 1e6) <= 1.2


async def test_an_event_of_ours_takes_as_many_bytes_as_the_page_says(valkey: RedisServer) -> None:
    async with EventBus(valkey.url, sealer=Sealer([BUS_KEY])) as bus:
        event = Minted(purpose="access", key_id="k" * 43)
        await asyncio.gather(*(bus.publish(event) for _ in range(1000)))
    (stream,) = await valkey.send("KEYS", "*~events")
    assert 180 <= await valkey.send("MEMORY", "USAGE", stream, "SAMPLES", "0") / 1000 <= 300


# Troubles


def test_every_trouble_is_in_the_table() -> None:
    rows = [row for row in PAGE.rows("Troubles") if row[0].startswith("`")]
    listed = {row[0].strip("`"): row[1] == "yes" for row in rows}
    assert listed == {str(trouble): trouble.is_put_aside for trouble in Trouble}
    assert list(listed) == [str(trouble) for trouble in Trouble]


async def test_troubles_are_counted_and_what_was_put_aside_is_handled_once_it_can_be_read(
    guide: SimpleNamespace, valkey: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    handled: list[Event] = []

    async def handle(delivered: Delivered) -> None:
        handled.append(delivered.event)

    def counted() -> float | None:
        labels = {"trouble": "unknown_type", "group": "shipping"}
        found: float | None = guide.registry.get_sample_value("myapp_bus_troubles_total", labels)
        return found

    async with EventBus(valkey.url, sealer=Sealer([BUS_KEY]), events=[guide.OrderPaid]) as knowing:
        await guide.paid(knowing, "7", 1200)
        async with guide.observed(valkey.url, BUS_KEY) as unknowing:
            with caplog.at_level(logging.WARNING, logger="mintkey.bus"):
                async with running(unknowing.consume(handle, group="shipping")):
                    with anyio.fail_after(EVENTUALLY):
                        await eventually(lambda: counted() == 1)
            assert "of a type that this process does not know" in caplog.text
            assert await guide.handle_again(unknowing, "shipping", handle) == 0
        assert await guide.handle_again(knowing, "shipping", handle) == 1
        assert handled == [guide.OrderPaid(purpose="payment", order="7", cents=1200)]
        assert await knowing.set_aside("shipping") == []


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
    assert set(re.findall(r"^```(\w+)$", PAGE.text, re.MULTILINE)) == {"python"}
