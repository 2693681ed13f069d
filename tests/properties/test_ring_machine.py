"""A fleet on one ring, driven at random, against an oracle that knows the rules and none of the code."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mintkey.errors import KeyNotFoundError, Reason
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock

T = TypeVar("T")

EVERY, TTL, AHEAD, CAP = timedelta(seconds=300), timedelta(seconds=200), timedelta(seconds=20), 5
POLICY = RotationPolicy(every=EVERY, max_mints=CAP, previous_ttl=TTL, publish_ahead=AHEAD)
LOOK = timedelta(seconds=6)  # from one step to the next every process has looked at the store again

processes = strategies.integers(0, 2)


@dataclass
class Oracle:
    """What the design says must be: who signs since when, who waits since when, and until when what verifies."""

    signer: str
    since: datetime
    waiting: dict[str, datetime]
    born: list[str]
    until: dict[str, datetime] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    minted: Counter[str] = field(default_factory=Counter)
    signatures: dict[str, bytes] = field(default_factory=dict)

    @property
    def known(self) -> list[str]:
        return [kid for kid in self.born if kid not in self.dropped]

    def is_due(self, now: datetime, *, without: str = "") -> bool:
        """Every so often, if the successor was public for long enough by then."""
        ready = [since for kid, since in self.waiting.items() if kid != without]
        return bool(ready) and now >= max(self.since + EVERY, min(ready) + AHEAD)

    def may_verify(self, kid: str, now: datetime) -> bool:
        return kid not in self.revoked and (kid not in self.until or now < self.until[kid])

    def over(self, now: datetime) -> set[str]:
        return {kid for kid, until in self.until.items() if now >= until} - self.dropped


class Fleet(RuleBasedStateMachine):
    @initialize()
    def found(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.store = MemoryKeyRingStore()
        self.fleet = [self.process() for _ in range(3)]
        pending, active = self.run(self.fleet[0].versions())
        now = self.clock.now()
        self.oracle = Oracle(active.kid, now, waiting={pending.kid: now}, born=[active.kid, pending.kid])

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()

    def process(self) -> MemoryKeyProvider:
        return MemoryKeyProvider(clock=self.clock, policy=POLICY, store=self.store)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def look(self) -> list[KeyVersion]:
        return list(self.run(self.fleet[0].versions()))

    def handed_over(self) -> bool:
        """Take note if another version signs now; whether that is so."""
        now, oracle = self.clock.now(), self.oracle
        active = next(v.kid for v in self.look() if v.state is KeyState.ACTIVE)
        if active == oracle.signer:
            return False
        assert active in oracle.waiting, "who takes over stood ready"
        oracle.until.setdefault(oracle.signer, now + TTL)
        del oracle.waiting[active]
        oracle.signer, oracle.since = active, now
        self.note_new_versions()
        return True

    def note_new_versions(self) -> None:
        for version in reversed(self.look()):
            if version.kid not in self.oracle.born:
                self.oracle.born.append(version.kid)
                self.oracle.waiting[version.kid] = self.clock.now()

    # --- what can happen

    @rule(seconds=strategies.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(process=processes)
    def mint(self, process: int) -> None:
        self.clock.advance(LOOK)
        oracle = self.oracle
        before, due = oracle.signer, oracle.is_due(self.clock.now())
        grant = self.run(self.fleet[process].acquire())
        if self.handed_over():
            used_up = next(v.mints for v in self.look() if v.kid == before)
            stored = self.run(self.store.load("default"))
            assert stored is not None
            assert due or stored.mints[before] == CAP, f"rotated with {used_up} mints and no reason"
        else:
            assert not due
        assert grant.key.kid == oracle.signer
        oracle.minted[grant.key.kid] += grant.count
        oracle.signatures[grant.key.kid] = self.run(grant.key.sign(b"input"))

    @rule(process=processes)
    def rotate(self, process: int) -> None:
        self.clock.advance(LOOK)
        active = self.run(self.fleet[process].rotate())
        assert self.handed_over()
        assert active.kid == self.oracle.signer

    @rule(process=processes, nth=strategies.integers(0, 9))
    def revoke(self, process: int, nth: int) -> None:
        self.clock.advance(LOOK)
        oracle = self.oracle
        kid = oracle.known[nth % len(oracle.known)]
        hands_over = kid == oracle.signer or oracle.is_due(self.clock.now(), without=kid)
        self.run(self.fleet[process].revoke(kid))
        oracle.revoked.add(kid)
        oracle.until.setdefault(kid, self.clock.now() + TTL)
        oracle.waiting.pop(kid, None)
        self.note_new_versions()
        assert self.handed_over() == hands_over

    @rule(process=processes, by_upkeep=strategies.booleans())
    def prune(self, process: int, by_upkeep: bool) -> None:
        self.clock.advance(LOOK)
        over = self.oracle.over(self.clock.now())
        if by_upkeep:
            self.run(self.fleet[process].maintain())
        else:
            assert self.run(self.fleet[process].prune()) == len(over)
        self.oracle.dropped |= over
        self.handed_over()

    @rule(process=processes, in_order=strategies.booleans())
    def restart(self, process: int, in_order: bool) -> None:
        """Also a crash: whatever the process had set aside is wasted, and nothing else changes."""
        before = self.run(self.store.load("default"))
        if in_order:
            self.run(self.fleet[process].aclose())
        self.fleet[process] = self.process()
        self.run(self.fleet[process].versions())
        assert self.run(self.store.load("default")) == before

    @precondition(lambda self: self.oracle.signatures)
    @rule(process=processes)
    def verify(self, process: int) -> None:
        """A token verifies until its version's time is over and not after, and never once that is revoked."""
        self.clock.advance(LOOK)
        now, oracle = self.clock.now(), self.oracle
        for kid, signature in oracle.signatures.items():
            if oracle.may_verify(kid, now):
                assert self.run(self.fleet[process].resolve(kid)).verify(b"input", signature)
                continue
            with pytest.raises(KeyNotFoundError) as raised:
                self.run(self.fleet[process].resolve(kid))
            assert raised.value.reason is (Reason.KEY_REVOKED if kid in oracle.revoked else Reason.KEY_RETIRED)

    # --- what holds after each step

    @invariant()
    def one_signs_and_one_waits(self) -> None:
        states = Counter(version.state for version in self.look())
        assert states[KeyState.ACTIVE] == 1
        assert states[KeyState.PENDING] >= 1

    @invariant()
    def all_is_as_the_oracle_says(self) -> None:
        now, oracle = self.clock.now(), self.oracle
        versions = self.look()
        assert {version.kid for version in versions} == set(oracle.known)
        for version in versions:
            assert version.verify_until == oracle.until.get(version.kid)
            assert (version.state is KeyState.REVOKED) == (version.kid in oracle.revoked)
        published = {key["kid"] for key in self.run(self.fleet[0].jwks()).as_dict()["keys"]}
        assert published == {kid for kid in oracle.known if oracle.may_verify(kid, now)}

    @invariant()
    def nobody_is_over_the_cap(self) -> None:
        assert all(count <= CAP for count in self.oracle.minted.values())


Fleet.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestFleet = Fleet.TestCase
