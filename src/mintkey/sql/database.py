"""Transactions on one database for many concurrent callers."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import anyio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.errors import ConfigurationError, MintkeyError
from mintkey.health import Check
from mintkey.sql.backend import Backend, Bell, Durability
from mintkey.sql.engine import EngineOrURL, open_engine
from mintkey.sql.errors import Failure, cause_of, explain
from mintkey.sql.lane import Batch, Job, Lane, Operation
from mintkey.sql.schema import metadata
from mintkey.sql.tables import are_there

__all__ = ["Database"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between looks at what became of a commit

_logger = logging.getLogger("mintkey")


class Database:
    """Runs reading and writing work in transactions, within a time, and makes the tables at first use.

    Args:
        engine_or_url: A URL, or an `AsyncEngine` that stays the caller's.
        tables: The tables that the work needs.
        timeout: How long a caller waits at most.
        failure: Makes the error when the database does not do what it should.

    Raises:
        ConfigurationError: The URL, the engine or the timeout cannot be used (`configuration`).
        MissingExtraError: The driver is not installed (`extra_missing`).
    """

    def __init__(
        self, engine_or_url: EngineOrURL, *, tables: Sequence[Table], timeout: timedelta, failure: Failure
    ) -> None:
        if timeout <= timedelta(0):
            raise ConfigurationError("timeout must be positive")
        self._opened = open_engine(engine_or_url, timeout=timeout)
        self._backend = self._opened.backend
        self._tables = tables
        self._timeout = timeout.total_seconds()
        self._failure = failure
        # How long a connection may be silent. Later than its caller, who has been told by then, gives up on it.
        self._patience = self._timeout if self._backend.is_remote else None
        self._is_ready = False
        self._has_warned = False
        self._preparing = anyio.Lock()
        self._reads = Lane(self._settle_reads, tasks=self._backend.readers, batch=self._backend.batch)
        self._writes = Lane(self._settle_writes, tasks=self._backend.writers, batch=self._backend.batch)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._opened.name

    @property
    def backend(self) -> Backend:
        """What is special about the database."""
        return self._backend

    async def read(self, operation: Operation[Request, Answer], request: Request, /) -> Answer:
        """What the operation answers to the request.

        Args:
            operation: Reads, one statement at a time; it shares its connection with others.
            request: Handed to the operation, together with those of other callers.

        Raises:
            BackendError: The one that `failure` makes.
        """
        return await self._answer(self._reads.submit(operation, request))

    async def write(
        self, operation: Operation[Request, Answer], request: Request, /, *, is_repeatable: bool = False
    ) -> Answer:
        """What the operation answers to the request, committed.

        Args:
            operation: Begins by writing. It shares its transaction with others, so that nothing of it is undone if it
                refuses a request.
            request: As for `read`.
            is_repeatable: Done a second time, it changes nothing and is answered as the first time: it is run again if
                the answer to its commit was lost. Anything else is committed at most once.

        Raises:
            BackendError: The one that `failure` makes.
        """
        return await self._answer(self._writes.submit(operation, request, is_repeatable=is_repeatable))

    async def watch(
        self, operation: Operation[Request, Answer | None], request: Request, topic: str, /
    ) -> AsyncGenerator[Answer]:
        """What the operation answers to the request, first now and then whenever that changes.

        It says nothing where the database cannot tell of changes.

        Args:
            operation: As for `read`.
            request: As for `read`.
            topic: Of which the backend tells when the answer changes.

        Raises:
            BackendError: The one that `failure` makes; the connection was lost, for instance.
        """
        try:
            async with self._connected() as connection, self._listening(connection, topic) as bell:
                last: Answer | None = None
                while bell is not None:
                    async with asyncio.timeout(self._patience):
                        (answer,) = await operation(connection, [request])
                    if answer is not None and answer != last:
                        yield answer
                    last = answer
                    await bell.ring()
                return
        except Exception as error:  # noqa: BLE001 - as in `_answer`
            failed = error
        raise self._error(failed, may_have_happened=False) from cause_of(failed)

    async def checks(self) -> Mapping[str, Check]:
        """Whether what was committed is kept, as `durability`, with what the database's setting says."""
        try:
            durability = await self.read(self._durability, None)
        except MintkeyError as error:
            return {"durability": Check(ok=False, word=error.reason, figure=0)}
        return {"durability": Check(ok=durability.is_kept, word=durability.word, figure=0)}

    async def close(self) -> None:
        """End what is under way, and close an engine of our own; the next use opens it again."""
        with anyio.move_on_after(self._timeout, shield=True):
            await self._reads.finish()
            await self._writes.finish()
        if self._opened.is_ours:
            with anyio.CancelScope(shield=True):
                await self._opened.engine.dispose()
            self._is_ready = False

    async def _answer(self, job: Job[Any, Answer]) -> Answer:
        """Wait for the answer, no longer than the time."""
        try:
            with anyio.fail_after(self._timeout):
                return await job.future
        except Exception as error:  # noqa: BLE001 - drivers raise what they like, and none of it may leave
            failed = error
        # Outside of the block: the wrapper of the cause would be this error's context.
        raise self._error(failed, may_have_happened=job.may_have_happened) from cause_of(failed)

    def _error(self, error: Exception, *, may_have_happened: bool) -> MintkeyError:
        if isinstance(error, MintkeyError):
            return error
        message = f"the database {self.name} cannot be used: {explain(cause_of(error))}"
        return self._failure(message, may_have_happened=may_have_happened)

    async def _settle_reads(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=False)

    async def _settle_writes(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=True)

    async def _settle(self, jobs: Sequence[Job[Any, Any]], *, write: bool) -> None:
        """Run transactions until every job is settled."""
        may_renew, pause = True, _FIRST_PAUSE
        while jobs := [job for job in jobs if not job.future.done()]:
            batch = Batch(jobs, write=write)
            try:
                await self._transact(batch, write=write)
            except Exception as error:  # noqa: BLE001 - as in `_answer`, which translates it
                if may_renew and not batch.is_committing and self._backend.is_stale(error):
                    may_renew = self._is_ready = False
                else:
                    batch.fail(error, is_cut=self._backend.is_cut(error))
                    if any(job.is_unsettled for job in jobs):
                        await anyio.sleep(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)

    async def _transact(self, batch: Batch, *, write: bool) -> None:
        async with self._connected() as connection, self._patient(connection):
            await (self._backend.begin if write else self._backend.begin_reading)(connection)
            await batch.work(connection)
            if write and not batch.is_abandoned:
                batch.is_committing = True
                await self._backend.commit(connection)
        batch.answer()  # when the connection is back in its pool: whoever hears the last answer may dispose of it

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AsyncConnection]:
        """A connection to the database as it is now, with its tables."""
        while True:
            await self._prepare()
            async with self._connection() as connection:
                if await self._backend.is_current(connection):
                    yield connection
                    return
                await connection.invalidate()
            _logger.warning("the file of %s was replaced: opening the new one", self.name)
            self._is_ready = False
            if self._opened.is_ours:
                await self._opened.engine.dispose()  # the other connections lead to the old file as well

    async def _prepare(self) -> None:
        async with self._preparing:
            if self._is_ready:
                return
            await self._backend.prepare()
            async with self._connection() as connection, self._patient(connection):
                # Looked up first: whoever may not create tables, or only read, does not have to.
                has_tables = await connection.run_sync(are_there, self._tables)
                if not self._has_warned:
                    self._warn_of(await self._backend.durability(connection))
                if not has_tables:
                    await connection.rollback()
                    await self._backend.begin(connection)
                    await self._backend.lock_schema(connection)
                    await connection.run_sync(metadata.create_all, tables=self._tables)
                    await self._backend.commit(connection)
            self._is_ready = True

    def _warn_of(self, durability: Durability) -> None:
        self._has_warned = True
        if not durability.is_kept:
            _logger.warning(
                "%s has %s = %s: a power cut takes back what was answered, so that spent tokens are let in again and "
                "versions sign beyond their caps",
                self.name,
                durability.setting,
                durability.word,
            )

    async def _durability(self, connection: AsyncConnection, requests: Sequence[None], /) -> list[Durability]:
        durability = await self._backend.durability(connection)
        return [durability for _ in requests]

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        async with asyncio.timeout(self._patience) as limit, self._opened.engine.connect() as connection:
            limit.reschedule(None)
            yield connection

    @asynccontextmanager
    async def _patient(self, connection: AsyncConnection) -> AsyncGenerator[None]:
        """Give a silent connection up: whatever is asked on it would hang for as long as the network likes."""
        try:
            async with asyncio.timeout(self._patience):
                yield
        except TimeoutError:
            await connection.invalidate()
            raise

    @asynccontextmanager
    async def _listening(self, connection: AsyncConnection, topic: str) -> AsyncGenerator[Bell | None]:
        async with asyncio.timeout(self._patience) as limit, self._backend.listening(connection, topic) as bell:
            limit.reschedule(None)
            yield bell
