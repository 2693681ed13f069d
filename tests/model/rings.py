"""The ring protocol, as states to search: processes that share a ring by compare-and-swap, on the real pure core.

A process looks at the store now and then, and goes by what it saw last for no longer than `STALE`. Whoever wants a
change loads the ring, plans, and swaps, which takes no longer than `SWAP`; in between, others do the same. A process
that was stopped for longer finds its plan too old, and plans anew. Mints come from blocks that the store grants.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Edit, Intent, Ring, RingVersion, apply, keys_needed, plan

__all__ = ["CAP", "LIFETIME", "STALE", "SWAP", "Bounds", "Process", "RingWorld", "State"]

CAP = 2
STALE = SWAP = 1
LIFETIME = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long a play is, and what may happen in it.

    Attributes:
        processes: How many there are.
        seconds: When time ends.
        rotations: How often somebody rotates by hand.
        revocations: How often somebody revokes a version.
        crashes: How often a process forgets everything.
        stops: For how many seconds processes stand still between planning and swapping, beyond what that may take.
        revisions: How often the ring changes: without time passing it may do so for ever.
    """

    processes: int = 2
    seconds: int = 5
    rotations: int = 0
    revocations: int = 0
    crashes: int = 0
    stops: int = 0
    revisions: int = 3


class Wish(NamedTuple):
    """What a process wants changed."""

    relieve: str = ""
    revoke: str = ""

    def intent(self) -> Intent:
        """As the planner is told."""
        relieve = frozenset({self.relieve} - {""})
        return Intent(relieve=relieve, revoke=self.revoke or None, prune=self == Wish())


class Process(NamedTuple):
    """What a process knows.

    Attributes:
        ring: The ring as it saw it last, by its number in the world's table; zero: it saw none.
        age: Seconds since then, up to one more than it goes by.
        wish: What it wants changed, until that is done.
        planned: The ring that it wants to write, the revision that it was planned for, and how long ago.
        block: The version of which it may sign one more token.
    """

    ring: int = 0
    age: int = STALE + 1
    wish: Wish | None = None
    planned: tuple[int, int, int] | None = None
    block: str = ""

    def order(self) -> tuple[object, ...]:
        """Something to sort by: who is who does not matter."""
        return (self.ring, self.age, self.wish or (), self.planned or (), self.block)


class State(NamedTuple):
    """Everything there is.

    Attributes:
        now: The time, in seconds.
        revision: Of the stored ring.
        ring: The stored ring, by its number.
        granted: How many mints of each version the store granted.
        processes: Everybody.
        left: How often somebody may still rotate by hand, revoke, crash, and be stopped.
        alive: Versions of which there are tokens, and how old the youngest is, in seconds.
    """

    now: int
    revision: int
    ring: int
    granted: tuple[tuple[str, int], ...]
    processes: tuple[Process, ...]
    left: tuple[int, int, int, int]
    alive: tuple[tuple[str, int], ...]


Step = tuple[str, State, Process]


