"""Worker threads for what is worth them: RSA signatures, new RSA keys, loading private RSA keys.

`cryptography` lets go of the interpreter while it computes, so the other cores sign too and the event loop goes on. A
hop to a thread and back costs some 75 µs, a quarter of an RSA signature: signatures that are asked for in one turn of
the loop share their hops.
"""

import os
from asyncio import AbstractEventLoop, Future, Task, get_running_loop
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

__all__ = ["offload", "sign_in_thread"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_Job = tuple[Callable[[bytes], bytes], bytes, "Future[bytes]"]

# The first of a batch waits for the last: few enough to go unnoticed, enough to make the hop cheap.
_MOST_IN_A_BATCH = 8


async def offload(function: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """What the function returns, called in a worker thread; at most one thread a core does such work.

    More threads would only take turns, and the event loop would wait for its own (measured with 200 signatures at once:
    40 threads stall it for 14 ms, 2 threads for 2 ms).
    """
    return await to_thread.run_sync(function, *args, limiter=_bench().limiter)


async def sign_in_thread(sign: Callable[[bytes], bytes], signing_input: bytes, /) -> bytes:
    """What `sign` returns for this input, called in a worker thread together with what others ask for right now."""
    return await _bench().submit(sign, signing_input)


class _Bench:
    """The jobs of one event loop, and the tasks that carry them to threads."""

    def __init__(self) -> None:
        self.cores = os.cpu_count() or 1
        self.limiter = CapacityLimiter(self.cores)
        self._loop: AbstractEventLoop = get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._carriers: set[Task[None]] = set()

    def submit(self, sign: Callable[[bytes], bytes], signing_input: bytes) -> "Future[bytes]":
        signature: Future[bytes] = self._loop.create_future()
        self._jobs.append((sign, signing_input, signature))
        if len(self._carriers) < self.cores:
            # Detached, hence asyncio: the job belongs to everybody in the batch, and each of them may be cancelled.
            carrier = self._loop.create_task(self._carry())
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)
        return signature

    async def _carry(self) -> None:
        while self._jobs:
            fair_share = -(-len(self._jobs) // self.cores)
            batch = [self._jobs.popleft() for _ in range(min(fair_share, _MOST_IN_A_BATCH))]
            outcomes: Sequence[bytes | Exception]
            try:
                outcomes = await offload(_run, batch)
            except Exception as error:  # noqa: BLE001 - no thread to be had, for instance: nobody may wait for ever
                outcomes = [error] * len(batch)
            except BaseException:  # the loop is closing
                for _, _, signature in batch:
                    signature.cancel()
                raise
            for (_, _, signature), outcome in zip(batch, outcomes, strict=True):
                if signature.cancelled():
                    continue
                if isinstance(outcome, Exception):
                    signature.set_exception(outcome)
                else:
                    signature.set_result(outcome)


def _run(batch: list[_Job]) -> list[bytes | Exception]:
    outcomes: list[bytes | Exception] = []
    for sign, signing_input, signature in batch:
        try:
            outcomes.append(b"" if signature.cancelled() else sign(signing_input))
        except Exception as error:  # noqa: BLE001 - it is the one caller's business, not that of the others
            outcomes.append(error)
    return outcomes


# A bench belongs to one event loop, hence one for each.
_current: RunVar[_Bench] = RunVar("mintkey.jose.bench")


def _bench() -> _Bench:
    bench = _current.get(None)
    if bench is None:
        bench = _Bench()
        _current.set(bench)
    return bench
