"""Transactions on one database for many concurrent callers."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import anyio
from sqlalchemy import Connection, Table, inspect
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.errors import ConfigurationError, MintkeyError
from mintkey.sql.backend import Insert
from mintkey.sql.engine import EngineOrURL, open_engine
from mintkey.sql.errors import Failure, cause_of, explain
from mintkey.sql.lane import Batch, Job, Lane, Operation
from mintkey.sql.schema import metadata

__all__ = ["Database"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")


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
        self._is_ready = False
        self._preparing = anyio.Lock()
        self._reads = Lane(self._settle_reads, tasks=self._backend.readers, batch=self._backend.batch)
        self._writes = Lane(self._settle_writes, tasks=self._backend.writers, batch=self._backend.batch)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._opened.name

    def insert(self, table: Table, /) -> Insert:
        """An INSERT that knows ON CONFLICT."""
        return self._backend.insert(table)

    async def read(self, operation: Operation[Request, Answer], request: Request, /) -> Answer:
        """What the operation answers to the request.

        Args:
            operation: Reads, one statement at a time; it shares its connection with others.
            request: Handed to the operation, together with those of other callers.

        Raises:
            BackendError: The one that `failure` makes.
        """
        return await self._answer(self._reads.submit(operation, request))

    async def write(self, operation: Operation[Request, Answer], request: Request, /) -> Answer:
        """What the operation answers to the request, committed.

        Args:
            operation: Begins by writing. It shares its transaction with others, so that nothing of it is undone if it
                refuses a request.
            request: As for `read`.

        Raises:
            BackendError: The one that `failure` makes.
        """
        return await self._answer(self._writes.submit(operation, request))

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
        except MintkeyError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like, and none of it may leave
            cause = cause_of(error)
        message = f"the database {self.name} cannot be used: {explain(cause)}"
        raise self._failure(message, may_have_happened=job.may_have_happened) from cause

    async def _settle_reads(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=False)

    async def _settle_writes(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=True)

    async def _settle(self, jobs: Sequence[Job[Any, Any]], *, write: bool) -> None:
        """Run transactions until every job is settled."""
        may_renew = True
        while jobs := [job for job in jobs if not job.future.done()]:
            batch = Batch(jobs, write=write)
            try:
                await self._transact(batch, write=write)
            except Exception as error:  # noqa: BLE001 - as in `_answer`, which translates it
                if may_renew and not batch.is_committing and self._backend.is_stale(error):
                    may_renew = self._is_ready = False
                else:
                    batch.fail(error)

    async def _transact(self, batch: Batch, *, write: bool) -> None:
        async with self._connected() as connection:
            if write:
                await self._backend.begin(connection)
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
            async with self._opened.engine.connect() as connection:
                if await self._backend.is_current(connection):
                    yield connection
                    return
                await connection.invalidate()
            logging.getLogger(__name__).warning("the file of %s was replaced: opening the new one", self.name)
            self._is_ready = False
            if self._opened.is_ours:
                await self._opened.engine.dispose()  # the other connections lead to the old file as well

    async def _prepare(self) -> None:
        async with self._preparing:
            if self._is_ready:
                return
            await self._backend.prepare()
            async with self._opened.engine.connect() as connection:
                # Looked up first: whoever may not create tables, or only read, does not have to.
                if not await connection.run_sync(self._has_tables):
                    await connection.rollback()
                    await self._backend.begin(connection)
                    await self._backend.lock_schema(connection)
                    await connection.run_sync(metadata.create_all, tables=self._tables)
                    await self._backend.commit(connection)
            self._is_ready = True

    def _has_tables(self, connection: Connection) -> bool:
        schema = inspect(connection)
        return all(schema.has_table(table.name) for table in self._tables)
