"""The queue by itself: who runs what, and that nobody waits for ever."""

import asyncio
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from mintkey.sql.lane import Job, Lane


async def operation(_connection: object, requests: Sequence[int]) -> Sequence[int]:
    return requests


class Runner:
    """Runs batches when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.under_way = 0
        self.most = 0
        self.go = anyio.Event()

    async def __call__(self, jobs: Sequence[Job[Any, Any]]) -> None:
        self.batches.append([job.request for job in jobs])
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go.wait()
        self.under_way -= 1
        for job in jobs:
            job.future.set_result(job.request)


@pytest.fixture
def runner() -> Runner:
    return Runner()


async def test_what_waits_together_runs_together_in_order(runner: Runner) -> None:
    lane = Lane(runner, tasks=1, batch=3)
    jobs = [lane.submit(operation, number) for number in range(7)]
    runner.go.set()
    assert await asyncio.gather(*(job.future for job in jobs)) == list(range(7))
    assert runner.batches == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("tasks", [1, 3])
async def test_only_so_many_batches_are_under_way(runner: Runner, tasks: int) -> None:
    lane = Lane(runner, tasks=tasks, batch=1)
    for number in range(9):
        lane.submit(operation, number)
    await anyio.wait_all_tasks_blocked()
    assert runner.most == tasks
    runner.go.set()
    await lane.finish()
    assert (runner.most, len(runner.batches)) == (tasks, 9)


async def test_whoever_is_told_an_answer_may_ask_again_at_once(runner: Runner) -> None:
    """The task that answered is about to end by then; it must not be counted on."""
    lane = Lane(runner, tasks=1, batch=1)
    runner.go.set()
    with anyio.fail_after(5):
        for number in range(50):
            assert await lane.submit(operation, number).future == number


async def test_what_nobody_waits_for_is_not_run(runner: Runner) -> None:
    lane = Lane(runner, tasks=1, batch=10)
    jobs = [lane.submit(operation, number) for number in range(4)]
    jobs[0].future.cancel()
    jobs[2].future.cancel()
    runner.go.set()
    await lane.finish()
    assert runner.batches == [[1, 3]]


async def test_finishing_an_idle_lane_does_nothing(runner: Runner) -> None:
    await Lane(runner, tasks=1, batch=1).finish()


async def test_a_loop_that_shuts_down_leaves_nobody_waiting(runner: Runner) -> None:
    """It cancels all tasks, those of the lane included."""
    lane = Lane(runner, tasks=1, batch=10)
    job = lane.submit(operation, 1)
    await anyio.wait_all_tasks_blocked()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "_drain" in repr(task):
            task.cancel()
    with anyio.fail_after(5):
        await lane.finish()
    assert job.future.cancelled()
