"""One database for many concurrent callers, whatever event loops they are in."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import anyio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.errors import ConfigurationError, MintkeyError
from mintkey.health import Check
from mintkey.sql.backend import Backend, Bell, Durability
from mintkey.sql.engine import EngineOrURL, OpenedEngine, open_engine
from mintkey.sql.errors import Failure, cause_of, explain
from mintkey.sql.lane import Job, Operation
from mintkey.sql.loops import Loops
from mintkey.sql.transactions import Transactions

__all__ = ["Database"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")

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

        def reopen() -> OpenedEngine:  # not a partial, which shows what it was given: there is a password in the URL
            return open_engine(engine_or_url, timeout=timeout)

        opened = reopen()
        self._name, self._backend = opened.name, opened.backend
        self._tables = tables
        self._timeout = timeout.total_seconds()
        self._failure = failure
        self._has_warned = False
        self._is_in_memory = opened.is_in_memory
        self._loops = Loops(opened, reopen=reopen, begin=self._begin)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._name

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
        return await self._answer(self._loops.here().reads.submit(operation, request))

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
        return await self._answer(self._loops.here().writes.submit(operation, request, is_repeatable=is_repeatable))

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
        listening = self._backend.listening
        if listening is None:
            return
        try:
            here = self._loops.here()
            async with here.connected() as connection, _in_time(here, listening(connection, topic)) as bell:
                last: Answer | None = None
                while bell is not None:
                    async with asyncio.timeout(here.patience):
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
        """End what is under way in this event loop, and close an engine of our own; the next use opens it again."""
        await self._loops.leave()

    async def give_up(self) -> None:
        """As `close`, where a first use failed, so that it leaves nothing open; what is in memory is not forgotten."""
        if not self._is_in_memory:
            await self.close()

    def _begin(self, opened: OpenedEngine) -> Transactions:
        return Transactions(opened, tables=self._tables, timeout=self._timeout, warn=self._warn_of)

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

    def _warn_of(self, durability: Durability) -> None:
        has_warned, self._has_warned = self._has_warned, True
        if not durability.is_kept and not has_warned:
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
async def _in_time(
    here: Transactions, listening: AbstractAsyncContextManager[Bell | None], /
) -> AsyncGenerator[Bell | None]:
    async with asyncio.timeout(here.patience) as limit, listening as bell:
        limit.reschedule(None)
        yield bell
