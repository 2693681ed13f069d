"""What the nodes of a simulated fleet share, and what they know."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mintkey.keys.base import Algorithm
from mintkey.keys.jwks import cacheable_for
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Intent, Ring, public_for
from tests.simulation.schedule import Settings
from tests.simulation.store import Store, Stored

if TYPE_CHECKING:
    from tests.simulation.node import Node

__all__ = ["Fleet", "Key", "RefusedError", "ServedSet", "Snapshot", "UnavailableError", "View"]


class UnavailableError(Exception):
    """Nobody knows; try again."""


class RefusedError(Exception):
    """The key of this token is to blame, for a reason of one word: unknown, retired, revoked."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of which only the kid matters."""

    kid: str
    algorithm: Algorithm = "EdDSA"

    async def sign(self, signing_input: bytes, /) -> bytes:
        """Nothing is signed here."""
        raise NotImplementedError


class View:
    """A ring with what follows from it, computed once for all nodes."""

    def __init__(self, ring: Ring, change_due_at: float) -> None:
        self.ring = ring
        self.change_due_at = change_due_at
        self.versions = {version.kid: version for version in ring.versions}
        self.stones = {stone.kid: stone for stone in ring.tombstones}
        self.successors = ring.successors
        signer = ring.signer
        self.signing_kid = "" if signer is None else signer.kid


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a node knows."""

    view: View
    stored: Stored | None
    checked_at: float
    fresh_until: float

    @property
    def ring(self) -> Ring:
        """All versions and tombstones."""
        return self.view.ring

    @property
    def signing_kid(self) -> str:
        """The version that signs; empty while there is none."""
        return self.view.signing_kid

    @property
    def change_due_at(self) -> float:
        """When the ring is to be changed, by anybody's clock."""
        return self.view.change_due_at


@dataclass(frozen=True, slots=True)
class ServedSet:
    """A JWK Set as it is served."""

    kids: frozenset[str]
    max_age: float


class Fleet:
    """What nodes share: settings, true time, the store, names for keys, and whoever looks on.

    Attributes:
        now: True time, in seconds.
        store: The one store.
        fails: Whether the store fails for whoever acts.
        loses_answers: Whether it does what it is asked for, and the answer is lost.
        stops_in_look: For how many seconds whoever acts next waits for the answer to a look; that happens once.
        stops_before_swap: For how many seconds whoever acts next is stopped with a change that is planned; likewise.
        race: Called between a look at the store and the change that follows.
        swapped: Told of each change: who, why, the ring before and the ring after.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = 0.0
        self.store = Store()
        self.fails = False
        self.loses_answers = False
        self.stops_in_look = self.stops_before_swap = 0.0
        self.race: Callable[[], None] = lambda: None
        self.swapped: Callable[[Node, Intent, Ring, Ring], None] = lambda _node, _intent, _before, _after: None
        self.compared: tuple[Ring, Ring] | None = None
        self.view: View | None = None
        self._names = 0

    def serve(self, kids: frozenset[str], *, age: float) -> ServedSet:
        """A JWK Set of these, seen so many seconds ago.

        Raises:
            UnavailableError: Not even a verifier who keeps nothing could live with a set as old as this.
        """
        settings, policy = self.settings, self.settings.policy
        delay = timedelta(seconds=max(settings.refresh_interval, age) + settings.max_clock_skew)
        if age > settings.refresh_interval and timedelta(0) < public_for(policy) < delay:
            raise UnavailableError
        return ServedSet(kids, cacheable_for(policy, delay=delay).total_seconds())

    def new_material(self) -> KeyMaterial:
        """A key with a name of its own."""
        self._names += 1
        return KeyMaterial(
            kid=f"k{self._names}", algorithm="EdDSA", public_jwk={}, handle="private", erase_when_retiring=True
        )

    def answer_look(self) -> None:
        """Time passes while somebody waits for an answer."""
        self.now, self.stops_in_look = self.now + self.stops_in_look, 0.0

    def come_to_swap(self) -> None:
        """Time passes between a plan and the change, and others get in between."""
        self.now, self.stops_before_swap = self.now + self.stops_before_swap, 0.0
        self.race()
