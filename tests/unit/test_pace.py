"""The pace: who works alone is hardly asked to wait, and in a crowd the loop's other tasks get their turns."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from mintkey.pace import Pace
from mintkey.testing import FakeClock

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
STRETCH = 2 * MILLISECOND


class Works:
    """Somebody's work: takes as long as it is told on a clock that it moves, and notes who worked when."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.pace = Pace(self.clock)
        self.done: list[int] = []
        self.rests = 0

    async def __call__(self, number: int = 0, takes: timedelta = 100 * MICROSECOND) -> None:
        if self.must_wait():
            self.rests += 1
            await self.pace.rest()
        self.clock.advance(takes)
        self.done.append(number)

    def must_wait(self) -> bool:
        """What everybody asks who is about to work."""
        self.pace.free -= 1
        return self.pace.free < 0 and self.pace.is_over()


class Bystander:
    """Another task of the loop. Notes how long it was kept waiting at most, and how often it had its turn."""

    def __init__(self, clock: FakeClock, takes: timedelta = timedelta(0)) -> None:
        self.turns = 0
        self.longest = timedelta(0)
        self._clock = clock
        self._takes = takes
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            left_at = self._clock.monotonic()
            await asyncio.sleep(0)
            waited = timedelta(seconds=self._clock.monotonic() - left_at)
            self.longest = max(self.longest, waited)
            self.turns += 1
            self._clock.advance(self._takes)

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
def works() -> Works:
    return Works()


def has_waiters(pace: Pace) -> bool:
    return pace._queue is not None and pace._queue.is_busy


# --- alone


async def test_whoever_comes_now_and_then_never_waits(works) -> None:
    for number in range(200):
        await works(number)
        works.clock.advance(10 * MILLISECOND)
        await asyncio.sleep(0)
    assert works.done == list(range(200))
    assert works.rests == 0


async def test_a_short_run_is_not_interrupted(works) -> None:
    bystander = Bystander(works.clock)
    await asyncio.sleep(0)
    turns = bystander.turns
    for number in range(8):
        await works(number)
    assert (works.rests, bystander.turns) == (0, turns)
    await bystander.leave()


async def test_a_long_run_gives_way_every_few_milliseconds(works) -> None:
    bystander = Bystander(works.clock)
    await asyncio.sleep(0)
    for number in range(400):
        await works(number)
    await bystander.leave()
    assert works.done == list(range(400))
    assert 400 * 100 * MICROSECOND / (STRETCH + 8 * 100 * MICROSECOND) <= works.rests <= 20
    assert bystander.longest <= STRETCH + 8 * 100 * MICROSECOND
    assert not has_waiters(works.pace)


async def test_a_run_ends_with_its_turn_of_the_loop(works) -> None:
    for _ in range(10):
        for number in range(15):
            await works(number)
        await asyncio.sleep(0)
    assert works.rests == 0


async def test_a_machines_own_clock_is_the_default() -> None:
    pace = Pace()
    for _ in range(100):
        pace.free -= 1
        if pace.free < 0 and pace.is_over():
            await pace.rest()
    await pace.rest()
    assert not has_waiters(pace)


async def test_a_rest_that_nobody_needed_costs_a_turn_and_no_more(works) -> None:
    bystander = Bystander(works.clock)
    await asyncio.sleep(0)
    turns = bystander.turns
    await works.pace.rest()
    assert bystander.turns - turns <= 2
    assert not works.pace.is_over()
    await bystander.leave()


# --- a crowd


@pytest.mark.parametrize("callers", [2, 8, 9, 100, 500])
@pytest.mark.parametrize("takes", [0, 1, 10, 100, 1000, 5000])
async def test_everybody_of_a_crowd_gets_through(works, callers, takes) -> None:
    bystander = Bystander(works.clock)
    await asyncio.gather(*(works(number, takes * MICROSECOND) for number in range(callers)))
    await bystander.leave()
    assert sorted(works.done) == list(range(callers))
    assert not has_waiters(works.pace)
    await asyncio.sleep(0)
    assert not works.pace.is_over()


