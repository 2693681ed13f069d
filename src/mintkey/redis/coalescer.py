"""Concurrent calls share one write on one connection, and one deadline each holds for all of their retries.

A call that finds nothing under way starts a *lane*; whoever calls in the same turn of the loop joins it. While its
batch is in flight the next one gathers. So a lone caller waits for nobody, and a thousand callers cost a handful of
round trips. Many callers are spread over two lanes: while the server works for one half, we work for the other.

A batch whose answer was lost is sent again on a new connection, up to the deadline of each of its calls.
"""

import asyncio
import contextvars
import sys
from bisect import insort
from collections import deque
from operator import attrgetter

from mintkey.redis.batch import Batch
from mintkey.redis.calls import Call
from mintkey.redis.pool import Pool
from mintkey.redis.protocol import Reply
from mintkey.redis.watch import Watch
from mintkey.redis.wire import TRANSPORT_ERRORS, is_hopeless

__all__ = ["Coalescer"]

_MOST_CALLS = 256
_WORTH_A_LANE = 48
_BUSY_LANES, _MOST_LANES = 2, 4  # because many wait; because those that there are hang
_STUCK_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2
_SHARE_FOR_REPLICAS = 0.4
_by_deadline = attrgetter("deadline")


class Coalescer:
    """Batches for one server, in one event loop.

    Args:
        pool: Where connections come from.
        timeout: Seconds that a call has, from its beginning, for all its attempts.
        replicas: How many replicas must confirm the writes of a batch; 0: none is asked.

    Attributes:
        trouble: What the last attempt failed with; None if it went well.
    """

    def __init__(self, pool: Pool, *, timeout: float, replicas: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self._timeout = timeout
        self._replicas = replicas
        self._waiting: deque[Call] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._running = self._gathering = 0  # lanes that go on; those of them that have no batch in flight
        self._room = 0  # how many may wait before another lane is worth it
        self._stuck_at = 0.0  # when a batch that hangs is worth another lane
        self._watch = Watch(self._waiting)
        self.trouble: Exception | None = None

    async def answer(self, call: Call, /) -> None:
        """Wait until the call has its answer; error replies are in it as values.

        Raises:
            RedisCallError: There was no answer before the deadline.
        """
        self.post(call)
        await call.done
        call.raise_failure()

    def post(self, call: Call, /) -> None:
        """Have a call sent, together with all others of this turn of the loop; its `done` tells when it is settled."""
        loop, waiting = self._loop, self._waiting
        now = loop.time()
        call.done = loop.create_future()
        deadline = call.deadline
        if not deadline:
            deadline = call.deadline = now + self._timeout
        if waiting and deadline < waiting[-1].deadline:
            insort(waiting, call, key=_by_deadline)  # it goes on an earlier call: rare
        else:
            waiting.append(call)
        if deadline < self._watch.wakes_at:
            self._watch.wake_at(deadline)
        if len(waiting) > self._room or (now > self._stuck_at and self._running < _MOST_LANES):
            self._start_lane()

    async def aclose(self) -> None:
        """Wait until every call has its answer, or its deadline, and close the connections."""
        while self._lanes:
            await asyncio.wait(self._lanes)
        self._watch.stop()
        await self._pool.drop_idle()

    async def drop_idle(self) -> None:
        """Close connections that nobody uses right now."""
        await self._pool.drop_idle()

    # Lanes: one batch after the other, for as long as somebody waits

    def _start_lane(self) -> None:
        # A task of its own, so that no caller's cancellation can end it between a write and its replies. Made by hand:
        # an eager task would begin before the other callers of this turn have joined. In an empty context: it works
        # for all of them, not on behalf of the first.
        self._stuck_at = self._loop.time() + _STUCK_SECONDS
        self._count(running=+1, gathering=+1)
        lane = asyncio.Task(self._run_lane(), loop=self._loop, context=contextvars.Context())
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)

    async def _run_lane(self) -> None:
        try:
            while self._waiting:
                await self._settle_some()
        finally:
            # Here and not in the task's callback, which comes a turn later: a call in between would wait for nobody.
            self._count(running=-1, gathering=-1)

    def _count(self, *, running: int = 0, gathering: int) -> None:
        self._running += running
        self._gathering += gathering
        if not self._running:
            self._room = 0
        elif self._running < _BUSY_LANES:
            self._room = _WORTH_A_LANE
        else:
            self._room = sys.maxsize

    async def _settle_some(self) -> None:
        waiting = self._waiting
        # Lanes that gather together share evenly, but for crumbs.
        share = min(_MOST_CALLS, max(_WORTH_A_LANE, -(-len(waiting) // self._gathering)))
        calls = [waiting.popleft() for _ in range(min(len(waiting), share))]
        self._count(gathering=-1)
        self._watch.take_over(calls)
        try:
            await self._settle(calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            for call in calls:
                call.falter(error)
                call.fail("The Redis client failed unexpectedly", "unexpected")
        finally:
            self._watch.release(calls)
            self._count(gathering=+1)

    async def _settle(self, calls: list[Call]) -> None:
        """Try until every call has an answer or is past its deadline."""
        pause, share = _FIRST_PAUSE, 0.5
        while calls := [call for call in calls if not call.done.done()]:
            # The first attempt to hang may use half of the time, the next one what is left: a connection that died in
            # silence, as idle ones do behind a firewall, must not cost its callers their answer.
            now, last = self._loop.time(), calls[-1].deadline
            try:
                async with asyncio.timeout_at(now + (last - now) * share):
                    await self._attempt(calls)
                break
            except TRANSPORT_ERRORS as error:
                self.trouble = error
                for call in calls:
                    call.falter(error)
                    if is_hopeless(error):
                        call.fail("Redis does not accept our credentials", "NOAUTH")
                    elif call.at_most_once and call.in_doubt:
                        call.fail("the answer was lost, and asking again could do it twice", "connection")
                if isinstance(error, TimeoutError):
                    share = 1.0
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _attempt(self, calls: list[Call]) -> None:
        wire = await self._pool.take()
        # Replicas have less time than the attempt itself has, so that the answer is "too few" rather than none.
        patience = (calls[0].deadline - self._loop.time()) * _SHARE_FOR_REPLICAS
        batch = Batch(calls, replicas=self._replicas, patience=patience)

        def accept(replies: list[Reply]) -> None:
            # In the turn in which the replies came; the lane goes on in the next one, behind the callers.
            batch.hand_out(replies)
            self.trouble = None
            self._stuck_at = self._loop.time() + _STUCK_SECONDS
            if batch.found_fit:
                self._pool.give_back(wire)

        try:
            await wire.exchange(batch.commands, batch.count, accept)
        finally:
            if not batch.found_fit:
                # Not all of its replies were read, and whoever came next would get somebody else's; or its server does
                # not serve, and the next connection may lead to one that does.
                await wire.drop()
