"""One stream and its groups on the servers: what is asked of them, and what their answers mean."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from mintkey.bus.scripts import ASIDE, JOIN, LEAVE, PUBLISH, TAKE_LOSSES
from mintkey.redis.buckets import Buckets
from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Argument, Reply, pack
from mintkey.redis.settings import ConnectionSettings

__all__ = ["Entry", "GroupStanding", "Pending", "Stream", "entries_of", "position_of"]

_REMEMBERED_MILLISECONDS = 120_000
_SILENT_MILLISECONDS = 3_600_000
_KEY_KIND = b"~"


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in a stream.

    Attributes:
        id: Its place there; not the event's own id.
        fields: What was written.
    """

    id: bytes
    fields: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that was delivered to a consumer, who has not said that it is done.

    Attributes:
        id: Its place in the stream.
        consumer: Who has it.
        idle: Milliseconds since it was delivered.
        deliveries: How often it was delivered.
    """

    id: bytes
    consumer: bytes
    idle: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """How a group is doing.

    Attributes:
        group: Its name.
        consumers: How many it has, or had: who was killed is still among them.
        pending: How many events were delivered and are not done.
        behind: How many events it has still to read; those that were cut off are among them.
        kept: How many events the stream holds.
        limit: How many it is meant to hold.

    Example:
        >>> GroupStanding("billing", consumers=2, pending=1, behind=60, kept=90, limit=100).lags
        True
    """

    group: str
    consumers: int
    pending: int
    behind: int
    kept: int
    limit: int

    @property
    def lags(self) -> bool:
        """Whether the group has more to read than half of what the stream is meant to hold: events may get lost."""
        return 2 * self.behind > self.limit


class Stream:
    """Calls for one stream. Every one of them raises `RedisCallError` where there is no good answer.

    Args:
        client: Calls the servers.
        name: The stream's name.
        prefix: The beginning of its key.
        max_length: How many events it is meant to hold.

    Attributes:
        key: Its key on the servers.
    """

    def __init__(self, client: Client, name: str, /, *, prefix: str, max_length: int) -> None:
        self._client = client
        self._bucket, key = Buckets(prefix).key(name, _KEY_KIND)
        self.key: bytes = key
        self._max_length = max_length

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return self._client.link.timeout

    @property
    def locate(self) -> Callable[[], Awaitable[ConnectionSettings]]:
        """Tells how to reach the server that holds the stream."""
        return partial(self._client.link.locate, self._bucket.number)

    async def look_at_server(self) -> None:
        """Say once, and loudly, what makes the server unfit."""
        await self._client.look_at(self._bucket)

    async def publish(self, event_id: str, message: bytes, tag: bytes, /) -> Mapping[str, int]:
        """Write an event, unless one of this id was written a moment ago; how many events groups lost unread by it."""
        arguments = (event_id, _REMEMBERED_MILLISECONDS, self._max_length, message, tag)
        replies = (await self._client.run(PUBLISH, self._bucket, self.key, *arguments)).replies
        told = _list(replies[0])[1:]
        return {_text(group): _int(lost) for group, lost in zip(told[::2], told[1::2], strict=True)}

    async def join(self, group: str, /, *, newest: bool) -> bool:
        """See to it that there is such a group; whether it had to be made."""
        begin = "$" if newest else "0"
        call = await self._client.run(JOIN, self._bucket, self.key, group, begin, _SILENT_MILLISECONDS)
        return call.replies == [1]

    async def leave(self, group: str, consumer: str, /, *, idle: int) -> None:
        """Have others take over at once what this consumer leaves behind, or forget it if that is nothing."""
        await self._client.run(LEAVE, self._bucket, self.key, group, consumer, idle)

    async def take_losses(self, group: str, /) -> int:
        """How many events were cut off before the group read them, since this was asked last."""
        return _int((await self._client.run(TAKE_LOSSES, self._bucket, self.key, group)).replies[0])

    async def acknowledge(self, group: str, entry: bytes, /) -> None:
        """This entry is done."""
        await self._send("XACK", self.key, group, entry)

    async def pending(
        self, group: str, /, *, idle: int, after: bytes | None, count: int, consumer: str | None
    ) -> Sequence[Pending]:
        """Entries that are not done and that nobody touched for so many milliseconds, in the stream's order."""
        start = b"-" if after is None else b"(" + after
        of_whom = () if consumer is None else (consumer,)
        return _pending(await self._send("XPENDING", self.key, group, "IDLE", idle, start, "+", count, *of_whom))

    async def claim(self, group: str, consumer: str, entry: bytes, /, *, idle: int) -> Entry | None:
        """Take an entry over; None if somebody touched it meanwhile, it is done, or it was trimmed away."""
        found = entries_of(await self._send("XCLAIM", self.key, group, consumer, idle, entry))
        return found[0] if found else None

    async def holds(self, entry: bytes, /) -> bool:
        """Whether an entry was not trimmed away."""
        return bool(_list(await self._send("XRANGE", self.key, entry, entry)))

    async def renew(self, group: str, consumer: str, entry: bytes, /, *, idle: int) -> bool:
        """Whether an entry still is this consumer's; if so, its time begins anew."""
        if _list(await self._send("XCLAIM", self.key, group, consumer, idle, entry, "JUSTID")):
            return True
        left = _pending(await self._send("XPENDING", self.key, group, entry, entry, 1))
        # Nobody has it: it was trimmed away, and we hold the only copy.
        return not left or left[0].consumer == consumer.encode()

    async def put_aside(self, group: str, entry: Entry, why: str, /) -> None:
        """Move an entry that cannot be handled out of the group's way."""
        fields = [part for pair in entry.fields.items() for part in pair]
        most = ("MAXLEN", "~", self._max_length, "*")
        # In this order, and the second only after the first: twice aside is better than lost.
        await self._send("XADD", self.aside(group), *most, "why", why, *fields)
        await self.acknowledge(group, entry.id)

    async def put_aside_so_far(self, group: str, /, *, count: int) -> Sequence[Entry]:
        """What was put aside, the oldest first."""
        return entries_of(await self._send("XRANGE", self.aside(group), "-", "+", "COUNT", count))

    async def discard(self, group: str, entries: Sequence[str], /) -> int:
        """Forget what was put aside; how many there were."""
        return _int(await self._send("XDEL", self.aside(group), *entries)) if entries else 0

    async def standings(self) -> Sequence[GroupStanding]:
        """How each group is doing."""
        call = await self._client.link.answer(
            self._bucket.number, Call(pack("XLEN", self.key) + pack("XINFO", "GROUPS", self.key), 2)
        )
        if call.replies[0] == 0 and call.error_reply() is not None:
            return []  # there is no stream
        call.raise_error_reply()
        kept = _int(call.replies[0])
        return [self._standing(_facts(pairs), kept) for pairs in _list(call.replies[1])]

    async def ends(self) -> tuple[bytes, bytes]:
        """The places of the oldest and of the newest entry; `0-0` if there is none."""
        commands = pack("XRANGE", self.key, "-", "+", "COUNT", 1) + pack("XREVRANGE", self.key, "+", "-", "COUNT", 1)
        oldest, newest = (await self._client.send(self._bucket, Call(commands, 2))).replies
        return _first_id(oldest), _first_id(newest)

    def aside(self, group: str, /) -> bytes:
        """The key of what a group could not handle."""
        return self.key + ASIDE + group.encode()

    def _standing(self, facts: Mapping[str, Reply], kept: int) -> GroupStanding:
        lag = facts.get("lag")
        return GroupStanding(
            group=_text(facts["name"]),
            consumers=_int(facts["consumers"]),
            pending=_int(facts["pending"]),
            behind=kept if lag is None else _int(lag),  # the server cannot tell: the worst that may be
            kept=kept,
            limit=self._max_length,
        )

    async def _send(self, *command: Argument) -> Reply:
        return (await self._client.send(self._bucket, Call(pack(*command), 1))).replies[0]


