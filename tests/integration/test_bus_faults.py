"""The bus when something goes wrong: what was published is handled, and published once, whatever becomes of replies."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import anyio
import pytest

from mintkey.bus import EventBus, EventBusError, Trouble
from mintkey.errors import Reason
from mintkey.events import Revoked
from mintkey.redis.blocking import PatientWire
from mintkey.redis.errors import RedisCallError
from mintkey.testing import Fate, Fault, FaultyProxy
from tests.support.buses import EVENTUALLY, SEALER, SOON, Ear, Notices, Numbered, eventually, publish, running
from tests.support.polling import until
from tests.support.redis_groups import RedisCluster, clustered, watched
from tests.support.servers import RedisServer

EVENT = Numbered(purpose="test", number=0)


@pytest.fixture
async def proxy(valkey: RedisServer) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


def bus_at(url: str, *, notices: Notices | None = None, patience: float = 2.0) -> EventBus:
    observers = () if notices is None else (notices,)
    timeout = timedelta(seconds=patience)
    return EventBus(url, sealer=SEALER, events=[Numbered], observers=observers, timeout=timeout)


def behind(proxy: FaultyProxy, *, notices: Notices | None = None, patience: float = 2.0) -> EventBus:
    return bus_at(f"redis://127.0.0.1:{proxy.port}", notices=notices, patience=patience)


async def has_done(bus: EventBus, group: str) -> bool:
    return [(one.pending, one.behind) for one in await bus.groups() if one.group == group] == [(0, 0)]


@pytest.mark.parametrize(
    "fault",
    [Fault(Fate.LOSE), Fault(Fate.SWALLOW), Fault(Fate.TRUNCATE), Fault(Fate.DOUBLE)],
    ids=["lost", "swallowed", "truncated", "doubled"],
)
async def test_an_event_is_published_once_whatever_happens_to_the_answer(
    valkey: RedisServer, proxy: FaultyProxy, fault: Fault
) -> None:
    async with behind(proxy) as bus:
        await bus.publish(Revoked(purpose="warm", what="id"))
        await bus._client.link.drop_idle()
        proxy.script(fault)
        await bus.publish(EVENT)
        assert await valkey.send("XLEN", bus._stream.key) == 2


async def test_whoever_does_not_know_publishes_again_under_the_same_id(valkey: RedisServer, proxy: FaultyProxy) -> None:
    async with behind(proxy, patience=1.0) as bus:
        await bus.publish(Revoked(purpose="warm", what="id"))
        await bus._client.link.drop_idle()
        for _ in range(50):
            proxy.script(Fault(Fate.LOSE))
        with pytest.raises(EventBusError) as caught:
            await bus.publish(EVENT)
        assert caught.value.reason is Reason.BUS_OUTCOME_UNKNOWN
        assert caught.value.retryable
        event_id = str(caught.value.details["event_id"])
        async with bus_at(valkey.url) as again:
            assert await again.publish(EVENT, event_id=event_id) == event_id
        assert await valkey.send("XLEN", bus._stream.key) == 2


async def test_a_server_that_is_away_takes_nothing_and_says_so(own_valkey: RedisServer) -> None:
    async with bus_at(own_valkey.url, patience=1.0) as bus:
        own_valkey.kill()
        with pytest.raises(EventBusError) as caught:
            await bus.publish(EVENT)
        assert caught.value.reason is Reason.BUS_UNAVAILABLE


async def test_an_answer_that_brought_events_and_was_lost_is_made_up_for(
    valkey: RedisServer, proxy: FaultyProxy
) -> None:
    """The server takes them for delivered, and nobody has seen them."""
    ear = Ear()
    async with behind(proxy) as bus, running(bus.consume(ear, group="billing")):
        await publish(bus, 1)
        await until(partial(has_done, bus, "billing"))
        proxy.black_hole = True
        await valkey.send("XADD", bus._stream.key, "*", *entry_of(bus, 1))
        await until(partial(is_pending, valkey, bus))
        proxy.cut()
        proxy.black_hole = False
        await ear.until(2)
        await until(partial(has_done, bus, "billing"))
    assert ear.numbers == [0, 1]
    assert [one.deliveries for one in ear.heard] == [1, 2]


def entry_of(bus: EventBus, number: int) -> tuple[str | bytes, ...]:
    message, tag = bus._envelopes.close(Numbered(purpose="test", number=number), f"id-{number}", 1.0)
    return "m", message, "s", tag


async def is_pending(server: RedisServer, bus: EventBus) -> bool:
    pending = await server.send("XPENDING", bus._stream.key, "billing")
    return int(pending["pending"]) == 1


async def test_what_was_handled_and_could_not_be_told_is_not_handled_again_by_who_knows(
    valkey: RedisServer, proxy: FaultyProxy
) -> None:
    """The connection breaks between the handler and its acknowledgement; the consumer itself lives on."""
    numbers: list[int] = []

    async with behind(proxy, patience=0.3) as bus:

        async def handle(delivered: object) -> None:
            numbers.append(len(numbers))
            if len(numbers) == 1:
                proxy.refuse = True
                proxy.cut()
                asyncio.get_running_loop().call_later(0.6, partial(setattr, proxy, "refuse", False))

        await publish(bus, 2)
        async with running(bus.consume(handle, group="billing")):
            await eventually(lambda: len(numbers) > 1)
            async with bus_at(valkey.url) as sure:
                await until(partial(has_done, sure, "billing"))
    assert numbers == [0, 1]


async def test_consumers_and_listeners_go_on_when_connections_are_cut(proxy: FaultyProxy) -> None:
    ear, listener, begun = Ear(), Ear(), anyio.Event()

    async def missed() -> None:
        begun.set()

    async with (
        behind(proxy, patience=10) as bus,
        running(bus.consume(ear, group="billing", handler_timeout=timedelta(seconds=1))),
        running(bus.listen(listener, missed=missed)),
    ):
        await begun.wait()
        for number in range(60):
            await publish(bus, 1, start=number)
            if number % 12 == 5:
                proxy.cut()
        await eventually(lambda: set(ear.numbers) == set(range(60)))
        await listener.until(60)
    assert listener.numbers == list(range(60))


async def test_a_server_that_forgot_everything_is_begun_with_anew(valkey: RedisServer) -> None:
    ear, listener, notices, missed = Ear(), Ear(), Notices(), [0]

    async def miss() -> None:
        missed[0] += 1

    async with bus_at(valkey.url, notices=notices) as bus:
        async with (
            running(bus.consume(ear, group="billing", start="newest", handler_timeout=SOON)),
            running(bus.listen(listener, missed=miss)),
        ):
            await until(partial(has_done, bus, "billing"))
            await eventually(lambda: missed[0] > 0)
            await publish(bus, 1)
            await ear.until(1)
            await listener.until(1)
            await valkey.send("FLUSHALL")
            await publish(bus, 3, start=1)
            await ear.until(4)
            await listener.until(4)
        assert ear.numbers == listener.numbers == [0, 1, 2, 3]
        assert notices.of(Trouble.FORGOTTEN) == [("billing", 1)]


async def test_a_stream_that_fell_behind_who_listens_is_noticed(
    valkey: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover to a replica that had not heard of the last events, with a clock that is behind."""
    monkeypatch.setattr("mintkey.bus.listener._WAIT", 0.1)
    listener, missed = Ear(), [0]

    async def miss() -> None:
        missed[0] += 1

    async with bus_at(valkey.url) as bus:
        key = bus._stream.key
        await valkey.send("XADD", key, "99999999999999-0", *entry_of(bus, 0))
        async with running(bus.listen(listener, missed=miss)):
            await eventually(lambda: missed[0] == 1)
            await valkey.send("XADD", key, "99999999999999-1", *entry_of(bus, 1))
            await listener.until(1)
            await valkey.send("DEL", key)
            await valkey.send("XADD", key, "5-0", *entry_of(bus, 2))
            await eventually(lambda: missed[0] == 2)
            await valkey.send("XADD", key, "5-1", *entry_of(bus, 3))
            await listener.until(2)
    assert listener.numbers == [1, 3]


