"""The claim protocol, as a world to search: real stores of several processes, one server, and a network that fails.

What a process sends is executed command by command, and others come in between. At any moment a process may hear
nothing, and asks again: then the server executes what it was sent before at any later moment, or never. That covers
requests that are lost, answers that are lost, and packets that arrive after everybody forgot them.
"""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any, Self

from mintkey.redis.calls import Call
from mintkey.redis.client import Client
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, pack, unpack
from mintkey.replay import RedisReplayStore
from mintkey.replay.redis_fence import RedisFence
from mintkey.replay.redis_marks import RESERVED, holder_of, is_held_by
from tests.model.ledger import CLOCK, TOKEN, Ledger, Program
from tests.model.redis import Command, Server, is_write
from tests.model.search import Move

__all__ = ["Bounds", "ClaimWorld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may go wrong in one play.

    Attributes:
        delays: How many calls are not answered in time.
        losses: How often the server comes back without its memory.
        fail_overs: How often its replica takes over; if it may, every write waits for it.
        leases_end: How often a reservation runs out.
    """

    delays: int = 0
    losses: int = 0
    fail_overs: int = 0
    leases_end: int = 0


class ClaimWorld:
    """Processes with one token, and a server.

    Args:
        programs: What each process does, by its name, which is the owner in whose name it claims.
        bounds: How much may go wrong.
        server_type: What the server is; a test may put a defect in.
        store_type: What the processes use; likewise.

    Attributes:
        ledger: What they were told.
        server: What they share.
    """

    def __init__(
        self,
        programs: Mapping[str, Program],
        bounds: Bounds,
        *,
        server_type: type[Server] = Server,
        store_type: Callable[..., RedisReplayStore] = RedisReplayStore,
    ) -> None:
        self.ledger = Ledger()
        self.server = server_type({_BUCKET.epoch: _BEGINS}, self._observe)
        replicas = 1 if bounds.fail_overs else 0
        self._processes = [
            _Process(name, partial(program, _store(store_type, replicas=replicas), name, self.ledger))
            for name, program in programs.items()
        ]
        self._delayed: list[tuple[str, Command]] = []
        self._delays, self._losses = bounds.delays, bounds.losses
        self._fail_overs, self._leases_end = bounds.fail_overs, bounds.leases_end

    def moves(self) -> Sequence[Move]:
        """What can happen next."""
        moves = list[Move]()
        for process in self._processes:
            if not process.has_begun:
                moves.append(("beginning of", self._begin, process))
            elif process.attempt is not None:
                self._add_moves_of(process, process.attempt, moves)
        if moves:
            moves += [("late execution for", self._execute_late, late) for late in dict.fromkeys(self._delayed)]
            if self._losses:
                moves.append(("loss of memory", self._lose, None))
            if self._fail_overs:
                moves.append(("fail-over", self._fail_over, None))
            if self._leases_end and self._may_lease_end():
                moves.append(("lease ends", self._end_lease, None))
        return moves

    def state(self) -> Hashable:
        """All on which the future depends."""
        server = frozenset(self.server.data.items()), frozenset(self.server.replica.items())
        left = self._delays, self._losses, self._fail_overs, self._leases_end
        processes = tuple(process.state() for process in self._processes)
        return server, left, processes, tuple(sorted(self._delayed)), self.ledger.state()

    def end(self) -> None:
        """Nobody waits for anything any more."""
        assert all(process.attempt is None for process in self._processes)

    def _may_lease_end(self) -> bool:
        held = self.server.data.get(_MARK, b"")
        # A lease is longer than a server takes from one command of a batch to the next.
        begun = {holder_of(process.name) for process in self._processes if process.attempt and process.attempt.is_begun}
        return held[:1] == RESERVED and not any(is_held_by(held, holder) for holder in begun)

    def _add_moves_of(self, process: "_Process", attempt: "_Attempt", moves: list[Move]) -> None:
        if attempt.is_stranded:
            moves.append(("broken connection of", self._break, process))
        elif attempt.to_come:
            moves.append(("server executes a command of", self._execute, process))
        elif attempt.call.pulse is not None:
            moves.append(("confirmed answer for", self._confirm, process))
        if not attempt.to_come:
            moves.append(("answer for", self._answer, process))
        if self._delays and not attempt.is_stranded:
            moves.append(("silence for", self._delay, process))
        if attempt.call.in_doubt:
            moves.append(("deadline of", self._fail, process))

    def _execute(self, process: "_Process") -> None:
        assert process.attempt is not None
        command = process.attempt.to_come.pop(0)
        process.attempt.replies.append(self.server.execute(command))

    def _begin(self, process: "_Process") -> None:
        process.begin()

    def _answer(self, process: "_Process") -> None:
        process.answer(replicas=0)

    def _fail(self, process: "_Process") -> None:
        process.fail()

    def _break(self, process: "_Process") -> None:
        process.ask_again()

    def _confirm(self, process: "_Process") -> None:
        self.server.replica = dict(self.server.data)
        process.answer(replicas=1)

    def _delay(self, process: "_Process") -> None:
        self._delays -= 1
        self._delayed += [(process.name, command) for command in process.ask_again() if is_write(command)]

    def _execute_late(self, late: tuple[str, Command]) -> None:
        self._delayed.remove(late)
        self.server.execute(late[1])

    def _lose(self, _: None) -> None:
        self._losses -= 1
        self.server.data, self.server.replica = {}, {}
        self.ledger.was_forgetful = True

    def _fail_over(self, _: None) -> None:
        self._fail_overs -= 1
        self.server.data = dict(self.server.replica)
        for process in self._processes:
            if process.attempt is not None and process.attempt.replies:
                process.attempt.is_stranded = True

    def _end_lease(self, _: None) -> None:
        self._leases_end -= 1
        del self.server.data[_MARK]
        self.server.replica.pop(_MARK, None)

    def _observe(self, key: bytes, value: bytes) -> None:
        if key == _MARK:
            self.ledger.write(value, remembers=self.server.data.get(_BUCKET.epoch) == _BEGINS)


@dataclass
class _Attempt:
    """A call, and how far the server is with it.

    Attributes:
        call: The call.
        to_come: Commands that the server did not execute yet.
        replies: To those that it did.
        is_stranded: That server is not in charge any more: replicas confirm nothing to it.
    """

    call: Call
    to_come: list[Command]
    replies: list[Reply]
    is_stranded: bool = False

    @property
    def is_begun(self) -> bool:
        """The server is in the middle of it."""
        return bool(self.replies and self.to_come)


class _Process:
    """A program that runs, up to the call that it waits for."""

    def __init__(self, name: str, program: Callable[[], Any]) -> None:
        self.name = name
        self.attempt: _Attempt | None = None
        self.has_begun = False
        self._program = program
        self._run: Any = None
        self._heard: list[Hashable] = []

    def begin(self) -> None:
        """Run up to the first call."""
        self.has_begun = True
        self._run = self._program()
        self._go_on(lambda: self._run.send(None))

    def __str__(self) -> str:
        return self.name

    def state(self) -> Hashable:
        """A program depends on nothing but what it heard."""
        attempt = self.attempt
        return (
            self.name,
            tuple(self._heard),
            attempt and (tuple(attempt.replies), attempt.call.in_doubt, attempt.is_stranded),
        )

    def answer(self, *, replicas: int) -> None:
        """The call is answered."""
        assert self.attempt is not None
        call, replies = self.attempt.call, self.attempt.replies
        call.replies, call.read = replies[: call.count], replies[-1] if call.also_read is not None else None
        call.replicas, call.clean = replicas, True
        self._heard.append((tuple(replies), replicas, call.in_doubt))
        self._go_on(lambda: self._run.send(call))

    def ask_again(self) -> list[Command]:
        """The call is made again; what the server may still execute of it."""
        assert self.attempt is not None
        call, left = self.attempt.call, self.attempt.to_come
        call.in_doubt = True
        self.attempt = _Attempt(call, _commands(call), [])
        return left

    def fail(self) -> None:
        """The call's deadline is over."""
        assert self.attempt is not None
        in_doubt = self.attempt.call.in_doubt
        self._heard.append(in_doubt)
        self._go_on(lambda: self._run.throw(RedisCallError("no answer", code="timeout", may_have_run=in_doubt)))

    def _go_on(self, step: Callable[[], "_Sent"]) -> None:
        try:
            call = step().call
            self.attempt = _Attempt(call, _commands(call), [])
        except StopIteration:
            self.attempt = None


def _commands(call: Call) -> list[Command]:
    read = b"" if call.also_read is None else pack("GET", call.also_read)
    return list(_unpacked(call.commands + read))


@cache
def _unpacked(commands: bytes) -> tuple[Command, ...]:
    return tuple(tuple(command) for command in unpack(commands))


# The network, taken out of a store


class _Sent:
    """A call on its way: it leaves the coroutine, and comes back answered."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Generator["_Sent", Call, Call]:
        return (yield self)


class _Lock:
    """Of one process whose calls come one after the other: nobody ever waits for it."""

    def __init__(self) -> None:
        self._is_held = False

    def locked(self) -> bool:
        return self._is_held

    async def __aenter__(self) -> Self:
        self._is_held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_held = False


class _Link:
    """In the place of the connections."""

    def __init__(self) -> None:
        self.lock = _Lock()

    async def answer(self, _bucket: int, call: Call) -> Call:
        return await _Sent(call)


class _Client(Client):
    """Makes joint calls one after the other: there is no event loop to gather them."""

    async def answers(self, calls: Any, /) -> list[Call]:
        # The epoch of the token's own bucket; those of the others decide nothing here.
        return [
            await self.link.answer(bucket, call) if bucket == _BUCKET.number else _begun(call) for bucket, call in calls
        ]


def _begun(call: Call) -> Call:
    """A call that begins the memory of a bucket which nobody comes to."""
    call.replies, call.clean = (b"OK", _BEGINS), True
    return call


@cache
def _parts(store_type: Callable[..., RedisReplayStore], replicas: int) -> tuple[Any, Any]:
    store = store_type("redis://model", replicas=replicas, clock=CLOCK)
    return store, _Client("redis://model", prefix="mk", timeout=timedelta(seconds=2), replicas=replicas)


def _like(made: Any) -> Any:
    """Another one of the same parts: making them takes longer than all that a search does with them."""
    another = object.__new__(type(made))
    vars(another).update(vars(made))
    return another


def _store(store_type: Callable[..., RedisReplayStore], *, replicas: int) -> Any:
    store, client = map(_like, _parts(store_type, replicas))
    store._link = client.link = _Link()
    store._client, store._fence = client, RedisFence(client, store._keys, CLOCK, enabled=True)
    store._fence.is_open = store._fence.reaches(_BUCKET, CLOCK.now(), _BEGINS)  # as opening it would have it read
    return store


_BEGINS = b"%d" % CLOCK.time()
_BUCKET, _MARK = RedisReplayStore("redis://model")._keys.mark(TOKEN)