@pytest.mark.parametrize("takes", [10, 50, 100, 300])
async def test_other_tasks_get_turns_while_a_crowd_works(works, takes) -> None:
    bystander = Bystander(works.clock)
    await asyncio.sleep(0)
    await asyncio.gather(*(works(number, takes * MICROSECOND) for number in range(500)))
    await bystander.leave()
    # The clock is looked at by every eighth; whoever waited looks for himself.
    assert bystander.longest <= STRETCH + 8 * takes * MICROSECOND
    assert bystander.turns >= 500 * takes * MICROSECOND / (STRETCH + 8 * takes * MICROSECOND)


async def test_a_crowd_of_cheap_work_is_over_in_few_turns(works) -> None:
    bystander = Bystander(works.clock)
    await asyncio.gather(*(works(number, 20 * MICROSECOND) for number in range(500)))
    await bystander.leave()
    assert bystander.turns < 30  # 10 ms of work


async def test_first_come_first_served_while_the_work_takes_equally_long(works) -> None:
    """How many go on at a time follows the pace, so that hardly anybody is called up in vain."""
    await asyncio.gather(*(works(number) for number in range(500)))
    # Whoever is called up too late in a turn goes behind the others; whoever did not has kept the order.
    late = [number for place, number in enumerate(works.done) if number < max(works.done[: place + 1])]
    assert len(late) <= 60
    in_time = [number for number in works.done if number not in set(late)]
    assert in_time == sorted(in_time)


async def test_dear_work_goes_on_one_by_one_in_order(works) -> None:
    await asyncio.gather(*(works(number, 5 * MILLISECOND) for number in range(60)))
    # Eight went before anybody looked at the clock. None of them waited, so the order is whole.
    assert works.done == list(range(60))


async def test_whoever_comes_while_others_wait_goes_behind_them(works) -> None:
    crowd = [asyncio.create_task(works(number, MILLISECOND)) for number in range(30)]
    await asyncio.sleep(0)
    assert has_waiters(works.pace)
    latecomer = asyncio.create_task(works(99, MILLISECOND))
    await asyncio.gather(*crowd, latecomer)
    assert works.done[-1] == 99


async def test_cheap_and_dear_work_mixed(works) -> None:
    bystander = Bystander(works.clock)
    await asyncio.sleep(0)
    takes = [(10 if number % 10 else 3000) * MICROSECOND for number in range(300)]
    await asyncio.gather(*(works(number, takes[number]) for number in range(300)))
    await bystander.leave()
    assert sorted(works.done) == list(range(300))
    # Nobody knows beforehand what is dear: a stretch, and the one that broke it. Eight go at the beginning.
    assert bystander.longest <= STRETCH + 2 * 3 * MILLISECOND
    assert bystander.turns >= 30


async def test_a_second_crowd_is_served_like_the_first(works) -> None:
    for _ in range(3):
        works.done.clear()
        await asyncio.gather(*(works(number) for number in range(200)))
        assert sorted(works.done) == list(range(200))
        await asyncio.sleep(0)
    assert not has_waiters(works.pace)


async def test_a_crowd_that_keeps_coming_starves_nobody(works) -> None:
    """Each of fifty works a hundred times; nobody is done before everybody had most of their turns."""
    left: list[int] = []
    times = [0] * 50

    async def again_and_again(number: int) -> None:
        for _ in range(100):
            await works(number)
            times[number] += 1
            await asyncio.sleep(0)
        left.append(min(times))

    await asyncio.gather(*(again_and_again(number) for number in range(50)))
    assert len(works.done) == 5000
    assert left[0] >= 50


# --- a busy loop


@pytest.mark.parametrize("takes", [1, 5, 50, 500])
async def test_nobody_starves_however_long_other_tasks_take(works, takes) -> None:
    """One goes on in every turn at least, though others used up the time of it."""
    bystander = Bystander(works.clock, takes=takes * MILLISECOND)
    waiting = [asyncio.create_task(works(number)) for number in range(100)]
    await asyncio.gather(*waiting)
    assert sorted(works.done) == list(range(100))
    assert bystander.turns <= 2 * 100
    await bystander.leave()


