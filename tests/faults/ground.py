"""What a call is tried on: stores on a way that fails, the same stores on a sure one, and what became of the call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from mintkey.bus import EventBus
from mintkey.errors import BackendError, Reason
from mintkey.ids import new_id
from mintkey.keys.ports import KeyRingStore, MintReturns
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import FamilyStore, ReplayStore
from mintkey.replay.redis import RedisReplayStore
from mintkey.replay.sql import SQLReplayStore
from tests.support.buses import SEALER, Numbered

__all__ = ["Fate", "Ground", "Marks", "Rings", "Stores", "attempt", "opened", "redis_stores", "sql_stores"]


class Marks(ReplayStore, FamilyStore, Protocol):
    """What our replay stores are."""


class Rings(KeyRingStore, MintReturns, Protocol):
    """What our ring stores are."""

    async def aclose(self) -> None: ...


class Fate(StrEnum):
    """What became of a call, in the words of whoever made it."""

    DONE = "done"
    NOTHING = "nothing"
    """It failed, and nothing happened."""
    UNKNOWN = "unknown"
    """It failed, or its caller left, and it may have happened."""


@dataclass
class Stores:
    """The stores of one process."""

    marks: Marks
    rings: Rings
    bus: EventBus | None = None

    async def warm(self, kind: str, name: str) -> None:
        """Look at what has this name, so that a connection to its server is there, and that is known."""
        match kind:
            case "marks":
                await self.marks.status(name, issued_at=datetime.now(UTC))
            case "rings":
                await self.rings.load(name)
            case _:
                assert self.bus is not None
                await self.bus._stream.look_at_server()

    async def aclose(self) -> None:
        """Close them all; what is under way ends first."""
        for store in (self.marks, self.rings, self.bus):
            if store is not None:
                await store.aclose()


@dataclass
class Ground:
    """One token, one ring and one event.

    Attributes:
        tried: The stores whose call may fail.
        sure: Those by which is looked what it did.
        name: The name of everything here.
        owner: In whose name the call is made.
    """

    tried: Stores
    sure: Stores
    name: str = field(default_factory=new_id)
    owner: str = field(default_factory=new_id)
    # Issued ahead, so that it does not matter when the memory of a store begins, however slow the machine is.
    issued_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + timedelta(minutes=5)


async def attempt(call: Awaitable[object]) -> tuple[Fate, object]:
    """What became of a call, and its answer or error."""
    try:
        return Fate.DONE, await call
    except asyncio.CancelledError as error:
        return Fate.UNKNOWN, error
    except BackendError as error:
        return _fate_of(error), error


def _fate_of(error: BackendError) -> Fate:
    assert error.retryable
    in_doubt = error.reason in {Reason.REPLAY_OUTCOME_UNKNOWN, Reason.BUS_OUTCOME_UNKNOWN}
    return Fate.UNKNOWN if in_doubt or error.details.get("may_have_happened") else Fate.NOTHING


def redis_stores(url: str, patience: float, *, replicas: int = 0) -> Stores:
    """On a Redis or Valkey server."""
    timeout = timedelta(seconds=patience)
    return Stores(
        RedisReplayStore(url, timeout=timeout, replicas=replicas),
        RedisKeyRingStore(url, timeout=timeout, replicas=replicas),
        EventBus(url, sealer=SEALER, events=[Numbered], timeout=timeout, replicas=replicas),
    )


def sql_stores(url: str, patience: float) -> Stores:
    """In a database."""
    timeout = timedelta(seconds=patience)
    return Stores(SQLReplayStore(url, timeout=timeout), SQLKeyRingStore(url, timeout=timeout))


@asynccontextmanager
async def opened(*stores: Stores) -> AsyncIterator[None]:
    """Close them behind the block."""
    async with AsyncExitStack() as stack:
        for one in stores:
            stack.push_async_callback(one.aclose)
        yield
