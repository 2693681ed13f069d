"""Concurrent calls share one write on one connection, and one deadline each holds for all of their retries.

A call that finds nothing under way starts a batch; whoever calls in the same turn of the loop joins it. While it is in
flight the next batch gathers. So a lone caller waits for nobody, and a thousand callers cost a handful of round trips.

A batch whose answer was lost is sent again on a new connection, up to the deadline of each of its calls.
"""

import asyncio
import contextvars
from bisect import insort
from collections import deque
from operator import attrgetter

from mintkey.redis.calls import Call
from mintkey.redis.errors import code_of
from mintkey.redis.pool import Pool
from mintkey.redis.protocol import Reply, ReplyError, pack
from mintkey.redis.wire import TRANSPORT_ERRORS, Wire, is_hopeless

__all__ = ["Coalescer"]

_MOST_CALLS = 512
_MOST_BATCHES = 4
_STUCK_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2
_SHARE_FOR_REPLICAS = 0.4
_UNFIT = frozenset({"LOADING", "MASTERDOWN", "NOAUTH", "READONLY"})
_by_deadline = attrgetter("deadline")


class Coalescer:
    """Batches for one server, in one event loop.

    Args:
        pool: Where connections come from.
        timeout: Seconds that a call has, from its beginning, for all its attempts.
        replicas: How many replicas must confirm the writes of a batch; 0: none is asked.
    """

    def __init__(self, pool: Pool, *, timeout: float, replicas: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self._timeout = timeout
        self._replicas = replicas
        self._waiting: deque[Call] = deque()
        self._unsettled: deque[Call] = deque()  # in the order of their deadlines
        self._batches = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_progress = 0.0
        self._watchdog: asyncio.TimerHandle | None = None

    async def answer(self, call: Call, /) -> None:
        """Wait until the call has its answer; error replies are in it as values.

        Raises:
            RedisCallError: There was no answer before the deadline.
        """
        loop = self._loop
        now = loop.time()
        call.done = loop.create_future()
        if not call.deadline:
            call.deadline = now + self._timeout
        self._watch(call)
        self._waiting.append(call)
        if not self._batches or self._should_widen(now):
            self._start_batch()
        await call.done
        if call.error is not None:
            raise call.error from call.trouble

    async def aclose(self) -> None:
        """Wait until every call has its answer, or its deadline, and close the connections."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        await self._pool.drop_idle()

    async def drop_idle(self) -> None:
        """Close connections that nobody uses right now."""
        await self._pool.drop_idle()

    # Deadlines: one timer for all calls, queued or in flight. It sleeps until the first of them is over.

    def _watch(self, call: Call) -> None:
        unsettled, watchdog = self._unsettled, self._watchdog
        if unsettled and call.deadline < unsettled[-1].deadline:
            insort(unsettled, call, key=_by_deadline)  # it goes on an earlier call: rare
        else:
            unsettled.append(call)
        if watchdog is None or call.deadline < watchdog.when():
            if watchdog is not None:
                watchdog.cancel()
            self._watchdog = self._loop.call_at(call.deadline, self._expire)

    def _expire(self) -> None:
        now, unsettled = self._loop.time(), self._unsettled
        while unsettled and (unsettled[0].done.done() or unsettled[0].deadline <= now):
            unsettled.popleft().fail("Redis did not answer in time", "timeout")
        self._watchdog = self._loop.call_at(unsettled[0].deadline, self._expire) if unsettled else None

    # Batches

    def _should_widen(self, now: float) -> bool:
        """Whether one more connection is worth it: more callers than a batch holds, or a batch that hangs."""
        is_crowded = len(self._waiting) > _MOST_CALLS or now - self._last_progress > _STUCK_SECONDS
        return is_crowded and self._batches < _MOST_BATCHES

    def _start_batch(self) -> None:
        # A task of its own, so that no caller's cancellation can end it between a write and its replies. Made by hand:
        # an eager task would begin before the other callers of this turn have joined. In an empty context: it works
        # for all of them, not on behalf of the first.
        self._last_progress = self._loop.time()
        self._batches += 1
        task = asyncio.Task(self._settle_all(), loop=self._loop, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle_all(self) -> None:
        try:
            while self._waiting:
                await self._settle_some()
        finally:
            # Here and not in the task's callback, which comes a turn later: a call in between would wait for nobody.
            self._batches -= 1

    async def _settle_some(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_CALLS))]
        try:
            await self._settle(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            for call in batch:
                call.falter(error)
                call.fail("The Redis client failed unexpectedly", "unexpected")
        while self._unsettled and self._unsettled[0].done.done():
            self._unsettled.popleft()

    async def _settle(self, batch: list[Call]) -> None:
        """Try until every call has an answer or is past its deadline."""
        pause, share = _FIRST_PAUSE, 0.5
        while batch := [call for call in batch if not call.done.done()]:
            # The first attempt to hang may use half of the time, the next one what is left: a connection that died in
            # silence, as idle ones do behind a firewall, must not cost its callers their answer.
            now, last = self._loop.time(), batch[-1].deadline
            try:
                async with asyncio.timeout_at(now + (last - now) * share):
                    await self._attempt(batch)
                break
            except TRANSPORT_ERRORS as error:
                for call in batch:
                    call.falter(error)
                    if is_hopeless(error):
                        call.fail("Redis does not accept our credentials", "NOAUTH")
                    elif call.at_most_once and call.in_doubt:
                        call.fail("the answer was lost, and asking again could do it twice", "connection")
                if isinstance(error, TimeoutError):
                    share = 1.0
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _attempt(self, batch: list[Call]) -> None:
        wire = await self._pool.take()
        try:
            packed, count, places = _together(batch)
            confirm, confirmations = self._wait_for_replicas(batch) if self._replicas else (b"", 0)
            for call in batch:
                call.in_flight = True
            replies = await wire.exchange(packed + confirm, count + confirmations)
        except BaseException:
            # Not all of its replies were read: whoever came next would get somebody else's.
            await wire.drop()
            raise
        self._last_progress = self._loop.time()
        await self._keep_or_drop(wire, replies)
        _hand_out(batch, replies, places, replicas=_confirmations(replies[-1]) if confirm else 0)

    def _wait_for_replicas(self, batch: list[Call]) -> tuple[bytes, int]:
        writer = next((call for call in batch if call.pulse is not None), None)
        if writer is None or writer.pulse is None:
            return b"", 0
        # Less time than the attempt itself has, so that the answer is "too few" rather than none.
        patience = (batch[0].deadline - self._loop.time()) * _SHARE_FOR_REPLICAS
        wait = pack("WAIT", self._replicas, max(1, int(patience * 1000)))
        return writer.pulse + wait, writer.pulse_replies + 1

    async def _keep_or_drop(self, wire: Wire, replies: list[Reply]) -> None:
        errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        if any(code_of(error) in _UNFIT for error in errors):
            await wire.drop()  # the next connection may lead to a server that does serve
        else:
            self._pool.give_back(wire)


def _together(batch: list[Call]) -> tuple[bytes, int, dict[bytes, int]]:
    """All commands of a batch, how many replies they have, and where the replies to the shared reads stand.

    The reads come last. Read before the commands, a value may be of an earlier life of the server than their answers.
    """
    packed = [call.commands for call in batch]
    count = sum([call.count for call in batch])
    places: dict[bytes, int] = {}
    for call in batch:
        key = call.also_read
        if key is not None and key not in places:
            places[key] = count
            packed.append(pack("GET", key))
            count += 1
    return b"".join(packed), count, places


def _confirmations(reply: Reply) -> int:
    return reply if isinstance(reply, int) else 0


def _hand_out(batch: list[Call], replies: list[Reply], places: dict[bytes, int], *, replicas: int) -> None:
    end = 0
    for call in batch:
        start, end = end, end + call.count
        read = None if call.also_read is None else replies[places[call.also_read]]
        call.succeed(replies[start:end], read, replicas)
