"""Requests to AWS KMS: a few at a time, each with a deadline, repeated where that can do no harm.

botocore reads its models, its settings and credentials from files when a client is made, and needs a tenth of a second
for that. So clients are made in a worker thread. Each event loop has its own client, and its own turns.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

import anyio
from anyio import to_thread
from anyio.lowlevel import checkpoint

from mintkey.errors import ConfigurationError, Reason
from mintkey.ids import random_bytes
from mintkey.keys.custodians.aws_faults import CROWDED, HUNG, STRANGE, Fault, Outcome, fault_of, unusable_settings
from mintkey.loops import PerLoop

__all__ = ["KmsCalls"]

_session: Any = import_module("aiobotocore.session")
_config: Any = import_module("aiobotocore.config")
_client: Any = import_module("aiobotocore.client")

_TRIES_THAT_FIT = 3
"""So many tries have room before the deadline if none of them is ever answered."""

_FIRST_PAUSE = 0.05  # seconds, at most, before the second try; twice as many before each further one
_LONGEST_PAUSE = 1.0

_MAKING = 10.0  # seconds; what takes longer is gone on with the next time
_NOT_FOUND = "NotFoundException"


class KmsCalls:
    """Asks AWS KMS, from whatever event loop.

    Args:
        client: An aiobotocore client of KMS, which stays the caller's; None: one is made in each loop.
        endpoint_url: Where KMS is, if not where its region says.
        region_name: The region of KMS, if the environment does not say.
        timeout: Seconds for one call, its wait for a turn and all tries included.
        concurrency: How many calls of one event loop are under way at a time.

    Raises:
        ConfigurationError: The client is no aiobotocore client of KMS, or is given together with settings for one
            (`configuration`).
    """

    def __init__(
        self,
        client: object | None,
        /,
        *,
        endpoint_url: str | None,
        region_name: str | None,
        timeout: float,
        concurrency: int,
    ) -> None:
        if client is not None:
            _check_client(client, endpoint_url, region_name)
        self._given: Any = client
        self._endpoint_url = endpoint_url
        self._region_name = region_name
        self._timeout = timeout
        self._concurrency = concurrency
        self._connections = PerLoop(self._connection)

    async def ask(
        self,
        operation: str,
        parameters: Mapping[str, object],
        /,
        *,
        task: str,
        member: str = "",
        reason: Reason = Reason.KEYS_UNAVAILABLE,
        details: Mapping[str, object] | None = None,
        is_repeatable: bool = True,
        is_about_new_key: bool = False,
    ) -> Mapping[str, Any]:
        """What KMS answers.

        Args:
            operation: The client's method, as in "get_public_key".
            parameters: What it takes.
            task: What is to be done, for the error, as in "sign with key k1".
            member: What the answer must have, to be one.
            reason: The reason of that error.
            details: Its details.
            is_repeatable: Whether doing it twice is as good as once, so that it is asked again where the answer got
                lost.
            is_about_new_key: Then there is more time, because nobody waits for it who has a key, and a key that is not
                found is asked for again: KMS tells of it everywhere only after a moment.

        Raises:
            KeyProviderError: There is no answer of use before the deadline (`reason`); not `retryable` where somebody
                has to change something first.
            ConfigurationError: No client can be made from the settings (`configuration`).
        """
        connection = self._connections.here()
        deadline = max(self._timeout, _MAKING) if is_about_new_key else self._timeout
        patience = deadline / _TRIES_THAT_FIT if is_repeatable else deadline
        fault = CROWDED
        with anyio.move_on_after(deadline):
            # The turn is kept between two tries: whoever is told to slow down does.
            async with connection.turns:
                fault, tries = HUNG, 0
                while True:
                    answer = await connection.ask(operation, parameters, patience)
                    if not isinstance(answer, Fault):
                        if not member or member in answer:
                            return answer
                        answer = STRANGE
                    fault = answer
                    if not _may_go_on(fault, is_repeatable=is_repeatable, is_about_new_key=is_about_new_key):
                        break
                    await anyio.sleep(_pause(tries))
                    tries += 1
        raise fault.error(task, reason=reason, details=details or {})

    async def aclose(self) -> None:
        """Close the client of this event loop, if it is ours, after the calls that are under way."""
        connection = self._connections.take()
        if connection is not None:
            # Also for who is cancelled, or it would stay open. It takes no longer than a call may.
            with anyio.CancelScope(shield=True):
                await connection.aclose()

    def _connection(self) -> "_Connection":
        return _Connection(self._given, self._make, self._concurrency)

    async def _make(self) -> Any:
        settings = _config.AioConfig(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            max_pool_connections=self._concurrency,
            retries={"total_max_attempts": 1, "mode": "standard"},  # ours know the deadline
        )
        making = _session.get_session().create_client(
            "kms", region_name=self._region_name, endpoint_url=self._endpoint_url, config=settings
        )
        # The thread needs an event loop of its own, for credentials that come over the network. A client belongs to
        # none before its first request.
        return await to_thread.run_sync(asyncio.run, making.__aenter__(), abandon_on_cancel=True)


class _Connection:
    """The client of one event loop, and whose turn it is."""

    __slots__ = ("_beginning", "_client", "_is_ours", "_make", "_making", "_places", "turns")

    def __init__(self, given: object | None, make: Callable[[], Awaitable[Any]], places: int) -> None:
        self.turns = anyio.Semaphore(places)
        self._places = places
        self._client: Any = given
        self._is_ours = given is None
        self._make = make
        self._making = anyio.Lock()
        self._beginning = anyio.Lock()

    async def ask(self, operation: str, parameters: Mapping[str, object], patience: float) -> Mapping[str, Any] | Fault:
        """What KMS answers to one request, or why it does not.

        Raises:
            ConfigurationError: No client can be made from the settings (`configuration`).
        """
        problem: ConfigurationError | None = None
        try:
            client = await self._made()
            # botocore takes most of a millisecond to begin a request: one of them in one turn of the loop.
            async with self._beginning:
                await checkpoint()
            with anyio.move_on_after(patience):
                answer: Mapping[str, Any] = await getattr(client, operation)(**parameters)
                return answer
        except Exception as error:  # noqa: BLE001 - two packages with classes of their own; see `fault_of`
            problem = unusable_settings(error) if self._client is None else None
            fault = fault_of(error)
        else:
            fault = HUNG
        if problem is not None:
            raise problem
        return fault

    async def aclose(self) -> None:
        """Close the client, if it is ours, when everybody had his turn."""
        for _ in range(self._places):
            await self.turns.acquire()
        if self._is_ours and self._client is not None:
            await self._client.__aexit__(None, None, None)

    async def _made(self) -> Any:
        if self._client is None:
            async with self._making:
                if self._client is None:
                    self._client = await self._make()
        return self._client


def _may_go_on(fault: Fault, *, is_repeatable: bool, is_about_new_key: bool) -> bool:
    if fault.outcome is Outcome.REFUSED:
        return is_about_new_key and fault.code == _NOT_FOUND
    return fault.outcome is Outcome.DEFERRED or is_repeatable


def _pause(tries: int) -> float:
    """Seconds before the next try: at random, so that those who were refused together do not come back together."""
    share = int.from_bytes(random_bytes(4), "big") / 2**32
    return share * min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << tries))


def _check_client(client: object, endpoint_url: str | None, region_name: str | None) -> None:
    problems: list[str] = []
    if not isinstance(client, _client.AioBaseClient) or getattr(client, "sign", None) is None:
        problems.append("client must be a KMS client of aiobotocore; one of boto3 would stop the event loop")
    if endpoint_url is not None or region_name is not None:
        problems.append("endpoint_url and region_name are for a client that is made here; the given one has its own")
    ConfigurationError.raise_if(f"AWS KMS: {problem}" for problem in problems)
