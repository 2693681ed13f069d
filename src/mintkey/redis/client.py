"""What the Redis backends do alike: commands and scripts by bucket, replicas waited for, servers looked at."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from mintkey.errors import ConfigurationError
from mintkey.health import Check
from mintkey.redis.buckets import Bucket
from mintkey.redis.calls import Call
from mintkey.redis.checks import INFO, INFO_REPLIES, Facts, checks_of, facts_of, problems_of, warn_of
from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.link import Link
from mintkey.redis.protocol import Argument, pack
from mintkey.redis.scripts import Script
from mintkey.redis.troubles import explain

__all__ = ["Client"]

_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,32}")
_PULSE_MILLISECONDS = 1000


class Client:
    """Calls servers for one backend.

    Args:
        redis_or_url: What the caller of the backend gave.
        prefix: The beginning of every key.
        timeout: How long a call may take with all its retries.
        replicas: How many replicas must confirm each write; 0: none is asked.

    Raises:
        ConfigurationError: An argument is wrong; all problems at once (`configuration`).
    """

    def __init__(self, redis_or_url: object, /, *, prefix: str, timeout: timedelta, replicas: int) -> None:
        problems: list[str] = []
        if _PREFIX.fullmatch(prefix) is None:
            problems.append("prefix must be 1 to 32 characters of [A-Za-z0-9._:-]")
        if timeout <= timedelta(0):
            problems.append("timeout must be positive")
        if replicas < 0:
            problems.append("replicas must not be negative")
        ConfigurationError.raise_if(problems)
        self.link: Link = Link(redis_or_url, timeout=timeout, replicas=replicas)
        self._replicas = replicas
        self._looked_at: set[int] = set()

    @asynccontextmanager
    async def first(self) -> AsyncGenerator[None]:
        """A block for what has to be done once, before anything else, by one caller of this event loop at a time.

        It takes no longer than a call may, the others' turns included: where nobody answers, callers who waited for one
        another would each be told later than the one before. If it fails it leaves no connection open, because whoever
        cannot be opened is not closed either.

        Raises:
            RedisCallError: It took longer.
        """
        try:
            async with self._in_turn():
                yield
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.link.drop_idle()
            raise

    async def look_at(self, bucket: Bucket, /) -> None:
        """Look at the server of a bucket before anything is asked of it, once, and say loudly what makes it unfit.

        Raises:
            RedisCallError: It cannot be asked.
        """
        if bucket.number not in self._looked_at:
            async with self._in_turn():
                if bucket.number not in self._looked_at:
                    warn_of(problems_of(await self._facts(bucket.number)))
                    self._looked_at.add(bucket.number)

    async def aclose(self) -> None:
        """Close this event loop's connections; whoever goes on looks at the servers again."""
        self._looked_at.clear()
        await self.link.aclose()

    async def send(self, bucket: Bucket, call: Call, /) -> Call:
        """The answered call, none of whose replies is an error.

        Raises:
            RedisCallError: There was no answer in time, or it is an error.
        """
        call = await self.link.answer(bucket.number, call)
        call.raise_error_reply()
        return call

    async def run(
        self,
        script: Script,
        bucket: Bucket,
        key: bytes,
        *arguments: Argument,
        at_most_once: bool = False,
        deadline: float = 0.0,
    ) -> Call:
        """The answered call of a script, confirmed by the replicas; teaches it to a server that does not know it.

        Args:
            script: The script.
            bucket: The bucket of the key.
            key: Its one key.
            arguments: Its arguments.
            at_most_once: It does not bear being executed twice, so a lost answer is not asked for again.
            deadline: Loop time until which it is tried, that of the call it belongs to; 0: it is a call of its own.

        Raises:
            RedisCallError: As for `send`, or too few replicas confirmed the write.
        """
        pulse = self.pulse(bucket)
        call = Call(script.by_hash(key, *arguments), 1, None, pulse)
        call.at_most_once, call.deadline = at_most_once, deadline
        call = await self.link.answer(bucket.number, call)
        error = call.error_reply()
        if error is not None and code_of(error) == "NOSCRIPT":
            in_full = Call(script.in_full(key, *arguments), 1, None, pulse).after(call)
            call = await self.link.answer(bucket.number, in_full)
        call.raise_error_reply()
        self.require_replicas(call)
        return call

    def pulse(self, bucket: Bucket, /) -> bytes | None:
        """What a call that writes has to carry along, if replicas are waited for."""
        return pack("SET", bucket.pulse, b"", "PX", _PULSE_MILLISECONDS) if self._replicas else None

    def require_replicas(self, call: Call, /) -> None:
        """Raise unless enough replicas confirmed what a call wrote.

        Raises:
            RedisCallError: They did not; it may be written nevertheless.
        """
        if call.replicas < self._replicas:
            raise RedisCallError("too few replicas confirmed the write", code="NOREPLICAS", may_have_run=True)

    async def answers(self, calls: Iterable[tuple[int, Call]], /) -> list[Call]:
        """The answered calls, by bucket; made at once, so that what goes to one node shares a round trip.

        Raises:
            RedisCallError: At least one has no answer. None is under way any more.
        """
        answers = [self.link.answer(bucket, call) for bucket, call in calls]
        calls_or_errors = await asyncio.gather(*answers, return_exceptions=True)
        answered: list[Call] = []
        for result in calls_or_errors:
            if isinstance(result, BaseException):
                raise result
            answered.append(result)
        return answered

    async def warn(self) -> None:
        """Look at all servers, and say loudly what makes one of them unfit.

        Raises:
            RedisCallError: One cannot be asked.
        """
        nodes = await self.link.nodes()
        for call in await self.answers((buckets[0], Call(INFO, INFO_REPLIES)) for buckets in nodes.values()):
            warn_of(problems_of(facts_of(call.replies)))

    async def checks(self) -> Mapping[str, Check]:
        """What the servers say of themselves; nothing is held against one that does not say. Never raises an error."""
        try:
            nodes = await self.link.nodes()
        except RedisCallError:
            return checks_of([])
        return checks_of(await asyncio.gather(*(self._facts_if_told(buckets[0]) for buckets in nodes.values())))

    @asynccontextmanager
    async def _in_turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self.link.timeout), self.link.lock:
                yield
        except TimeoutError as error:
            trouble = self.link.trouble or error
            message, code = explain(trouble)
            raise RedisCallError(message, code=code, may_have_run=False) from trouble

    async def _facts_if_told(self, bucket: int) -> Facts:
        try:
            return await self._facts(bucket)
        except RedisCallError:
            return facts_of([])

    async def _facts(self, bucket: int) -> Facts:
        return facts_of((await self.link.answer(bucket, Call(INFO, INFO_REPLIES))).replies)
