"""A queue of database work that is run by tasks of its own, many jobs in one transaction.

Callers only wait for a future. Whoever is cancelled or runs out of time leaves without touching the connection: their
statement is not interrupted half-way, and no transaction is left open. And as every commit flushes to disk, jobs that
wait at the same time share one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Batch", "Job", "Lane", "Operation"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")

Operation = Callable[[AsyncConnection, Sequence[Request]], Awaitable[Sequence[Answer]]]
"""Does what several requests of one kind ask for, in their order, and answers each. After a rollback it runs again."""


class Job(Generic[Request, Answer]):
    """One request to an operation, and the future of its answer.

    Attributes:
        operation: What is to be done with the request.
        request: The request.
        future: The answer, set after the commit. Cancelled: nobody waits for it any more.
        is_repeatable: Done a second time, it changes nothing and is answered as the first time.
        is_sent: A change was sent, and not taken back so far.
        is_unsettled: A commit was sent and its answer lost, so it is run again for the answer.
    """

    __slots__ = ("future", "is_repeatable", "is_sent", "is_unsettled", "operation", "request")

    def __init__(
        self,
        operation: Operation[Request, Answer],
        request: Request,
        future: "asyncio.Future[Answer]",
        *,
        is_repeatable: bool,
    ) -> None:
        self.operation: Operation[Request, Answer] = operation
        self.request: Request = request
        self.future: asyncio.Future[Answer] = future
        self.is_repeatable: bool = is_repeatable
        self.is_sent: bool = False
        self.is_unsettled: bool = False

    @property
    def may_have_happened(self) -> bool:
        """Whether nobody can tell, as things are, that the request was not carried out."""
        return self.is_sent or self.is_unsettled


class Batch:
    """The jobs of one transaction.

    Args:
        jobs: The jobs.
        write: Whether they change anything.

    Attributes:
        is_committing: Whether the commit was sent: from then on, nobody can tell before its answer.
    """

    __slots__ = ("_answers", "_jobs", "_running", "_write", "is_committing")

    def __init__(self, jobs: Sequence[Job[Any, Any]], /, *, write: bool) -> None:
        self._jobs = jobs
        self._write = write
        self._running: Sequence[Job[Any, Any]] = ()
        self._answers: list[tuple[Job[Any, Any], Any]] = []
        self.is_committing: bool = False

    async def work(self, connection: AsyncConnection, /) -> None:
        """Do all jobs that somebody waits for, in order, neighbours that ask for the same in one go."""
        for operation, jobs in groupby(self._jobs, attrgetter("operation")):
            self._running = [job for job in jobs if not job.future.done()]
            if self._running:
                for job in self._running:
                    job.is_sent = self._write
                answers = await operation(connection, [job.request for job in self._running])
                self._answers += zip(self._running, answers, strict=True)
        self._running = ()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for any of the answers."""
        return all(job.future.done() for job in self._jobs)

    @property
    def is_repeatable(self) -> bool:
        """Whether all of them may be run again if the answer to the commit is lost."""
        return all(job.is_repeatable for job in self._jobs)

    def answer(self) -> None:
        """Give everybody who still waits their answer."""
        for job, answer in self._answers:
            if not job.future.done():
                job.future.set_result(answer)

    def take_back(self) -> None:
        """Know that nothing of it was committed, and that nothing will be: the commit was never sent."""
        for job in self._jobs:
            job.is_sent = False

    def fail(self, error: Exception, /, *, is_cut: bool) -> None:
        """Fail the jobs that were running, so that the others can be run again without them; else all.

        Args:
            error: What went wrong.
            is_cut: The connection broke, or was given up. If that was in the commit, jobs that may be repeated are not
                failed, now or later: only running them again, for as long as somebody waits, can tell what became of
                them.
        """
        for job in self._jobs:
            job.is_sent = self.is_committing  # else it was rolled back
            job.is_unsettled |= job.is_repeatable and self.is_committing and is_cut
        for job in self._running or self._jobs:
            if not job.future.done() and not job.is_unsettled:
                job.future.set_exception(error)


class Lane:
    """Jobs in the order of their arrival, run in batches by at most so many tasks at a time.

    Args:
        run: Settles every job of a batch, whatever happens; it raises nothing but cancellation.
        tasks: How many batches may be under way at once.
        batch: How many jobs share a transaction at most.
    """

    def __init__(self, run: Callable[[Sequence[Job[Any, Any]]], Awaitable[None]], *, tasks: int, batch: int) -> None:
        self._run = run
        self._limit = tasks
        self._batch = batch
        self._waiting: deque[Job[Any, Any]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(
        self, operation: Operation[Request, Answer], request: Request, /, *, is_repeatable: bool = False
    ) -> Job[Request, Answer]:
        """Put a request at the end of the queue; its future will be settled unless it is cancelled first."""
        job = Job(operation, request, asyncio.get_running_loop().create_future(), is_repeatable=is_repeatable)
        self._waiting.append(job)
        if len(self._tasks) < self._limit:
            # Detached on purpose, hence asyncio: the work belongs to no caller, and must outlive each of them.
            self._tasks.add(asyncio.create_task(self._drain()))
        return job

    async def finish(self) -> None:
        """Wait until everything that was submitted is settled."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _drain(self) -> None:
        jobs: list[Job[Any, Any]] = []
        try:
            while jobs := self._take():
                await self._run(jobs)
        finally:
            # Here and not in a callback: between the last look at the queue and this nobody can submit a job.
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            # Only if this very task is cancelled, as a loop does that shuts down: nobody may wait for ever.
            for job in jobs:
                job.future.cancel()

    def _take(self) -> list[Job[Any, Any]]:
        """The next jobs that somebody still waits for."""
        jobs: list[Job[Any, Any]] = []
        while self._waiting and len(jobs) < self._batch:
            job = self._waiting.popleft()
            if not job.future.done():
                jobs.append(job)
        return jobs