async def test_an_outage_is_told_once_and_survived(own_valkey: RedisServer) -> None:
    ear, notices = Ear(), Notices()
    async with bus_at(own_valkey.url, notices=notices, patience=1.0) as bus, running(bus.consume(ear, group="billing")):
        await publish(bus, 1)
        await ear.until(1)
        port = own_valkey.port
        own_valkey.kill()
        await notices.until(Trouble.DEGRADED)
        await anyio.to_thread.run_sync(own_valkey.start)
        assert own_valkey.port == port
        await patiently(bus, 1)
        await ear.until(2)
    assert ear.numbers == [0, 1]
    assert notices.of(Trouble.DEGRADED) == [("billing", 2)]


async def test_a_consumer_may_begin_before_its_server(own_valkey: RedisServer) -> None:
    ear, notices = Ear(), Notices()
    port = own_valkey.port
    own_valkey.kill()
    async with (
        bus_at(own_valkey.url, notices=notices, patience=1.0) as bus,
        running(bus.consume(ear, group="billing")),
    ):
        await notices.until(Trouble.DEGRADED)
        await anyio.to_thread.run_sync(own_valkey.start)
        assert own_valkey.port == port
        async with bus_at(own_valkey.url, patience=5) as publisher:
            await publish(publisher, 1)
        await ear.until(1)


