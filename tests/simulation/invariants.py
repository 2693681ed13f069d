"""What must hold, and an account of what really happened to hold it against.

The account is kept in true time and follows from who changed the ring when and why, not from the times in the ring.

Full account, while the store never forgot anything:

* A token is accepted inside as long as it is valid by the clock of whoever verifies it, unless its key was revoked. One
  exception: a node that looked for another unknown kid within the last second does not look again, so it may not know
  a key that was made since.
* The same outside, if the key was rotated in by time, or was published for long enough by the time of verification.
* A node that can reach the store always has an answer; one that cannot has it for keys that it knows.
* Nothing by a version is accepted inside at or after its `verify_until` on the clock of whoever accepts it, and outside
  later than `max_age` and the clock's skew after that.
* A revoked key is refused inside after `refresh_interval`, where looks at the store failed after `outage_tolerance`.
* A rotation by time is not early, and every revision has exactly one signer and a successor that stands ready.
* No kid signs more than its cap.

After the store forgot something, what nobody holds any more is gone and outside verifiers were promised nothing. Then:

* What one process knows goes on: after its next look at the store the ring knows it too, and no revocation is undone.
* A token of a key that the ring holds, or that this node holds, is accepted, unless the key had been retired already to
  somebody's knowledge when it was signed.
* A kid signs at most its cap for each time that the counts were forgotten, and once more; for one process it is the
  cap, whatever the store forgot: a process knows what it was granted itself.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from mintkey.keys.ring import Intent, Ring, public_for
from tests.simulation.fleet import Fleet, Snapshot
from tests.simulation.node import Node
from tests.simulation.verifier import Verifier

__all__ = ["Account", "Token", "Violation"]

_CLOSE = 1e-6
"""Two moments that differ by rounding only are the same."""


class Violation(AssertionError):  # noqa: N818 - not an error of the simulator
    """A promise was broken.

    Attributes:
        promise: Which one, in a few words that stay the same.
    """

    def __init__(self, promise: str, details: str) -> None:
        super().__init__(f"{promise}: {details}")
        self.promise = promise


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is out; `is_doubtful`: signed after the store forgot that somebody had retired its key."""

    kid: str
    signed_at: float
    expires_at: float
    is_doubtful: bool = False


@dataclass(slots=True)
class _Facts:
    """What became of a version. Instants of the ring are as written by whoever wrote them; the others are true."""

    created: float
    by_time: bool = False
    signs_since: float | None = None
    verify_until: float = inf
    revoked: float = inf