async def test_while_others_take_long_the_order_is_kept(works) -> None:
    bystanders = [Bystander(works.clock, takes=5 * MILLISECOND) for _ in range(3)]
    await asyncio.gather(*(works(number) for number in range(40)))
    assert works.done == list(range(40))
    for bystander in bystanders:
        await bystander.leave()


# --- cancellation


async def until_they_wait(works: Works, callers: int) -> list[asyncio.Task[None]]:
    """Tasks of which all but the first few wait for their turn."""
    tasks = [asyncio.create_task(works(number, MILLISECOND)) for number in range(callers)]
    await asyncio.sleep(0)
    assert has_waiters(works.pace)
    return tasks


async def test_whoever_is_cancelled_leaves_the_queue_to_the_others(works) -> None:
    tasks = await until_they_wait(works, 60)
    went = len(works.done)
    cancelled = tasks[went::2]
    for task in cancelled:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in cancelled)
    assert sorted(works.done) == [number for number in range(60) if tasks[number] not in cancelled]
    await works(60)
    assert works.done[-1] == 60
    assert not has_waiters(works.pace)


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_whole_queue_may_be_cancelled_at_any_moment(works, turns) -> None:
    tasks = await until_they_wait(works, 40)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(works.done) == 40 - len(waiting)
    await asyncio.gather(*(works(100 + number) for number in range(40)))
    assert works.done[-1] >= 100
    assert len(works.done) == 80 - len(waiting)
    assert not has_waiters(works.pace)


async def test_whoever_is_cancelled_when_it_is_his_turn_keeps_nobody_waiting(works, monkeypatch) -> None:
    tasks = await until_they_wait(works, 30)
    queue = works.pace._queue
    assert queue is not None
    # The first who rests is in no queue. Those behind him are let go on in the order of their tasks.
    serve, behind = queue._serve, len(works.done) + 1

    def serve_and_cancel() -> None:
        serve()
        tasks[behind].cancel()

    monkeypatch.setattr(queue, "_serve", serve_and_cancel)
    await asyncio.wait(tasks)
    assert tasks[behind].cancelled()
    assert len(works.done) == 29


# --- several loops


def in_a_loop_of_its_own(works: Works, callers: int) -> None:
    async def main() -> None:
        await asyncio.gather(*(works(number) for number in range(callers)))

    asyncio.run(main())


def test_one_loop_after_another(works) -> None:
    for _ in range(3):
        in_a_loop_of_its_own(works, 100)
    assert sorted(works.done) == sorted([*range(100)] * 3)
    assert not has_waiters(works.pace)


def test_a_loop_that_was_closed_while_others_waited_is_no_burden_to_the_next(works) -> None:
    async def leave_early() -> None:
        await until_they_wait(works, 50)

    asyncio.run(leave_early())
    works.done.clear()
    in_a_loop_of_its_own(works, 50)
    assert sorted(works.done) == list(range(50))
    assert not has_waiters(works.pace)


def test_two_loops_in_two_threads_share_a_pace() -> None:
    works = Works()
    begin = threading.Barrier(2, timeout=10)
    finished: list[str] = []

    def thread(run: Callable[[], None]) -> None:
        begin.wait()
        run()
        finished.append(threading.current_thread().name)

    threads = [
        threading.Thread(target=thread, args=[lambda: in_a_loop_of_its_own(works, 400)], daemon=True) for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(finished) == 2
    assert sorted(works.done) == sorted([*range(400)] * 2)


def test_a_crowd_in_one_loop_does_not_wait_for_that_in_another(works) -> None:
    """Loops that take turns, step by step: each serves its own."""
    loops = [asyncio.new_event_loop() for _ in range(2)]
    tasks = [[loop.create_task(works(number)) for number in range(60)] for loop in loops]
    for _ in range(200):
        for loop in loops:
            loop.call_soon(loop.stop)
            loop.run_forever()
    assert all(task.done() for crowd in tasks for task in crowd)
    assert sorted(works.done) == sorted([*range(60)] * 2)
    for loop in loops:
        loop.close()