async def test_a_failover_loses_nothing_that_a_replica_confirmed() -> None:
    ear = Ear()
    with watched(milliseconds=500) as servers:
        bus = EventBus(servers.url, sealer=SEALER, events=[Numbered], replicas=1, timeout=timedelta(seconds=30))
        async with bus, running(bus.consume(ear, group="billing", handler_timeout=timedelta(seconds=5))):
            await publish(bus, 20)
            await ear.until(20)
            await anyio.to_thread.run_sync(servers.master().kill)
            for number in range(20, 40):
                await patiently(bus, number)
            await eventually(lambda: set(ear.numbers) == set(range(40)))


async def patiently(bus: EventBus, number: int) -> None:
    """Publish as callers of a retryable error do."""
    with anyio.fail_after(EVENTUALLY):
        while True:
            try:
                await bus.publish(Numbered(purpose="test", number=number), event_id=f"number-{number}")
            except EventBusError:
                continue
            return


async def test_a_stream_that_moves_to_another_node_is_followed() -> None:
    ear, listener, begun = Ear(), Ear(), anyio.Event()

    async def missed() -> None:
        begun.set()

    with clustered(2) as cluster:
        async with (
            bus_at(cluster.url, patience=10) as bus,
            running(bus.consume(ear, group="billing", handler_timeout=timedelta(seconds=1))),
            running(bus.listen(listener, missed=missed)),
        ):
            await begun.wait()
            await publish(bus, 3)
            await ear.until(3)
            slot = await cluster.masters[0].send("CLUSTER", "KEYSLOT", bus._stream.key)
            await anyio.to_thread.run_sync(move, cluster, slot)
            await publish(bus, 3, start=3)
            await eventually(lambda: set(ear.numbers) == set(range(6)))
            await eventually(lambda: set(listener.numbers) == set(range(6)))


def move(cluster: RedisCluster, slot: int) -> None:
    """Give a slot, with all that is in it, from one of two masters to the other."""
    source = cluster.holder(slot)
    (target,) = (one for one in cluster.masters if one is not source)
    cluster.begin_move(slot, source, target)
    cluster.move_keys(slot, source, target)
    cluster.end_move(slot, target)


@pytest.mark.parametrize("reply", [b"", [], [[b"key", None]], 1], ids=str)
async def test_what_no_read_answers_is_an_error_and_tried_again(
    valkey: RedisServer, monkeypatch: pytest.MonkeyPatch, reply: object
) -> None:
    ask, strange = PatientWire.ask, [reply, reply]

    async def ask_strangely(wire: PatientWire, *command: object, wait: float) -> object:
        return strange.pop() if strange else await ask(wire, *command, wait=wait)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(PatientWire, "ask", ask_strangely)
    ear, listener, begun = Ear(), Ear(), anyio.Event()

    async def missed() -> None:
        begun.set()

    async with (
        bus_at(valkey.url) as bus,
        running(bus.consume(ear, group="billing")),
        running(bus.listen(listener, missed=missed)),
    ):
        await begun.wait()
        await publish(bus, 1)
        await ear.until(1)
        await listener.until(1)
    assert ear.numbers == listener.numbers == [0]


async def test_a_look_at_the_groups_that_fails_costs_no_event(
    valkey: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EventBus(valkey.url, sealer=SEALER, events=[Numbered], max_length=100) as bus:

        async def fail() -> None:
            raise RedisCallError("no", code="timeout", may_have_run=True)

        monkeypatch.setattr(bus._lag, "look", fail)
        await publish(bus, 30)
        assert await valkey.send("XLEN", bus._stream.key) == 30