@dataclass(slots=True)
class Account:
    """What happened, and whether it may."""

    fleet: Fleet
    losses: int = 0
    rotations: int = 0
    signed: Counter[str] = field(default_factory=Counter[str])
    signed_alone: Counter[tuple[str, int, str]] = field(default_factory=Counter[tuple[str, int, str]])
    _facts: dict[str, _Facts] = field(default_factory=dict[str, _Facts])
    _signer: str = ""

    # --- what happened

    def swapped(self, node: Node, intent: Intent, before: Ring, after: Ring) -> None:
        """Somebody changed the ring."""
        signing = [v.kid for v in after.versions if v.activates_at is not None and v.still_to_retire]
        if len(signing) != 1:
            self._broken("exactly one signer", f"{node.name} wrote a ring in which {signing} sign")
        if not after.successors:
            self._broken("a successor stands ready", f"{node.name} wrote a ring without one")
        is_first = not self._facts
        for version in after.versions:
            if version.kid not in self._facts:
                self._facts[version.kid] = _Facts(self.fleet.now)
        at = max(node.now, self._since(self._signer))
        until = at + node.policy.previous_ttl.total_seconds()
        if intent.revoke is not None and (revoked := self._facts[intent.revoke]).revoked == inf:
            revoked.revoked, revoked.verify_until = self.fleet.now, min(revoked.verify_until, until)
        if signing[0] != self._signer:
            self._handed_over(node, signing[0], at, until, by_time=self._is_by_time(intent, before), is_first=is_first)

    def _is_by_time(self, intent: Intent, before: Ring) -> bool:
        signer = before.signer
        return signer is not None and signer.kid not in intent.relieve and signer.kid != intent.revoke

    def _handed_over(self, node: Node, signer: str, at: float, until: float, *, by_time: bool, is_first: bool) -> None:
        retiring, facts = self._facts.get(self._signer), self._facts[signer]
        facts.by_time = is_first or by_time
        every = node.policy.every
        if retiring is not None and not self.losses:
            if by_time and (every is None or at < self._since(self._signer) + every.total_seconds() - _CLOSE):
                self._broken("no rotation by time is early", f"{node.name} replaced {self._signer} at {at:.3f}")
            retiring.verify_until = min(retiring.verify_until, until)
        facts.signs_since = at
        self._signer = signer
        self.rotations += 1

    def _since(self, kid: str) -> float:
        facts = self._facts.get(kid)
        return -inf if facts is None or facts.signs_since is None else facts.signs_since

    def signed_by(self, node: Node, kid: str, count: int) -> None:
        """A node signed with a version."""
        self.signed[kid] += count
        self.signed_alone[node.name, node.life, kid] += count
        cap = self.fleet.settings.policy.max_mints
        if cap is not None and self.signed[kid] > cap * (1 + self.losses):
            self._broken("no kid over its cap", f"{kid} signed {self.signed[kid]} tokens, {cap} are allowed")
        if cap is not None and (alone := self.signed_alone[node.name, node.life, kid]) > cap:
            self._broken("no kid over its cap", f"{node.name} signed {alone} tokens with {kid}, {cap} are allowed")

    def is_late(self, token: Token) -> bool:
        """Whether its key had been replaced when it was signed; whoever signed it did not know."""
        return token.kid != self._signer

    def is_alive(self, token: Token) -> bool:
        """Whether a token is worth another look."""
        return self.fleet.now < token.expires_at + 3 * self.fleet.settings.policy.previous_ttl.total_seconds()

    # --- inside

    def accepted(self, node: Node, kid: str) -> None:
        """A node accepted a key, or served it."""
        if self.losses:
            return
        facts, now = self._facts[kid], self.fleet.now
        if now >= facts.revoked + self._staleness_of(node) - _CLOSE and self._looked_at(node) < facts.revoked:
            self._broken("revoked keys are refused in time", f"{node.name} accepts {kid}, revoked at {facts.revoked}")
        if now >= facts.revoked and self._looked_at(node) > facts.revoked:
            self._broken("revoked keys are refused in time", f"{node.name} knows that {kid} is revoked, and accepts")
        if node.now >= facts.verify_until + _CLOSE:
            self._broken("none accepted after verify_until", f"{node.name} accepts {kid} until {facts.verify_until}")

    def refused(self, node: Node, token: Token, word: str) -> None:
        """A node refused a token because of its key."""
        if node.now >= token.expires_at - _CLOSE or self._may_refuse(node, token, word):
            return
        self._broken(
            "no valid token is rejected inside",
            f"{node.name} refuses {token.kid} ({word}), signed at {token.signed_at:.3f}, for {token.expires_at:.3f}",
        )

    def _may_refuse(self, node: Node, token: Token, word: str) -> bool:
        facts = self._facts[token.kid]
        if facts.revoked <= self.fleet.now:
            return True
        if word == "unknown" and facts.created >= node.searched_at - _CLOSE:
            return True
        if not self.losses:
            return False
        stored, snapshot = self.fleet.store.stored, node.snapshot
        if word == "unknown" and (stored is None or snapshot is None or snapshot.ring is not stored.ring):
            return True  # it searched within the last second, maybe while the ring was lost
        rings = [view.ring for view in (stored, snapshot) if view is not None]
        return token.is_doubtful or not any(ring.find(token.kid) for ring in rings)

    def unavailable(self, node: Node, kid: str = "") -> None:
        """A node had no answer."""
        snapshot, settings = node.snapshot, self.fleet.settings
        if node.reaches_store and not node.failed:
            self._broken("who reaches the store has an answer", f"{node.name} has none")
        if snapshot is None or self.fleet.now >= snapshot.checked_at + settings.outage_tolerance - _CLOSE:
            return
        version = snapshot.view.versions.get(kid)
        if version is not None and version.verifies_at(node.now):
            self._broken("what is known is answered through outages", f"{node.name} has no answer on {kid}")

    def _staleness_of(self, node: Node) -> float:
        settings = self.fleet.settings
        return settings.outage_tolerance if settings.partitions else settings.refresh_interval

    def _looked_at(self, node: Node) -> float:
        return inf if node.snapshot is None else node.snapshot.checked_at

    # --- outside

    def accepted_outside(self, verifier: Verifier, kid: str) -> None:
        """A verifier outside accepted a key."""
        if self.losses:
            return
        facts, now, settings = self._facts[kid], self.fleet.now, self.fleet.settings
        max_age = self._longest_max_age()
        if now >= facts.verify_until + settings.max_clock_skew + max_age + _CLOSE:
            self._broken("none accepted after verify_until", f"{verifier.name} accepts {kid}")
        if now >= facts.revoked + settings.staleness + max_age + _CLOSE:
            self._broken("revoked keys are refused in time", f"{verifier.name} accepts {kid}")

    def refused_outside(self, verifier: Verifier, token: Token) -> None:
        """A verifier outside did not know the key of a token."""
        facts, ahead = self._facts[token.kid], public_for(self.fleet.settings.policy).total_seconds()
        if self.losses or not ahead or facts.revoked <= self.fleet.now or verifier.now >= token.expires_at - _CLOSE:
            return
        by_time = facts.by_time and facts.signs_since is not None
        if by_time or self.fleet.now >= facts.created + ahead:
            self._broken(
                "no valid token is rejected outside",
                f"{verifier.name} does not know {token.kid}, made at {facts.created:.3f}, "
                f"signed at {token.signed_at:.3f}, for {token.expires_at:.3f}",
            )

    def _longest_max_age(self) -> float:
        settings = self.fleet.settings
        ahead = public_for(settings.policy).total_seconds()
        return max(0.0, ahead - settings.refresh_interval - settings.max_clock_skew)

    # --- after losses

    def lost(self) -> None:
        """The store forgot something."""
        self.losses += 1

    def goes_on(self, node: Node, before: Snapshot) -> None:
        """A node that knew something looked at the store: the ring knows it now."""
        stored = self.fleet.store.stored
        if not before.ring.versions:
            return
        if stored is None:
            self._broken("a kid's history goes on", f"{node.name} looked and left the store empty")
            return
        for version in before.ring.versions:
            kid, found = version.kid, stored.ring.find(version.kid)
            stone = stored.ring.tombstone(kid)
            if found is None and stone is None:
                self._broken("a kid's history goes on", f"{node.name} knew {kid}, the ring does not")
            if version.revoked_at is not None and found is not None and found.revoked_at is None:
                self._broken("no revocation is undone", f"{node.name} knew that {kid} is revoked, the ring does not")

    def _broken(self, promise: str, details: str) -> None:
        raise Violation(promise, f"{details} (true time {self.fleet.now:.3f})")
