"""Work that several callers wait for runs once and belongs to none of them."""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from mintkey.errors import KeyProviderError
from mintkey.flight import Detached, SingleFlight


def closed() -> KeyProviderError:
    return KeyProviderError("closed while somebody waited")


class Work:
    """Returns how often it ran, when it is told to go on."""

    def __init__(self) -> None:
        self.began = 0
        self.go_on = anyio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.began += 1
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return self.began


async def test_callers_share_what_runs() -> None:
    work, results = Work(), list[int]()
    flight = SingleFlight(Detached(closed), work)

    async def join() -> None:
        results.append(await flight.join())

    async with anyio.create_task_group() as callers:
        for _ in range(5):
            callers.start_soon(join)
        await anyio.wait_all_tasks_blocked()
        assert flight.is_running
        work.go_on.set()
    assert results == [1] * 5
    assert not flight.is_running
    assert await flight.join() == 2


async def test_a_cancelled_caller_leaves_it_running() -> None:
    work = Work()
    flight = SingleFlight(Detached(closed), work)
    with anyio.move_on_after(0):
        await flight.join()
    assert flight.is_running
    work.go_on.set()
    assert await flight.join() == 1


async def test_everybody_gets_the_error() -> None:
    work = Work()
    flight = SingleFlight(Detached(closed), work)
    work.error = LookupError("no")
    work.go_on.set()
    for _ in range(2):
        with pytest.raises(LookupError):
            await flight.join()
    assert work.began == 2


async def test_an_error_that_nobody_waits_for_is_not_reported_at_exit() -> None:
    """The event loop would log it, and pytest would make that a failure."""
    work = Work()
    work.error = LookupError("no")
    task = SingleFlight(Detached(closed), work).start()
    work.go_on.set()
    while not task.done():
        await anyio.lowlevel.checkpoint()


async def test_closing_ends_what_runs_and_tells_who_waits() -> None:
    """As an error of ours: a CancelledError would look as if somebody had cancelled the caller."""
    tasks, told = Detached(closed), list[str]()

    async def wait() -> None:
        with pytest.raises(KeyProviderError, match="closed") as raised:
            await tasks.run(Work()())
        told.append(raised.value.reason)

    async with anyio.create_task_group() as callers:
        callers.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await tasks.aclose()
    assert told == ["keys_unavailable"]
    await tasks.aclose()


def test_a_flight_of_a_loop_that_is_gone_is_gone() -> None:
    """A provider that one event loop left behind in mid-work serves the next one."""
    work = Work()
    tasks = Detached(closed)
    flight = SingleFlight(tasks, work)

    async def begin() -> None:
        flight.start()
        await asyncio.sleep(0)

    async def finish() -> int:
        assert not flight.is_running
        work.go_on = anyio.Event()
        work.go_on.set()
        result = await flight.join()
        await tasks.aclose()
        return result

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    assert asyncio.run(finish()) == 2
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
