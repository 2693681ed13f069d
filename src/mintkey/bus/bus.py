"""The bus: typed events between services, over a stream of a Redis or Valkey server."""

import re
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Literal, cast

from redis.asyncio import Redis, RedisCluster

from mintkey import ids
from mintkey.bus.delivered import Delivered, SetAside
from mintkey.bus.envelope import Envelopes, MisfitError
from mintkey.bus.lag import LagWatch
from mintkey.bus.listener import Listener
from mintkey.bus.notices import BusObserver, Teller, Trouble
from mintkey.bus.stream import Entry, GroupStanding, Stream
from mintkey.bus.worker import Handler, Limits, Worker
from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, EventBusError, Reason
from mintkey.events import Event
from mintkey.health import Check
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.lifecycle import Resource
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError

__all__ = ["EventBus"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LEAST_LENGTH = 100


class EventBus(Resource):
    """Typed events between services: none is lost, and each comes with a tag of whoever has the key.

    An event that `publish` returned for is in a stream on the server. Every *group* is given every event, one of its
    consumers each, at least once: an event stays a consumer's until its handler returned, is given to another one if
    the consumer dies or never returns, and is put aside, where the group can look at it, if it cannot be read, has no
    good tag or fails for good. A handler knows by `Delivered.id` what it did already. Beside that, any number of
    processes may `listen`: each hears everything from now on, which suits caches.

    The stream is bounded. A group that has more to read than half of it is told to be lagging, and what is cut off
    before it was read is counted and told: to observers and the log, by the publisher and by the group's consumers. As
    with all that is kept in Redis, give the server persistence or replicas, and `maxmemory-policy noeviction`.

    Needs Redis 7.0 or Valkey.

    Args:
        redis_or_url: As for `RedisKeyProvider`; a client that is passed in is never used itself, and never closed.
        sealer: Its first key makes the tags of events, every one of them is accepted. All services of a bus share it;
            let it be another one than that of the key ring, which opens private keys. `Plaintext()` says by name that
            events carry no tags: whoever can write to the server can then say anything.
        stream: The name of the stream, 1 to 64 characters of `[A-Za-z0-9._-]`.
        events: Types of events of your own: dataclasses that derive from `Event`. Those of `mintkey.events` are known.
        max_length: How many events the stream is meant to hold; it may hold some more. At least 100.
        clock: Where the time of publishing comes from; by default the machine's.
        prefix: The beginning of every key in Redis, 1 to 32 characters of `[A-Za-z0-9._:-]`.
        timeout: How long a call may take with all its retries.
        replicas: How many replicas must confirm an event before it counts as published. 0: none is asked.
        observers: Who is told of troubles.

    Raises:
        ConfigurationError: An argument is wrong (`configuration`).

    Example:
        ```python
        async with EventBus("redis://localhost", sealer=sealer) as bus:
            await bus.publish(Revoked(purpose="access", what="subject"))
            await bus.consume(handle, group="audit")  # until cancelled
        ```
    """

    def __init__(
        self,
        redis_or_url: Redis | RedisCluster | str,
        *,
        sealer: Sealer | Plaintext,
        stream: str = "events",
        events: Sequence[type[Event]] = (),
        max_length: int = 100_000,
        clock: Clock | None = None,
        prefix: str = "mk",
        timeout: timedelta = timedelta(seconds=2),
        replicas: int = 0,
        observers: Sequence[BusObserver] = (),
    ) -> None:
        problems: list[str] = []
        if not isinstance(cast("object", sealer), Sealer | Plaintext):
            problems.append("sealer must be a Sealer, or Plaintext() for events without tags")
        if max_length < _LEAST_LENGTH:
            problems.append(f"max_length must be at least {_LEAST_LENGTH}")
        if _NAME.fullmatch(stream) is None:
            problems.append("stream must be 1 to 64 characters of [A-Za-z0-9._-]")
        ConfigurationError.raise_if(f"EventBus: {problem}" for problem in problems)
        self._client = Client(redis_or_url, prefix=prefix, timeout=timeout, replicas=replicas)
        self._stream = Stream(self._client, stream, prefix=prefix, max_length=max_length)
        self._envelopes = Envelopes(sealer, self._stream.key, events)
        self._teller = Teller(stream, observers)
        self._lag = LagWatch(self._stream, self._teller)
        self._published, self._look_every = 0, max_length // 8
        self._name = stream
        self._clock = SystemClock() if clock is None else clock

    def __repr__(self) -> str:
        return f"EventBus(stream={self._name!r})"

    async def publish(self, event: Event, /, *, event_id: str | None = None) -> str:
        """Give an event to everybody; its id. When this returns, the event is on the server.

        Whoever does not know whether an event got there publishes it again under the same id: for two minutes the bus
        takes an id once. Its own retries do just that.

        Args:
            event: The event.
            event_id: Its id, 1 to 64 characters of `[A-Za-z0-9._-]`; by default a random one.

        Raises:
            ConfigurationError: The event is of no type of this bus, holds what its type does not allow, is too long, or
                the id has another form (`configuration`).
            EventBusError: The server did not take it (`bus_unavailable`), or nobody knows whether it did
                (`bus_outcome_unknown`); `details["event_id"]` is the id.
        """
        if event_id is None:
            event_id = ids.new_id()
        _check_name("publish: event_id", event_id)
        message, tag = self._envelopes.close(event, event_id, self._clock.time())
        with _public_errors(event_id):
            await self._stream.look_at_server()
            losses = await self._stream.publish(event_id, message, tag)
        for group, lost in losses.items():
            self._teller.tell(Trouble.TRIMMED, group=group, count=lost)
        self._published += 1
        if self._published % self._look_every == 0:
            with suppress(RedisCallError):  # the event is on the server, whatever becomes of this look
                await self._lag.look()
        return event_id

    async def consume(
        self,
        handler: Handler,
        /,
        *,
        group: str,
        consumer: str | None = None,
        only: Collection[type[Event]] = (),
        start: Literal["oldest", "newest"] = "oldest",
        handler_timeout: timedelta = timedelta(seconds=30),
        max_deliveries: int | None = 20,
    ) -> None:
        """Handle events as one consumer of a group, one after the other, until cancelled; goes on over every outage.

        An event is done when the handler returned. If it raises, or takes longer than its time, the event comes again
        after twice that time, to any consumer of the group. For more at once, run several of these.

        Args:
            handler: What to do with an event. It must bear being given one twice.
            group: The group's name, 1 to 64 characters of `[A-Za-z0-9._-]`.
            consumer: This consumer's name, of the same form; by default a random one. A name of its own that it has
                again after a restart lets it go on at once with what it had; no two may have it at the same time.
            only: Types of events to handle; all others are passed over. Empty: all are handled.
            start: Where a group begins that does not exist yet: with the oldest event that is kept, or with the next
                one.
            handler_timeout: How long the handler may take; it is cancelled then.
            max_deliveries: How often an event is tried before it is put aside; None: for ever.

        Raises:
            ConfigurationError: An argument is wrong; all problems at once (`configuration`).
            EventBusError: It cannot begin, because the server does not let it (`bus_unavailable`).
        """
        consumer = ids.new_id() if consumer is None else consumer
        problems: list[str] = []
        for name, value in (("group", group), ("consumer", consumer)):
            if _NAME.fullmatch(value) is None:
                problems.append(f"consume: {name} must be 1 to 64 characters of [A-Za-z0-9._-]")
        if handler_timeout <= timedelta(0):
            problems.append("consume: handler_timeout must be positive")
        if max_deliveries is not None and max_deliveries < 1:
            problems.append("consume: max_deliveries must be at least 1")
        ConfigurationError.raise_if(problems)
        worker = Worker(
            self._stream,
            self._envelopes,
            handler,
            self._teller,
            self._lag,
            group=group,
            consumer=consumer,
            only=only,
            newest=start == "newest",
            limits=Limits(handler_timeout.total_seconds(), max_deliveries),
        )
        with _public_errors():
            await worker.run()

    async def listen(
        self,
        handler: Handler,
        /,
        *,
        missed: Callable[[], Awaitable[object]],
        only: Collection[type[Event]] = (),
    ) -> None:
        """Hear every event from now on, in this process whoever else does, until cancelled; goes on over every outage.

        Made for caches: nothing is kept for who is away, but he is told that he was. An event whose handler raises does
        not come again.

        Args:
            handler: What to do with an event.
            missed: What to do whenever events may have been missed: at the beginning, once everything from then on is
                heard, and when what came next is not on the server any more.
            only: Types of events to handle. Empty: all are handled.

        Raises:
            EventBusError: It cannot begin, because the server does not let it (`bus_unavailable`).
        """
        listener = Listener(self._stream, self._envelopes, handler, missed, self._teller, only=only)
        with _public_errors():
            await listener.run()

    async def set_aside(self, group: str, /, *, limit: int = 100) -> Sequence[SetAside]:
        """What a group could not handle, the oldest first; it is kept until it is discarded, or the place is full.

        Args:
            group: The group's name.
            limit: How many at most.

        Raises:
            ConfigurationError: The name has another form (`configuration`).
            EventBusError: The server cannot answer (`bus_unavailable`).
        """
        _check_name("set_aside: group", group)
        with _public_errors():
            return [self._seen(entry) for entry in await self._stream.put_aside_so_far(group, count=limit)]

    async def discard(self, group: str, /, *entries: str) -> int:
        """Forget what was put aside; how many there were.

        Args:
            group: The group's name.
            entries: Which, by `SetAside.entry`.

        Raises:
            ConfigurationError: The name has another form (`configuration`).
            EventBusError: The server cannot answer (`bus_unavailable`).
        """
        _check_name("discard: group", group)
        with _public_errors():
            return await self._stream.discard(group, entries)

    async def groups(self) -> Sequence[GroupStanding]:
        """How each group is doing: what it has still to read, and what is at its consumers.

        Raises:
            EventBusError: The server cannot answer (`bus_unavailable`).
        """
        with _public_errors():
            return await self._stream.standings()

    async def checks(self) -> Mapping[str, Check]:
        """What the servers say of themselves: `eviction` and `role`, as for `RedisReplayStore.checks`."""
        return await self._client.checks()

    def tell(self, trouble: Trouble, /, *, count: int = 1) -> None:
        """Tell the log and the observers of something; for what this package builds on a bus."""
        self._teller.tell(trouble, count=count)

    async def _close(self) -> None:
        await self._client.aclose()

    def _seen(self, entry: Entry) -> SetAside:
        delivered: Delivered | None = None
        try:
            why = Trouble(entry.fields.get(b"why", b"").decode())
            delivered = self._envelopes.open(entry.fields)
        except MisfitError as error:
            why = error.why
        except ValueError:
            why = Trouble.UNREADABLE
        return SetAside(entry=entry.id.decode(), why=why, delivered=delivered)


def _check_name(what: str, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"{what} must be 1 to 64 characters of [A-Za-z0-9._-]")


@contextmanager
def _public_errors(event_id: str | None = None) -> Generator[None, None, None]:
    try:
        yield
    except RedisCallError as error:
        details: dict[str, object] = {"code": error.code}
        reason = Reason.BUS_UNAVAILABLE
        if event_id is not None:
            details["event_id"] = event_id
            reason = Reason.BUS_OUTCOME_UNKNOWN if error.may_have_run else reason
        raise EventBusError(f"the event bus: {error}", reason=reason, details=details) from error
