"""Where costly work is done so that nobody waits for it needlessly: RSA above all, and signatures by the hundred.

`cryptography` lets go of the interpreter while it computes, so in worker threads all cores sign and the event loop goes
on. But a hop to a thread and back costs some 75 µs, a quarter of an RSA signature. Hence: who is alone signs on the
spot, for a moment; who comes together with others shares hops with them.
"""

import os
from asyncio import AbstractEventLoop, Future, Task, current_task, gather, get_running_loop, sleep
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

from anyio import CapacityLimiter, to_thread

from mintkey.clock import Clock, SystemClock

__all__ = ["offload", "sign_all_here", "sign_all_in_threads", "sign_fairly"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Sign = Callable[[bytes], bytes]

# How long a caller may go on signing on the spot before the loop gets its turn, in seconds: a little more than `mint`
# allows itself, so that a lone caller gives way once and not twice.
_PATIENCE = 0.003

# The first of a batch waits for the last: few enough to go unnoticed, enough to make the hop cheap.
_MOST_IN_A_BATCH = 8

# HMACs are too cheap for threads and do not let go of the interpreter. So many take half a millisecond.
_HMACS_AT_ONCE = 256


async def offload(function: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """What the function returns, called in a worker thread; at most one thread a core does such work.

    More threads would only take turns, and the event loop would wait for its own (measured with 200 signatures at once:
    40 threads stall it for 14 ms, 2 threads for 2 ms).
    """
    return await to_thread.run_sync(function, *args, limiter=_bench().limiter)


async def sign_fairly(sign: Sign, signing_input: bytes, /, *, is_slow: bool = False) -> bytes:
    """What `sign` returns for this input: called here while nobody else wants to sign, else in a worker thread.

    Args:
        sign: Takes a fraction of a millisecond or more, and lets go of the interpreter meanwhile.
        signing_input: What to sign.
        is_slow: It takes so long that it always goes to a thread.
    """
    bench = _bench()
    if not is_slow and bench.has_one_caller():
        return sign(signing_input)
    return await bench.submit(partial(sign, signing_input), is_slow=is_slow)


async def sign_all_in_threads(
    sign: Sign, signing_inputs: Sequence[bytes], /, *, at_once: int, is_slow: bool = False
) -> list[bytes]:
    """What `sign` returns for each input, in their order, on all cores; a few are not worth a hop and made here.

    Args:
        sign: Lets go of the interpreter while it computes.
        signing_inputs: What to sign.
        at_once: So many signatures are carried as if they were one, because they take about as long.
        is_slow: Even a single one takes so long that it always goes to a thread.

    Raises:
        Exception: What `sign` raised first.
    """
    bench = _bench()
    size = min(at_once, max(-(-at_once // 4), -(-len(signing_inputs) // bench.cores)))
    calls = (partial(_sign_each, sign, part) for part in _slices(signing_inputs, size))
    parts = await gather(*(bench.submit(call, is_slow=is_slow) for call in calls))
    return [signature for part in parts for signature in part]


async def sign_all_here(sign: Sign, signing_inputs: Sequence[bytes], /) -> list[bytes]:
    """What `sign` returns for each input, in their order; the loop gets its turn in between."""
    signatures: list[bytes] = []
    for part in _slices(signing_inputs, _HMACS_AT_ONCE):
        signatures += _sign_each(sign, part)
        await sleep(0)
    return signatures


def _slices(signing_inputs: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (signing_inputs[start : start + size] for start in range(0, len(signing_inputs), size))


def _sign_each(sign: Sign, signing_inputs: Sequence[bytes]) -> list[bytes]:
    return [sign(signing_input) for signing_input in signing_inputs]


class _Job(NamedTuple):
    call: Callable[[], Any]
    result: "Future[Any]"
    is_slow: bool


_Outcome = tuple[_Job, object]
"""A job, and what its call returned or the exception that it raised."""


class _Bench:
    """The jobs of one event loop, and the tasks that carry them to threads.

    Args:
        clock: Says how long somebody has been signing on the spot.
    """

    def __init__(self, clock: Clock) -> None:
        self.cores = os.cpu_count() or 1
        self.limiter = CapacityLimiter(self.cores)
        self._clock = clock
        self._jobs: deque[_Job] = deque()
        self._carriers: set[Task[None]] = set()
        self._is_called = False
        self._lone: tuple[Task[Any] | None, float] | None = None
        """Who signs on the spot in this turn of the loop, and until when."""

    def has_one_caller(self) -> bool:
        """Whether a single task wants to sign in this turn of the loop, and has not done so for too long.

        Of many that come together the first takes itself for the only one; the others meet in the queue.
        """
        if self._jobs or self._carriers:
            return False
        now = self._clock.monotonic()
        if self._lone is None:
            self._lone = current_task(), now + _PATIENCE
            get_running_loop().call_soon(self._begin_turn)
            return True
        caller, until = self._lone
        return now < until and current_task() is caller

    def submit(self, call: Callable[[], T], *, is_slow: bool) -> "Future[T]":
        """What the call will have returned; it waits for the next turn of the loop, to see who else comes."""
        loop = get_running_loop()
        result: Future[T] = loop.create_future()
        self._jobs.append(_Job(call, result, is_slow))
        if not self._is_called:
            self._is_called = True
            loop.call_soon(self._dispatch, loop)
        return result

    def _begin_turn(self) -> None:
        self._lone = None

    def _dispatch(self, loop: AbstractEventLoop) -> None:
        self._is_called = False
        if len(self._jobs) == 1 and not self._carriers and not self._jobs[0].is_slow:
            _settle(_run([self._jobs.popleft()]))
            return
        for _ in range(min(len(self._jobs), self.cores - len(self._carriers))):
            # Detached, hence asyncio: the job belongs to everybody in the batch, and each of them may be cancelled.
            carrier = loop.create_task(self._carry())
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)

    async def _carry(self) -> None:
        while self._jobs:
            fair_share = -(-len(self._jobs) // self.cores)
            batch = [self._jobs.popleft() for _ in range(min(fair_share, _MOST_IN_A_BATCH))]
            try:
                outcomes = await offload(_run, batch)
            except Exception as error:  # noqa: BLE001 - no thread to be had, for instance: nobody may wait for ever
                outcomes = [(job, error) for job in batch]
            except BaseException:  # the loop is closing
                for job in batch:
                    job.result.cancel()
                raise
            _settle(outcomes)


def _run(batch: Sequence[_Job]) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    for job in batch:
        try:
            outcomes.append((job, None if job.result.cancelled() else job.call()))
        except Exception as error:  # noqa: BLE001 - it is the one caller's business, not that of the others
            outcomes.append((job, error))
    return outcomes


def _settle(outcomes: Sequence[_Outcome]) -> None:
    for job, outcome in outcomes:
        if job.result.cancelled():
            continue
        if isinstance(outcome, Exception):
            job.result.set_exception(outcome)
        else:
            job.result.set_result(outcome)


# A bench belongs to one event loop, and does not outlive it: it must never hold on to the loop. (`RunVar` of anyio
# does the same, five times as slowly.)
_benches: WeakKeyDictionary[AbstractEventLoop, _Bench] = WeakKeyDictionary()


def _bench() -> _Bench:
    loop = get_running_loop()
    bench = _benches.get(loop)
    if bench is None:
        bench = _benches[loop] = _Bench(SystemClock())
    return bench
