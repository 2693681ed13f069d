"""The bus on real servers: every group is given every event, everybody who listens hears everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial

import anyio
import pytest

from mintkey import Purpose, TokenService
from mintkey.bus import Delivered, EventBus, EventBusError, Forwarder, Push, Trouble
from mintkey.errors import ConfigurationError, Reason, TokenRevokedError
from mintkey.events import Event, KeyRevoked, Minted, Revoked
from mintkey.keys import MemoryKeyProvider, Plaintext, RotatingKeyProvider, Sealer
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.replay import MemoryReplayStore, RevocationCache
from tests.support.buses import EVENTUALLY, SEALER, SOON, STRANGER, Ear, Notices, Numbered, eventually, publish, running
from tests.support.polling import until
from tests.support.servers import RedisServer

ACCESS = Purpose("access", lifetime=timedelta(minutes=5), revocable=True)


@pytest.fixture(params=["valkey", "debian_redis", "redis_cluster", "redis_sentinel"])
async def everywhere(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    url = request.getfixturevalue(request.param).url
    async with EventBus(url, sealer=SEALER, events=[Numbered], timeout=timedelta(seconds=10)) as bus:
        yield bus


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
async def bus(valkey: RedisServer, notices: Notices) -> AsyncIterator[EventBus]:
    async with EventBus(valkey.url, sealer=SEALER, events=[Numbered], max_length=100, observers=[notices]) as bus:
        yield bus


async def has_done(bus: EventBus, group: str) -> bool:
    return [(one.pending, one.behind) for one in await bus.groups() if one.group == group] == [(0, 0)]


async def test_every_group_handles_every_event_once(everywhere: EventBus) -> None:
    one, two, other = Ear(), Ear(), Ear()
    async with (
        running(everywhere.consume(one, group="billing")),
        running(everywhere.consume(two, group="billing")),
        running(everywhere.consume(other, group="audit")),
    ):
        await publish(everywhere, 50)
        await other.until(50)
        for group in ("billing", "audit"):
            await until(partial(has_done, everywhere, group))
    assert other.numbers == list(range(50))
    assert sorted(one.numbers + two.numbers) == list(range(50))
    assert not any(delivered.is_redelivered for delivered in one.heard + two.heard + other.heard)
    assert [standing.consumers for standing in await everywhere.groups()] == [0, 0]


async def test_everybody_who_listens_hears_everything_from_then_on(everywhere: EventBus) -> None:
    await publish(everywhere, 3)
    ears = [Ear(), Ear()]
    begun = [anyio.Event(), anyio.Event()]

    async def missed(event: anyio.Event) -> None:
        event.set()

    async with (
        running(everywhere.listen(ears[0], missed=partial(missed, begun[0]))),
        running(everywhere.listen(ears[1], missed=partial(missed, begun[1]), only=[Numbered])),
    ):
        for event in begun:
            await event.wait()
        await everywhere.publish(Revoked(purpose="access", what="token"))
        await publish(everywhere, 3, start=3)
        await ears[0].until(4)
        await ears[1].until(3)
    assert ears[0].numbers == ears[1].numbers == [3, 4, 5]
    assert ears[0].heard[0].event == Revoked(purpose="access", what="token")


async def test_a_group_that_begins_late_gets_what_is_kept_or_what_comes(bus: EventBus) -> None:
    await publish(bus, 3)
    late, later = Ear(), Ear()
    async with running(bus.consume(late, group="late")), running(bus.consume(later, group="later", start="newest")):
        await late.until(3)
        await until(partial(has_done, bus, "later"))
        await publish(bus, 1, start=3)
        await later.until(1)
    assert late.numbers[:3] == [0, 1, 2]
    assert later.numbers == [3]


async def test_what_a_group_is_not_for_is_passed_over(bus: EventBus, notices: Notices) -> None:
    ear = Ear()
    await bus.publish(Minted(purpose="access", key_id="k1"))
    await publish(bus, 1)
    await bus.publish(Revoked(purpose="access", what="id"))
    async with EventBus(bus_url(bus), sealer=SEALER) as narrow:
        async with running(narrow.consume(ear, group="narrow", only=[Revoked])):
            await ear.until(1)
            await until(partial(has_done, bus, "narrow"))
        assert await narrow.set_aside("narrow") == []
    assert [one.event for one in ear.heard] == [Revoked(purpose="access", what="id")]


def bus_url(bus: EventBus) -> str:
    settings = bus._client.link._topology._settings.options  # type: ignore[attr-defined]  # a lone server's
    return f"redis://{settings['host']}:{settings['port']}"


async def test_an_event_is_published_once_under_its_id(bus: EventBus) -> None:
    ear = Ear()
    for _ in range(3):
        assert await bus.publish(Numbered(purpose="test", number=1), event_id="order-17.paid") == "order-17.paid"
    await publish(bus, 1, start=2)
    async with running(bus.consume(ear, group="billing")):
        await ear.until(2)
    assert ear.numbers == [1, 2]
    assert ear.heard[0].id == "order-17.paid"


async def test_an_event_that_fails_comes_again_and_holds_up_nobody(bus: EventBus, notices: Notices) -> None:
    ear = Ear(failing=lambda it: it.event == Numbered(purpose="test", number=1) and it.deliveries < 3)
    await publish(bus, 3)
    async with running(bus.consume(ear, group="billing", handler_timeout=SOON)):
        await ear.until(5)
        await until(partial(has_done, bus, "billing"))
    assert ear.numbers == [0, 1, 2, 1, 1]
    again = [one for one in ear.heard if one.event == Numbered(purpose="test", number=1)]
    assert [one.deliveries for one in again] == [1, 2, 3]
    assert len({one.id for one in again}) == 1
    assert notices.of(Trouble.HANDLER_FAILED) == [("billing", 1)] * 2


async def test_an_event_that_always_fails_is_put_aside_and_can_be_looked_at(bus: EventBus, notices: Notices) -> None:
    ear = Ear(failing=lambda it: it.event == Numbered(purpose="test", number=0))
    await publish(bus, 2)
    async with running(bus.consume(ear, group="billing", handler_timeout=SOON, max_deliveries=2)):
        await notices.until(Trouble.UNDELIVERABLE)
        await until(partial(has_done, bus, "billing"))
    assert sorted(ear.numbers) == [0, 0, 1]
    (found,) = await bus.set_aside("billing")
    assert found.why is Trouble.UNDELIVERABLE
    assert found.delivered is not None
    assert found.delivered.id == ear.heard[0].id
    assert found.delivered.event == Numbered(purpose="test", number=0)
    assert await bus.set_aside("audit") == []
    assert await bus.discard("billing", found.entry) == 1
    assert await bus.set_aside("billing") == []


async def test_a_handler_that_never_returns_is_cancelled_and_the_event_given_to_another(bus: EventBus) -> None:
    stuck, ear = anyio.Event(), Ear()

    async def get_stuck(_: Delivered) -> None:
        stuck.set()
        await anyio.sleep_forever()

    await publish(bus, 1)
    async with running(bus.consume(get_stuck, group="billing", handler_timeout=SOON)):
        await stuck.wait()
        async with running(bus.consume(ear, group="billing", handler_timeout=SOON)):
            await ear.until(1)
    assert ear.heard[0].is_redelivered


async def test_a_handler_whose_own_task_was_cancelled_ends_nothing(bus: EventBus, notices: Notices) -> None:
    tries: list[int] = []

    async def handle(delivered: Delivered) -> None:
        tries.append(delivered.deliveries)
        if len(tries) == 1:
            inner = asyncio.ensure_future(anyio.sleep_forever())
            inner.cancel()
            await inner

    await publish(bus, 1)
    async with running(bus.consume(handle, group="billing", handler_timeout=SOON)):
        await until(partial(has_done, bus, "billing"))
    assert tries == [1, 2]
    assert notices.of(Trouble.HANDLER_FAILED) == [("billing", 1)]


async def test_who_is_cancelled_at_work_leaves_everything_to_others_at_once(bus: EventBus) -> None:
    """A minute lies between a sign of life and the takeover of an event, so that what is taken over was given back."""
    begun, ear = anyio.Event(), Ear()

    async def begin(_: Delivered) -> None:
        begun.set()
        await anyio.sleep_forever()

    await publish(bus, 3)
    async with running(bus.consume(begin, group="billing")):
        await begun.wait()
    assert [(standing.consumers, standing.pending) for standing in await bus.groups()] == [(1, 3)]
    async with running(bus.consume(ear, group="billing")):
        await ear.until(3)
    assert ear.numbers == [0, 1, 2]
    assert all(one.is_redelivered for one in ear.heard)


async def test_who_comes_back_under_its_name_goes_on_with_what_it_had(bus: EventBus, valkey: RedisServer) -> None:
    await publish(bus, 2)
    await valkey.send("XGROUP", "CREATE", stream_of(bus), "billing", "0")
    await valkey.send("XREADGROUP", "GROUP", "billing", "one", "STREAMS", stream_of(bus), ">")
    ear = Ear()
    async with running(bus.consume(ear, group="billing", consumer="one")):
        await ear.until(2)
    assert ear.numbers == [0, 1]
    assert all(one.deliveries == 2 for one in ear.heard)


def stream_of(bus: EventBus) -> bytes:
    return bus._stream.key


async def last_has_waited(bus: EventBus, server: RedisServer, *, milliseconds: int) -> bool:
    """Whether the server says that the newest event, given to a consumer with others, waited for so long by now."""
    ((last, _),) = await server.send("XREVRANGE", stream_of(bus), "+", "-", "COUNT", "1")
    # In a script, because redis-py would parse the answer as that of another form of the command.
    ask = "return #redis.call('XPENDING', KEYS[1], 'billing', 'IDLE', ARGV[1], ARGV[2], ARGV[2], 1)"
    return bool(await server.send("EVAL", ask, "1", stream_of(bus), str(milliseconds), last))


async def test_what_waited_too_long_in_its_batch_is_left_to_who_took_it_over(
    bus: EventBus, valkey: RedisServer
) -> None:
    """The first event takes its time; meanwhile the second is taken over by another consumer, and the third is not."""
    heard: list[int] = []

    async def handle(delivered: Delivered) -> None:
        assert isinstance(delivered.event, Numbered)
        heard.append(delivered.event.number)
        if delivered.event.number == 0:
            await valkey.send("XCLAIM", stream_of(bus), "billing", "another", "0", await second(), "JUSTID")
            await until(partial(last_has_waited, bus, valkey, milliseconds=510))

    async def second() -> str:
        entries = await valkey.send("XRANGE", stream_of(bus), "-", "+")
        return str(entries[1][0])

    await publish(bus, 3)
    async with running(bus.consume(handle, group="billing", handler_timeout=timedelta(seconds=1))):
        await eventually(lambda: len(heard) > 1)
    assert heard[:2] == [0, 2]


async def test_what_was_trimmed_while_it_waited_in_its_batch_is_handled_all_the_same(
    bus: EventBus, valkey: RedisServer
) -> None:
    heard: list[Event] = []

    async def handle(delivered: Delivered) -> None:
        heard.append(delivered.event)
        if len(heard) == 1:
            await until(partial(last_has_waited, bus, valkey, milliseconds=510))
            await valkey.send("XTRIM", stream_of(bus), "MAXLEN", "0")

    await publish(bus, 2)
    async with running(bus.consume(handle, group="billing", handler_timeout=timedelta(seconds=1))):
        await eventually(lambda: len(heard) > 1)
    assert [event.number for event in heard if isinstance(event, Numbered)] == [0, 1]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (("m", "{}", "s", "no tag"), Trouble.FORGED),
        (("m", "{}"), Trouble.FORGED),
        (("something", "else"), Trouble.FORGED),
        (("m", "{}", "s", "authentic"), Trouble.UNREADABLE),
        (("m", '{"id":"a","type":"Newer","at":1,"event":{}}', "s", "authentic"), Trouble.UNKNOWN_TYPE),
    ],
    ids=["forged", "without-a-tag", "foreign", "unreadable", "of-an-unknown-type"],
)
async def test_poison_is_put_aside_and_told_and_holds_up_nobody(
    bus: EventBus, valkey: RedisServer, notices: Notices, fields: tuple[str, ...], why: Trouble
) -> None:
    if fields[-1] == "authentic":
        tag = SEALER.authenticate(bus._envelopes._statement(fields[1].encode())).decode()
        fields = (*fields[:-1], tag)
    ear, listener, begun = Ear(), Ear(), anyio.Event()

    async def begin() -> None:
        begun.set()

    async with running(bus.listen(listener, missed=begin)), running(bus.consume(ear, group="billing")):
        await begun.wait()
        await valkey.send("XADD", stream_of(bus), "*", *fields)
        await publish(bus, 1)
        await ear.until(1)
        await listener.until(1)
        await until(partial(has_done, bus, "billing"))
    assert ear.numbers == listener.numbers == [0]
    assert sorted(notices.of(why)) == [("", 1), ("billing", 1)]
    (found,) = await bus.set_aside("billing")
    assert found.why is why
    assert found.delivered is None
    assert why.is_put_aside


async def test_what_stands_in_the_place_for_what_was_put_aside_may_be_anything(
    bus: EventBus, valkey: RedisServer
) -> None:
    message, tag = bus._envelopes.close(Numbered(purpose="test", number=1), "an-id", 1.0)
    aside = bus._stream.aside("billing")
    await valkey.send("XADD", aside, "*", "why", "no such word", "m", message, "s", tag)
    await valkey.send("XADD", aside, "*", "m", message, "s", tag)
    await valkey.send("XADD", aside, "*", "why", "undeliverable", "m", message, "s", tag)
    found = await bus.set_aside("billing")
    assert [(one.why, one.delivered is not None) for one in found] == [
        (Trouble.UNREADABLE, False),
        (Trouble.UNREADABLE, False),
        (Trouble.UNDELIVERABLE, True),
    ]
    assert len(await bus.set_aside("billing", limit=2)) == 2


async def test_two_services_with_other_keys_do_not_hear_each_other(bus: EventBus) -> None:
    notices, ear = Notices(), Ear()
    async with EventBus(bus_url(bus), sealer=STRANGER, events=[Numbered], observers=[notices]) as stranger:
        await publish(bus, 1)
        async with running(stranger.consume(ear, group="strangers")):
            await notices.until(Trouble.FORGED)
    assert ear.heard == []


async def test_a_group_that_lags_is_told_of_and_what_it_loses_is_counted_to_the_last(
    bus: EventBus, notices: Notices, valkey: RedisServer
) -> None:
    """A hundred events are meant to be kept: of five hundred, a group that sleeps loses all that were cut off."""
    await valkey.send("XGROUP", "CREATE", stream_of(bus), "asleep", "0", "MKSTREAM", "ENTRIESREAD", "0")
    await publish(bus, 60)
    assert notices.of(Trouble.LAGGING) == [("asleep", 60)]
    assert notices.of(Trouble.TRIMMED) == []
    await publish(bus, 440, start=60)
    kept = await valkey.send("XLEN", stream_of(bus))
    assert 100 <= kept <= 220
    assert len(notices.of(Trouble.LAGGING)) == 1
    assert sum(count for _, count in notices.of(Trouble.TRIMMED)) == 500 - kept
    told = len(notices.told)

    ear = Ear()
    async with running(bus.consume(ear, group="asleep")):
        await ear.until(kept)
        await until(partial(has_done, bus, "asleep"))
    assert ear.numbers == list(range(500 - kept, 500))
    # Its own consumer is told as well, in one: whoever watches the group need not watch the publishers.
    assert [notice.count for notice in notices.told[told:] if notice.trouble is Trouble.TRIMMED] == [500 - kept]
    async with running(bus.consume(ear, group="asleep")):
        await publish(bus, 1, start=500)
        await ear.until(kept + 1)
    assert len([notice for notice in notices.told[told:] if notice.trouble is Trouble.TRIMMED]) == 1


async def test_what_was_trimmed_before_it_could_be_taken_over_is_told(
    bus: EventBus, notices: Notices, valkey: RedisServer
) -> None:
    await publish(bus, 2)
    await valkey.send("XGROUP", "CREATE", stream_of(bus), "billing", "0")
    await valkey.send("XREADGROUP", "GROUP", "billing", "killed", "STREAMS", stream_of(bus), ">")
    await valkey.send("XTRIM", stream_of(bus), "MAXLEN", "1")
    ear = Ear()
    async with running(bus.consume(ear, group="billing", handler_timeout=SOON)):
        await ear.until(1)
        await until(partial(has_done, bus, "billing"))
    assert ear.numbers == [1]
    assert notices.of(Trouble.TRIMMED) == [("billing", 1)]


async def test_what_somebody_else_takes_over_first_is_his(bus: EventBus, valkey: RedisServer) -> None:
    """Both looked at the same list of what a dead one left; meanwhile the other took the second of two."""
    heard: list[Delivered] = []

    async def handle(delivered: Delivered) -> None:
        if not heard:
            last = (await valkey.send("XREVRANGE", stream_of(bus), "+", "-", "COUNT", "1"))[0][0]
            await valkey.send("XCLAIM", stream_of(bus), "billing", "another", "0", last, "JUSTID")
        heard.append(delivered)

    await publish(bus, 2)
    await valkey.send("XGROUP", "CREATE", stream_of(bus), "billing", "0")
    await valkey.send("XREADGROUP", "GROUP", "billing", "killed", "STREAMS", stream_of(bus), ">")
    async with running(bus.consume(handle, group="billing", handler_timeout=SOON)):
        await until(partial(has_done, bus, "billing"))
    assert [one.event for one in heard] == [Numbered(purpose="test", number=number) for number in (0, 1)]
    # The other one had it in between, and never came back to it either.
    assert [one.deliveries for one in heard] == [2, 2]


async def test_who_was_killed_long_ago_and_left_nothing_is_forgotten(
    bus: EventBus, valkey: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mintkey.bus.stream._SILENT_MILLISECONDS", -1)
    await publish(bus, 1)
    await valkey.send("XGROUP", "CREATE", stream_of(bus), "billing", "0")
    for name in ("holding", "idle"):
        await valkey.send("XREADGROUP", "GROUP", "billing", name, "STREAMS", stream_of(bus), ">")

    async def names() -> set[str]:
        found = await valkey.send("XINFO", "CONSUMERS", stream_of(bus), "billing")
        return {one["name"] for one in found}

    assert await names() == {"holding", "idle"}
    async with running(bus.consume(Ear(), group="billing", consumer="me")):
        await eventually_names(names, {"holding", "me"})
    assert await names() == {"holding"}


async def eventually_names(names: Callable[[], Awaitable[set[str]]], wanted: set[str]) -> None:
    async def are_there() -> bool:
        return await names() == wanted

    await until(are_there)


async def test_who_listens_and_misses_some_is_told(bus: EventBus, valkey: RedisServer) -> None:
    """A listener that is busy while the stream is cut behind it."""
    ear, missed = Ear(), [0]
    busy, go_on = anyio.Event(), anyio.Event()

    async def handle(delivered: Delivered) -> None:
        await ear(delivered)
        busy.set()
        await go_on.wait()

    async def miss() -> None:
        missed[0] += 1
        raise RuntimeError("whatever this one does")

    async with running(bus.listen(handle, missed=miss)):
        await eventually(lambda: missed[0] > 0)
        await publish(bus, 1)
        await busy.wait()
        await publish(bus, 200, start=1)
        await valkey.send("XTRIM", stream_of(bus), "MAXLEN", "150")
        await publish(bus, 1, start=201)
        go_on.set()
        await eventually(lambda: missed[0] > 1 and ear.numbers[-1] == 201)
    assert ear.numbers[0] == 0


async def test_what_is_revoked_in_one_process_is_refused_in_another_at_once(valkey: RedisServer) -> None:
    """The cache may answer from memory for a minute, so that what is refused at once was pushed."""
    keys, store = MemoryKeyProvider(), MemoryReplayStore(fence=False)
    cache = RevocationCache(store, max_age=timedelta(minutes=1))
    async with (
        EventBus(valkey.url, sealer=SEALER) as bus,
        Forwarder(bus) as forwarder,
        Push(bus, caches=[cache]),
        TokenService(issuer="https://here.example", keys=keys, replay=store, hooks=[forwarder]) as here,
        TokenService(issuer="https://here.example", keys=keys, replay=cache) as there,
    ):
        token = await here.mint(ACCESS, subject="20")
        await there.verify(token, ACCESS)
        await here.revoke(token, ACCESS)
        with anyio.fail_after(EVENTUALLY):
            while True:
                try:
                    await there.verify(token, ACCESS)
                except TokenRevokedError:
                    break
                await anyio.sleep(0.01)


async def test_a_version_that_is_revoked_in_one_process_is_known_in_another_at_once(valkey: RedisServer) -> None:
    """The store tells nobody of changes, and ten minutes lie between two looks at it."""
    store = MemoryKeyRingStore()

    def provider() -> RotatingKeyProvider:
        return RotatingKeyProvider(
            store,
            custodian=SealedCustodian(Plaintext(), ring="default"),
            refresh_interval=timedelta(minutes=10),
            outage_tolerance=timedelta(hours=1),
        )

    here, there = provider(), provider()
    async with (
        EventBus(valkey.url, sealer=SEALER) as bus,
        Forwarder(bus) as forwarder,
        TokenService(issuer="https://here.example", keys=here, hooks=[forwarder]),
        there,
        Push(bus, rings=[there]),
    ):
        kid = (await here.acquire()).key.kid
        await there.resolve(kid)
        await here.revoke(kid)
        await eventually(lambda: there.at_hand(kid) is None)
        assert [await anext_event(bus)] == [KeyRevoked(ring="default", key_id=kid, is_own=True)]


async def anext_event(bus: EventBus) -> Event:
    """The first of the kind that there is on a bus."""
    ear = Ear()
    async with running(bus.consume(ear, group="curious", only=[KeyRevoked])):
        await ear.until(1)
    return ear.heard[0].event


async def test_what_a_forwarder_drops_is_told_by_the_bus(bus: EventBus, notices: Notices) -> None:
    ear = Ear()
    async with Forwarder(bus, capacity=1) as forwarder:
        for what in ("token", "id"):
            forwarder(Revoked(purpose="access", what=what))
    async with running(bus.consume(ear, group="billing")):
        await ear.until(1)
    assert [one.event for one in ear.heard] == [Revoked(purpose="access", what="token")]
    assert notices.of(Trouble.OVERFLOW) == [("", 1)]


async def test_a_bus_says_how_its_servers_are(bus: EventBus) -> None:
    assert (await bus.checks())["role"].word == "master"
    assert repr(bus) == "EventBus(stream='events')"


def test_wrong_settings_are_told_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EventBus("redis://localhost", sealer=None, max_length=99, stream="no name")  # type: ignore[arg-type]
    assert caught.value.details["problems"] == (
        "EventBus: sealer must be a Sealer, or Plaintext() for events without tags",
        "EventBus: max_length must be at least 100",
        "EventBus: stream must be 1 to 64 characters of [A-Za-z0-9._-]",
    )


async def test_wrong_arguments_are_told_before_anything_is_asked() -> None:
    bus = EventBus("redis://localhost:1", sealer=Sealer([Sealer.generate_key()]))
    with pytest.raises(ConfigurationError) as caught:
        await bus.consume(Ear(), group="", consumer="a b", handler_timeout=timedelta(0), max_deliveries=0)
    assert caught.value.details["problems"] == (
        "consume: group must be 1 to 64 characters of [A-Za-z0-9._-]",
        "consume: consumer must be 1 to 64 characters of [A-Za-z0-9._-]",
        "consume: handler_timeout must be positive",
        "consume: max_deliveries must be at least 1",
    )
    for call in (bus.publish(Revoked(purpose="p", what="id"), event_id="?"), bus.set_aside("?"), bus.discard("?")):
        with pytest.raises(ConfigurationError, match="must be 1 to 64 characters"):
            await call


async def test_something_else_in_the_place_of_the_stream_is_told_at_once(bus: EventBus, valkey: RedisServer) -> None:
    await valkey.send("SET", stream_of(bus), "something else")

    async def never() -> None: ...

    for call in (
        bus.publish(Revoked(purpose="p", what="id")),
        bus.publish(Revoked(purpose="p", what="id"), event_id="again"),
        bus.publish(Revoked(purpose="p", what="id"), event_id="again"),
        bus.consume(Ear(), group="billing"),
        bus.listen(Ear(), missed=never),
        bus.groups(),
    ):
        with pytest.raises(EventBusError) as caught:
            await call
        assert caught.value.reason is Reason.BUS_UNAVAILABLE
        assert caught.value.details["code"] in {"WRONGTYPE", "ERR"}
