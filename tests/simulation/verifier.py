"""A verifier outside the fleet: knows the keys of a JWK Set that it keeps for exactly as long as it may."""

from math import inf

from tests.simulation.fleet import Fleet
from tests.simulation.node import Node

__all__ = ["Verifier"]


class Verifier:
    """Fetches a set when its own is too old, and never in between."""

    def __init__(self, name: str, offset: float, fleet: Fleet) -> None:
        self.name = name
        self.offset = offset
        self._fleet = fleet
        self._kids: frozenset[str] = frozenset()
        self.expires_at = -inf

    @property
    def now(self) -> float:
        """What its clock says."""
        return self._fleet.now + self.offset

    def needs_keys(self) -> bool:
        """Whether the set that it keeps may not be used any more."""
        return self._fleet.now >= self.expires_at

    def fetch(self, node: Node) -> frozenset[str]:
        """Have a node serve a set; its kids."""
        served = node.serve_keys()
        self._kids, self.expires_at = served.kids, self._fleet.now + served.max_age
        return served.kids

    def accepts(self, kid: str) -> bool:
        """Whether it knows the key."""
        return kid in self._kids
