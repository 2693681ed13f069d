"""Transactions on one database for the callers of one event loop.

Connections, locks and queues belong to the loop in which they were made, so each loop has its own of all of these.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.sql.backend import Durability
from mintkey.sql.engine import OpenedEngine
from mintkey.sql.lane import Batch, Job, Lane
from mintkey.sql.patience import Patience
from mintkey.sql.schema import metadata
from mintkey.sql.tables import are_there

__all__ = ["Transactions"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between looks at what became of a commit
_FIRST_SHARE = 0.5
"""Of its time for the first attempt that hangs; the next one has what is left.

A connection that died in silence, as idle ones do behind a firewall, must not cost its caller the answer.
"""

_logger = logging.getLogger("mintkey")


class Transactions:
    """Runs jobs in transactions, and makes the tables at first use.

    Args:
        opened: The engine.
        tables: The tables that the jobs need.
        timeout: Seconds that a caller waits at most.
        warn: Told how durable a commit is, whenever tables are looked up.

    Attributes:
        opened: The engine.
        reads: Where reading jobs are submitted.
        writes: Where writing jobs are.
        patience: Seconds for which a connection may be silent; None: for ever.
    """

    def __init__(
        self,
        opened: OpenedEngine,
        *,
        tables: Sequence[Table],
        timeout: float,
        warn: Callable[[Durability], None],
    ) -> None:
        self.opened: OpenedEngine = opened
        self._backend = backend = opened.backend
        self._tables = tables
        self._timeout = timeout
        self._warn = warn
        # Later than its caller, who has been told by then, gives up on it.
        self.patience: float | None = timeout if backend.is_remote else None
        self._is_ready = False
        self._preparing = anyio.Lock()
        self.reads: Lane = Lane(self._settle_reads, tasks=backend.readers, batch=backend.batch)
        self.writes: Lane = Lane(self._settle_writes, tasks=backend.writers, batch=backend.batch)

    async def finish(self) -> None:
        """End what is under way, and close an engine of our own; the next use opens it again."""
        with anyio.move_on_after(self._timeout, shield=True):
            await self.reads.finish()
            await self.writes.finish()
        if self.opened.is_ours:
            with anyio.CancelScope(shield=True):
                await self.opened.engine.dispose()
            self._is_ready = False

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[AsyncConnection]:
        """A connection to the database as it is now, with its tables."""
        while True:
            await self._prepare()
            async with self._connection() as connection:
                if await self._backend.is_current(connection):
                    yield connection
                    return
                await connection.invalidate()
            _logger.warning("the file of %s was replaced: opening the new one", self.opened.name)
            self._is_ready = False
            if self.opened.is_ours:
                await self.opened.engine.dispose()  # the other connections lead to the old file as well

    async def _settle_reads(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=False)

    async def _settle_writes(self, jobs: Sequence[Job[Any, Any]]) -> None:
        await self._settle(jobs, write=True)

    async def _settle(self, jobs: Sequence[Job[Any, Any]], *, write: bool) -> None:
        """Run transactions until every job is settled."""
        last, share, may_renew, pause = self._in_time(), _FIRST_SHARE, True, _FIRST_PAUSE
        while jobs := [job for job in jobs if not job.future.done()]:
            batch = Batch(jobs, write=write)
            try:
                await self._transact(batch, write=write, last=last, share=share)
            except Exception as error:  # noqa: BLE001 - as in `_answer`, which translates it
                is_silent = last is not None and isinstance(error, TimeoutError)
                may_try, share = is_silent and share < 1, 1.0 if is_silent else share
                is_stale = may_renew and self._backend.is_stale(error)
                if (may_try or is_stale) and not batch.is_committing:
                    batch.take_back()
                    if is_stale:
                        may_renew = self._is_ready = False
                    continue
                batch.fail(error, is_cut=is_silent or self._backend.is_cut(error))
                if any(job.is_unsettled for job in jobs):
                    await anyio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    async def _transact(self, batch: Batch, *, write: bool, last: float | None, share: float) -> None:
        async with self.connected() as connection, Patience(connection, until=_part_of(last, share)) as patience:
            await (self._backend.begin if write else self._backend.begin_reading)(connection)
            await batch.work(connection)
            if write and not batch.is_abandoned:
                if not batch.is_repeatable:
                    patience.extend(last)  # another attempt could not tell what became of this one
                batch.is_committing = True
                await self._backend.commit(connection)
        batch.answer()  # when the connection is back in its pool: whoever hears the last answer may dispose of it

    async def _prepare(self) -> None:
        async with self._preparing:
            if self._is_ready:
                return
            await self._backend.prepare()
            async with self._connection() as connection, Patience(connection, until=self._in_time()):
                # Looked up first: whoever may not create tables, or only read, does not have to.
                has_tables = await connection.run_sync(are_there, self._tables)
                self._warn(await self._backend.durability(connection))
                if not has_tables:
                    await connection.rollback()
                    await self._backend.begin(connection)
                    await self._backend.lock_schema(connection)
                    await connection.run_sync(metadata.create_all, tables=self._tables)
                    await self._backend.commit(connection)
            self._is_ready = True

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        async with asyncio.timeout(self.patience) as limit, self.opened.engine.connect() as connection:
            limit.reschedule(None)
            yield connection

    def _in_time(self) -> float | None:
        """The loop time until which a connection may be silent; None: for ever."""
        return None if self.patience is None else asyncio.get_running_loop().time() + self.patience


def _part_of(last: float | None, share: float) -> float | None:
    """The loop time at which so much will have passed of what is left until the last moment."""
    now = asyncio.get_running_loop().time()
    return None if last is None else now + (last - now) * share