def entries_of(reply: Reply, /) -> list[Entry]:
    """The entries in a reply.

    Raises:
        RedisCallError: It has another shape.

    Example:
        >>> entries_of([[b"1-0", [b"m", b"{}"]]])
        [Entry(id=b'1-0', fields={b'm': b'{}'})]
    """
    found: list[Entry] = []
    for entry in _list(reply):
        match entry:
            case [bytes(name), [*fields]]:
                pairs = cast("list[bytes]", fields)
                found.append(Entry(name, dict(zip(pairs[::2], pairs[1::2], strict=True))))
            case _:
                raise _strange()
    return found


def position_of(entry: bytes, /) -> tuple[int, int]:
    """An entry's place, to be compared.

    Example:
        >>> position_of(b"10-2") < position_of(b"10-11")
        True
    """
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)


def _pending(reply: Reply) -> list[Pending]:
    found: list[Pending] = []
    for entry in _list(reply):
        match entry:
            case [bytes(name), bytes(consumer), int(idle), int(deliveries)]:
                found.append(Pending(name, consumer, idle, deliveries))
            case _:
                raise _strange()
    return found


def _first_id(reply: Reply) -> bytes:
    found = entries_of(reply)
    return found[0].id if found else b"0-0"


def _facts(reply: Reply) -> Mapping[str, Reply]:
    pairs = _list(reply)
    return {_text(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _list(reply: Reply) -> "list[Reply]":
    if not isinstance(reply, list):
        raise _strange()
    return reply


def _int(reply: Reply) -> int:
    if not isinstance(reply, int):
        raise _strange()
    return reply


def _text(reply: Reply) -> str:
    if not isinstance(reply, bytes):
        raise _strange()
    return reply.decode("utf-8", "replace")


def _strange() -> RedisCallError:
    return RedisCallError("the answer of Redis has another shape than expected", code="protocol", may_have_run=True)