class RingWorld:
    """What can follow a state. Its steps are the protocol; a test may put a defect in the place of one."""

    policy: RotationPolicy = RotationPolicy(
        every=timedelta(seconds=3),
        max_mints=CAP,
        previous_ttl=timedelta(seconds=LIFETIME + STALE + SWAP),
        publish_ahead=timedelta(seconds=STALE + SWAP + 1),
    )
    plan: Callable[[Ring, float, RotationPolicy, Intent], tuple[Edit, ...]] = staticmethod(plan)
    apply: Callable[[Ring, Sequence[Edit], Sequence[KeyMaterial]], Ring] = staticmethod(apply)

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.rings: list[Ring] = [Ring()]
        self._numbers: dict[object, int] = {_content(Ring()): 0}
        self._plans: dict[tuple[int, int, Wish, int], int] = {}

    def begin(self) -> State:
        """Nothing is stored, and nobody knows anything."""
        bounds = self._bounds
        left = (bounds.rotations, bounds.revocations, bounds.crashes, bounds.stops)
        return State(0, 0, 0, (), (Process(),) * bounds.processes, left, ())

    def following(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that can come next, and how."""
        if state.now < self._bounds.seconds:
            rotations, revocations, crashes, stops = state.left
            if not any(p.planned is not None and p.planned[2] >= SWAP for p in state.processes):
                yield "time passes", _later(state)
            elif stops:
                stopped = state._replace(left=(rotations, revocations, crashes, stops - 1))
                yield "time passes, and somebody is stopped", _later(stopped)
        for index, process in enumerate(state.processes):
            if process in state.processes[:index]:
                continue  # somebody else in the same situation did all of that
            for words, following, changed in self._steps(state, process):
                processes = (*state.processes[:index], changed, *state.processes[index + 1 :])
                yield words, following._replace(processes=tuple(sorted(processes, key=Process.order)))

    def _steps(self, state: State, process: Process) -> Iterator[Step]:
        rotations, revocations, crashes, stops = state.left
        if process.planned is not None:
            if state.revision < self._bounds.revisions:
                yield self._swap(state, process)
        elif process.wish is not None:
            yield self._plan(state, process, process.wish)
        else:
            if process.ring != state.ring or process.age:
                yield "somebody looks", state, process._replace(ring=state.ring, age=0)
            yield from self._wishes(state, process)
            yield from self._mints(state, process)
        if crashes and process != Process():
            yield "somebody crashes", state._replace(left=(rotations, revocations, crashes - 1, stops)), Process()

    def _wishes(self, state: State, process: Process) -> Iterator[Step]:
        rotations, revocations, crashes, stops = state.left
        ring = self.rings[process.ring]
        if self._planned(process.ring, state, Wish()) != process.ring:
            yield "somebody wishes for what is due", state, process._replace(wish=Wish())
        if rotations and ring.signer is not None:
            left = state._replace(left=(rotations - 1, revocations, crashes, stops))
            yield "somebody wishes to rotate", left, process._replace(wish=Wish(relieve=ring.signer.kid))
        if revocations:
            left = state._replace(left=(rotations, revocations - 1, crashes, stops))
            for version in ring.versions:
                words = f"somebody wishes to revoke {version.kid}"
                yield words, left, process._replace(wish=Wish(revoke=version.kid))

    def _plan(self, state: State, process: Process, wish: Wish) -> Step:
        """Load the ring, and plan for it."""
        planned = self._planned(state.ring, state, wish)
        if planned == state.ring:
            return "somebody finds it done", state, process._replace(wish=None, ring=state.ring, age=0)
        return "somebody plans", state, process._replace(planned=(planned, state.revision, 0))

    def _swap(self, state: State, process: Process) -> Step:
        """Compare and swap; whoever loses loads again."""
        assert process.planned is not None
        ring, expected, age = process.planned
        if self.is_too_old(age):
            return "somebody finds his plan too old", state, process._replace(planned=None)
        if not self.accepts(state.revision, expected):
            return "somebody loses a swap", state, process._replace(planned=None)
        stored = state._replace(revision=state.revision + 1, ring=ring)
        return "somebody swaps", stored, process._replace(planned=None, wish=None, ring=ring, age=0)

    def accepts(self, revision: int, expected: int) -> bool:
        """Whether the store takes a document that was planned for an earlier revision."""
        return revision == expected

    def is_too_old(self, age: int) -> bool:
        """Whether nobody writes any more what was planned so many seconds ago."""
        return age > SWAP

    def _mints(self, state: State, process: Process) -> Iterator[Step]:
        signer = self.rings[process.ring].signer
        if signer is None or process.age > STALE:
            return
        if process.block == signer.kid:
            alive = _sorted(dict(state.alive) | {signer.kid: 0})
            yield f"somebody signs with {signer.kid}", state._replace(alive=alive), process._replace(block="")
            return
        granted = dict(state.granted)
        if self.grants(granted.get(signer.kid, 0)):
            granted[signer.kid] = granted.get(signer.kid, 0) + 1
            yield "somebody reserves", state._replace(granted=_sorted(granted)), process._replace(block=signer.kid)
        else:
            yield "somebody is at the cap", state, process._replace(wish=Wish(relieve=signer.kid))

    def grants(self, granted: int) -> bool:
        """Whether the store grants one more mint of a version."""
        return granted < CAP

    def _planned(self, number: int, state: State, wish: Wish) -> int:
        """The ring that comes of a wish; the same one if there is nothing to do."""
        asked = number, state.now, wish, state.revision
        if asked not in self._plans:
            ring = self.rings[number]
            edits = self.plan(ring, float(state.now), self.policy, wish.intent())
            # Whoever else plans for this revision draws other keys, but of these one at most is ever stored.
            keys = [_key(f"k{state.revision + 1}{letter}") for letter in "ab"[: keys_needed(edits)]]
            self._plans[asked] = self._number(self.apply(ring, edits, keys)) if edits else number
        return self._plans[asked]

    def _number(self, ring: Ring) -> int:
        number = self._numbers.setdefault(_content(ring), len(self.rings))
        if number == len(self.rings):
            self.rings.append(ring)
        return number


def _later(state: State) -> State:
    processes = tuple(
        process._replace(
            age=min(process.age + 1, STALE + 1),
            planned=None if process.planned is None else (*process.planned[:2], process.planned[2] + 1),
        )
        for process in state.processes
    )
    alive = tuple((kid, age + 1) for kid, age in state.alive if age + 1 < LIFETIME)
    return state._replace(now=state.now + 1, processes=tuple(sorted(processes, key=Process.order)), alive=alive)


def _sorted(values: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(values.items()))


def _key(kid: str) -> KeyMaterial:
    return KeyMaterial(kid=kid, algorithm="EdDSA", public_jwk={"kid": kid}, handle=kid)


def _content(ring: Ring) -> object:
    return tuple(map(_times, ring.versions)), tuple((stone.kid, stone.revoked) for stone in ring.tombstones)


def _times(version: RingVersion) -> object:
    times = version.created_at, version.activates_at, version.retires_at, version.verify_until, version.revoked_at
    return version.kid, times
