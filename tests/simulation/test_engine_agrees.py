"""The simulated nodes decide what the engine decides: same calls at the same moments, same rings and answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, TypeVar

import pytest

from mintkey.errors import KeyNotFoundError, KeyProviderError, Reason
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Plaintext
from mintkey.keys.stores.memory import MemoryKeyRingStore
from tests.simulation.events import Action, Fault
from tests.simulation.fleet import RefusedError, UnavailableError
from tests.simulation.node import Node
from tests.simulation.schedule import Schedule, Settings, draw
from tests.simulation.world import World
from tests.support.ring_faults import FaultyRingStore

T = TypeVar("T")

SEEDS = 200
BEGIN = 1000.0  # seconds since the epoch, so that no clock is before it
WORDS = {Reason.KEY_UNKNOWN: "unknown", Reason.KEY_RETIRED: "retired", Reason.KEY_REVOKED: "revoked"}


@dataclass(frozen=True)
class Call:
    """What a node was asked, when, and how it went; afterwards the ring in the store."""

    at: float
    node: str
    is_away: bool
    name: str
    argument: object
    answer: object
    ring: Ring


class Recorder(Node):
    """A node that keeps what it is asked for in `calls`, shared by all nodes of a test."""

    calls: ClassVar[list[Call]]

    def resolve(self, kid: str) -> None:
        self._recorded("resolve", kid, lambda: Node.resolve(self, kid))

    def acquire(self, want: int) -> tuple[str, int]:
        return self._recorded("acquire", want, lambda: Node.acquire(self, want))

    def rotate(self) -> None:
        self._recorded("rotate", None, lambda: Node.rotate(self))

    def revoke(self, kid: str) -> None:
        self._recorded("revoke", kid, lambda: Node.revoke(self, kid))

    def maintain(self) -> None:
        self._recorded("maintain", None, lambda: Node.maintain(self))

    def begin(self) -> None:
        super().begin()
        self._recorded("begin", None, lambda: None)

    def _recorded(self, name: str, argument: object, work: Callable[[], T]) -> T:
        answer: object = "unavailable"
        try:
            answer = result = work()
        except RefusedError as error:
            answer = error.word
            raise
        except UnavailableError:
            raise
        else:
            return result
        finally:
            stored = self.fleet.store.stored
            self.calls.append(
                Call(
                    self.fleet.now,
                    self.name,
                    not self.reaches_store,
                    name,
                    argument,
                    answer,
                    Ring() if stored is None else stored.ring,
                )
            )


class Engine:
    """Real providers on one store, asked the same."""

    def __init__(self, settings: Settings, offsets: dict[str, float]) -> None:
        self._settings = settings
        self._offsets = offsets
        self.now = BEGIN
        self._shared = MemoryKeyRingStore()
        self._stores: dict[str, FaultyRingStore] = {}
        self._providers: dict[str, RotatingKeyProvider] = {}
        self._real: dict[str, str] = {}
        self.names: dict[str, str] = {}

    def begin(self, node: str) -> None:
        """A process starts; what went before it crashed, so nobody closes it."""
        settings = self._settings
        self._stores[node] = store = FaultyRingStore(self._shared)
        self._providers[node] = RotatingKeyProvider(
            store,
            custodian=SealedCustodian(Plaintext(), ring="default"),
            policy=settings.policy,
            clock=OffClock(self, self._offsets[node]),
            refresh_interval=timedelta(seconds=settings.refresh_interval),
            outage_tolerance=timedelta(seconds=settings.outage_tolerance),
            max_clock_skew=timedelta(seconds=settings.max_clock_skew),
        )

    async def asked(self, call: Call) -> object:
        """What the real process answers."""
        self.now = call.at
        provider, store = self._providers[call.node], self._stores[call.node]
        store.fail() if call.is_away else store.heal()
        answer: object = None
        try:
            match call.name, call.argument:
                case "resolve", str(kid):
                    await provider.resolve(self._real.get(kid, kid))
                case "acquire", int(want):
                    grant = await provider.acquire(want)
                    answer = grant.key.kid, grant.count
                case "rotate", _:
                    await provider.rotate()
                case "revoke", str(kid):
                    await provider.revoke(self._real[kid])
                case _:  # what the engine does in `maintain`, without listening to the store
                    await provider.prune()
        except KeyProviderError:
            answer = "unavailable"
        except KeyNotFoundError as error:
            answer = None if call.name == "revoke" else WORDS[error.reason]
        while provider._tasks._tasks:
            await asyncio.wait(provider._tasks._tasks)
        return answer

    async def ring(self) -> Ring:
        """The ring in the store."""
        stored = await self._shared.load("default")
        return Ring() if stored is None else decode(stored.document, ring="default")

    def name(self, simulated: Ring, real: Ring) -> None:
        """Take note of what the simulation calls the versions of this ring."""
        self.names |= {r.kid: s.kid for s, r in zip(simulated.versions, real.versions, strict=True)}
        self._real = {name: kid for kid, name in self.names.items()}


class OffClock:
    """True time, and wall time that is off by a little."""

    def __init__(self, engine: Engine, offset: float) -> None:
        self._engine = engine
        self._offset = offset

    def time(self) -> float:
        return self._engine.now + self._offset

    def monotonic(self) -> float:
        return self._engine.now


def fit_for_both(schedule: Schedule) -> Schedule:
    """The schedule without what needs two calls at a time, a store that does more than fail, or large blocks."""
    policy = schedule.settings.policy
    # Below twice the share that a process may set aside, blocks hold exactly what was asked for.
    cap = None if policy.max_mints is None else min(policy.max_mints, 100)
    left_out = (Action.MINT_PINNED, Action.VERIFY_OUTSIDE, Action.RESTART)
    return schedule._replace(
        settings=replace(schedule.settings, policy=replace(policy, max_mints=cap), push=False, merges=True),
        events=tuple(
            event._replace(rival=1.0, fault=Fault.NONE if event.fault in {Fault.NONE, Fault.STOPS} else Fault.FAILS)
            for event in schedule.events
            if event.action not in left_out
        ),
    )


def told(ring: Ring, now: float, names: dict[str, str] | None = None) -> list[tuple[object, ...]]:
    return [
        (
            v.kid if names is None else names[v.kid],
            ring.state(v, now),
            v.created_at,
            v.activates_at,
            v.retires_at,
            v.verify_until,
            v.revoked_at,
        )
        for v in ring.versions
    ]


def record(schedule: Schedule) -> tuple[World, list[Call]]:
    class Recording(Recorder):
        calls: ClassVar[list[Call]] = []

    world = World(schedule, Recording)
    world.fleet.now = BEGIN
    for event in schedule.events:
        world.happen(event)
    return world, Recording.calls


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS // 4))
async def test_the_engine_does_the_same(first: int) -> None:
    for seed in range(first, first + SEEDS // 4):
        world, calls = record(fit_for_both(draw(seed, losses=False)))
        engine = Engine(world.settings, {node.name: node.offset for node in world.nodes})
        for number, call in enumerate(calls):
            where = f"seed {seed}, call {number}: {call.node} {call.name} {call.argument} at {call.at}"
            if call.name == "begin":
                engine.begin(call.node)
                continue
            answer = await engine.asked(call)
            ring = await engine.ring()
            assert len(ring.versions) == len(call.ring.versions), where
            engine.name(call.ring, ring)
            assert told(ring, call.at, engine.names) == told(call.ring, call.at), where
            if call.name == "acquire" and world.settings.policy.max_mints is None:
                continue  # a matter of what is left in a block, and there the simulation is simpler
            if isinstance(answer, tuple) and isinstance(call.answer, tuple):
                assert engine.names[answer[0]] == call.answer[0], where
            else:
                assert answer == call.answer, where
