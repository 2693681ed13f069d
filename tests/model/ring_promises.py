"""What holds in every state of the ring protocol, and from each to the next."""

from collections import Counter, deque

from mintkey.keys.base import KeyState
from mintkey.keys.ring import RingVersion, public_for
from tests.model.rings import CAP, STALE, SWAP, RingWorld, State

__all__ = ["BrokenError", "search"]


class BrokenError(AssertionError):
    """A promise is broken; the message says which, and how it came to that."""


def search(world: RingWorld) -> tuple[int, Counter[str]]:
    """Visit every state, breadth first, and hold it to every promise.

    Returns:
        How many states there are, and how often each kind of step led to one.

    Raises:
        BrokenError: A promise is broken. The way there is a shortest one.
    """
    begin = world.begin()
    came_from: dict[State, tuple[State, str] | None] = {begin: None}
    to_do, steps = deque([begin]), Counter[str]()
    while to_do:
        state = to_do.popleft()
        for words, following in world.following(state):
            if following in came_from:
                continue
            came_from[following] = state, words
            steps[words.partition(" k")[0]] += 1
            try:
                _hold(world, following)
                _hold_between(world, state, following)
            except AssertionError as error:
                raise BrokenError("\n  ".join([str(error), *_way(came_from, following)])) from error
            to_do.append(following)
    return len(came_from), steps


def _way(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps = list[str]()
    while (origin := came_from[state]) is not None:
        state, words = origin
        steps.append(f"{state.now}: {words}")
    return steps[::-1]


def _hold(world: RingWorld, state: State) -> None:
    ring, now = world.rings[state.ring], state.now
    if state.revision:
        states = [ring.state(version, now) for version in ring.versions]
        assert states.count(KeyState.ACTIVE) == 1, f"{states.count(KeyState.ACTIVE)} versions are active"
        assert KeyState.PENDING in states, "no successor stands ready"
    for kid, mints in state.granted:
        assert mints <= CAP, f"{mints} mints of {kid}"
    for kid, age in state.alive:
        version = ring.find(kid)
        assert version is not None, f"there is a token of {kid}, {age} s old, and {kid} is gone"
        good = version.revoked_at is not None or version.verifies_at(now)
        assert good, f"there is a token of {kid}, {age} s old, and {kid} verifies no more"


def _hold_between(world: RingWorld, before: State, after: State) -> None:
    if before.ring != after.ring:
        old, new = world.rings[before.ring], world.rings[after.ring]
        for version in old.versions:
            now_it_is = new.find(version.kid)
            if now_it_is is None:
                stone = new.tombstone(version.kid)
                assert stone is not None, f"{version.kid} vanished"
                assert version.is_past(after.now), f"{version.kid} was dropped before its time"
                assert stone.revoked == (version.revoked_at is not None), f"{version.kid} is remembered as another"
            else:
                _hold_of_version(version, now_it_is)
        for stone in old.tombstones:
            assert stone in new.tombstones, f"{stone.kid} was forgotten"
    if before.now == after.now:
        for kid, _ in set(after.alive) - set(before.alive):
            _hold_of_signature(world, after, kid)


def _hold_of_version(before: RingVersion, after: RingVersion) -> None:
    kid = before.kid
    assert before.revoked_at is None or after.revoked_at == before.revoked_at, f"{kid} is not revoked any more"
    assert before.activates_at is None or after.activates_at == before.activates_at, f"{kid} began at another time"
    assert before.retires_at is None or after.retires_at == before.retires_at, f"{kid} ended at another time"
    assert before.verify_until is None or after.verify_until == before.verify_until, f"the end of {kid} moved"


def _hold_of_signature(world: RingWorld, state: State, kid: str) -> None:
    version = world.rings[state.ring].find(kid)
    assert version is not None, f"{kid} signed, and the store does not know it"
    assert version.activates_at is not None, f"{kid} signed before its time"
    retired_for = 0 if version.retires_at is None else state.now - version.retires_at
    assert retired_for <= STALE + SWAP, f"{kid} signed {retired_for:g} s after its end"
    if version.activates_at - version.created_at < public_for(world.policy).total_seconds():
        return  # at the cap, by hand and in an emergency it may be younger: who does not know it looks at the store
    for process in state.processes:
        if process.age <= STALE:
            assert world.rings[process.ring].knows(kid), f"{kid} signed, and somebody who looked in time has no key"
