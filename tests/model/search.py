"""Depth-first search over everything that can happen next, by playing a world again from its beginning."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Found", "Move", "Playable", "explore"]

Move = tuple[str, Callable[[Any], None], Any]
"""What can happen, what makes it so, and to what. An invariant that it breaks is an `AssertionError`."""


class Playable(Protocol):
    """A world that plays the same from the same moves."""

    def moves(self) -> Sequence[Move]:
        """What can happen next; none at the end."""
        ...

    def state(self) -> Hashable:
        """All on which the future depends, and all that invariants look at."""
        ...

    def end(self) -> None:
        """Called once nothing can happen any more."""
        ...


@dataclass(slots=True)
class Found:
    """What a search came to.

    Attributes:
        states: Different states that were visited.
        plays: How often a world was played.
        ends: How many plays came to an end that no other had come to.
        moves: Moves by what they are, so that a bound that excludes one is noticed.
    """

    states: set[Hashable] = field(default_factory=set)
    plays: int = 0
    ends: int = 0
    moves: dict[str, int] = field(default_factory=dict)


def explore(begin: Callable[[], Playable], /) -> Found:
    """Visit every state that a world can come to.

    A coroutine cannot be copied, so the way to a state is played again. A state that was met before is not gone on
    from: all that can follow it is visited from where it was met first.

    Args:
        begin: Makes the world as it is at the beginning.

    Raises:
        AssertionError: An invariant was broken; says by which moves.
    """
    found, open_ways = Found(), [tuple[int, ...]()]
    while open_ways:
        way = open_ways.pop()
        _play(begin(), way, found, open_ways)
    return found


def _play(world: Playable, way: tuple[int, ...], found: Found, open_ways: list[tuple[int, ...]]) -> None:
    found.plays += 1
    taken, told = list[int](), list[tuple[str, Any]]()
    try:
        while moves := world.moves():
            if len(taken) < len(way):
                index = way[len(taken)]
            else:
                state = world.state()
                if state in found.states:
                    return
                found.states.add(state)
                for kind, _, _ in moves:
                    found.moves[kind] = found.moves.get(kind, 0) + 1
                open_ways.extend((*taken, other) for other in range(1, len(moves)))
                index = 0
            kind, happen, whom = moves[index]
            taken.append(index)
            told.append((kind, whom))
            happen(whom)
        found.ends += 1
        world.end()
    except AssertionError as error:
        raise AssertionError("\n  ".join([str(error), *(f"{kind} {whom}" for kind, whom in told)])) from error
