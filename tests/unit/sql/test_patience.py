"""How long a connection may be silent, and what that costs whoever asks on it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from mintkey.errors import Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql import connecting, transactions
from mintkey.sql.patience import Patience
from tests.faults.wire import Mishap, Way
from tests.support.postgres import PostgresDatabase
from tests.support.sql_harness import engine_on
from tests.support.sql_workers import claim

LONG = timedelta(seconds=30)
SOON = 0.02
"""The share of it after which these tests take a connection for silent."""


class Line:
    """A connection that says nothing, as seen by SQLAlchemy."""

    def __init__(self, driver: object) -> None:
        self.driver_connection = driver
        self.is_invalid = False

    async def get_raw_connection(self) -> "Line":
        return self

    async def invalidate(self) -> None:
        self.is_invalid = True


class Driver:
    """Whoever waits for it is told when it is hung up."""

    def __init__(self) -> None:
        self.answer = asyncio.get_running_loop().create_future()

    def terminate(self) -> None:
        self.answer.set_exception(ConnectionError("hung up"))


def patience(line: Line, until: float | None) -> Patience:
    return Patience(cast("AsyncConnection", line), until=until)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_who_waits_is_told_of_the_time_and_not_of_the_hanging_up() -> None:
    line = Line(driver := Driver())
    with anyio.fail_after(20), pytest.raises(TimeoutError):
        async with patience(line, now() + 0.01):
            await driver.answer
    assert driver.answer.done()
    assert line.is_invalid


async def test_a_driver_that_cannot_be_hung_up_is_left_alone() -> None:
    line = Line(object())
    with anyio.fail_after(20), pytest.raises(TimeoutError):
        async with patience(line, now() + 0.01):
            await anyio.sleep_forever()
    assert line.is_invalid


@pytest.mark.parametrize("is_endless", [False, True])
async def test_patience_that_does_not_end_leaves_the_connection_as_it_is(is_endless: bool) -> None:
    line = Line(driver := Driver())
    async with patience(line, None if is_endless else now()) as waiting:
        waiting.extend(None if is_endless else now() + 1000)
        await asyncio.sleep(0.01)
    assert not line.is_invalid
    assert not driver.answer.done()


async def test_other_errors_pass() -> None:
    line = Line(Driver())
    with pytest.raises(LookupError):
        async with patience(line, now() + 1000):
            raise LookupError
    assert not line.is_invalid


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_FIRST_SHARE", SOON)


async def one_after_silence(
    database: PostgresDatabase, call: str, exchange: int, *, mishap: Mishap = Mishap.LOST, is_foreign: bool = False
) -> tuple[bool, object, int]:
    """Whether a call has so many exchanges, its answer if one is not answered, and how many connections that took."""
    async with Way(database.server.port, too_late=1.5) as way:
        engine = engine_on(database, port=way.port) if is_foreign else None
        place = database.url_at(way.port) if engine is None else engine
        name = new_id()
        async with SQLReplayStore(place, timeout=LONG) as marks, SQLKeyRingStore(place, timeout=LONG) as rings:
            await rings.compare_and_swap(name, expected=0, document=b"one")
            await rings.reserve(name, "kid", want=4, limit=9)
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "claim": lambda: claim(marks, name),
                "load": lambda: rings.load(name),
                "give back": lambda: rings.give_back(name, "kid", count=3),
            }
            connections = way.connections
            way.arm(mishap, after=exchange)
            with anyio.fail_after(25):  # before the patience of the store ends
                answer = await calls[call]()
            has_struck, connections = way.has_struck, way.connections - connections
            stored = await rings.load(name)
            assert stored is not None
            assert stored.mints == ({"kid": 1} if call == "give back" else {"kid": 4})
            if call == "claim":
                assert await claim(marks, name) is ClaimOutcome.SPENT
        if engine is not None:
            await engine.dispose()
        return has_struck, answer, connections


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("is_foreign", [False, True], ids=["url", "engine"])
async def test_a_claim_on_a_connection_that_falls_silent_anywhere_is_granted_on_another(
    postgres: PostgresDatabase, is_foreign: bool
) -> None:
    """At the beginning, at a statement, at the commit: with its owner it is asked again, and answered as it went."""
    plays = [one_after_silence(postgres, "claim", number, is_foreign=is_foreign) for number in range(6)]
    seen = await asyncio.gather(*plays)
    assert {answer for _, answer, _ in seen} == {ClaimOutcome.ACCEPTED}
    struck = [connections for has_struck, _, connections in seen if has_struck]
    assert len(struck) > 2
    assert set(struck) == {1}, "nobody asked a silent server, by one more connection, to interrupt the statement"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("call", ["load", "give back"])
async def test_so_is_whatever_finds_its_connection_dead(postgres: PostgresDatabase, call: str) -> None:
    """As behind a firewall that forgot it: nothing was sent but a word to begin with, so that nothing is done twice."""
    has_struck, _, connections = await one_after_silence(postgres, call, 0)
    assert has_struck
    assert connections == 1


@pytest.mark.usefixtures("_impatient")
async def test_a_commit_that_must_not_come_twice_is_waited_for_as_long_as_there_is_time(
    postgres: PostgresDatabase,
) -> None:
    """Another attempt could not tell what became of it."""
    plays = [one_after_silence(postgres, "give back", number, mishap=Mishap.TOO_LATE) for number in range(5)]
    assert [has_struck for has_struck, _, _ in await asyncio.gather(*plays)].count(True) > 2


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("exchange", [1, 2])
@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "hanging"])
async def test_what_was_never_committed_is_not_in_doubt(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, is_refused: bool, exchange: int
) -> None:
    """A connection fell silent before the commit was sent, and no other one is to be had."""
    connect, is_closed = connecting.connect, asyncio.Event()

    async def dial(*arguments: Any, **named: Any) -> Any:
        if is_closed.is_set() and is_refused:
            raise ConnectionRefusedError
        if is_closed.is_set():
            await asyncio.Event().wait()
        return await connect(*arguments, **named)

    monkeypatch.setattr(connecting, "connect", dial)
    patience = LONG if is_refused else timedelta(seconds=3)
    async with (
        Way(postgres.server.port) as way,
        SQLReplayStore(postgres.url_at(way.port), timeout=patience) as marks,
    ):
        is_closed.set()
        way.arm(Mishap.LOST, after=exchange)
        with pytest.raises(ReplayStoreError) as caught:
            await claim(marks, "mine")
        assert way.has_struck
        assert caught.value.reason is Reason.REPLAY_UNAVAILABLE
        is_closed.clear()
        assert await claim(marks, "mine") is ClaimOutcome.ACCEPTED
