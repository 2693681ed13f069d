"""Minting, rotating and copying on two stores, in any order that keeps the rule: no token refused, no cap exceeded.

The rule: a side that rotated does not rotate again before it was copied to the other one.
"""

import asyncio
from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mintkey.keys.copying import copy_ring
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock

TTL = timedelta(hours=2)
SEALERS = Sealer([bytes(range(32))]), Sealer([bytes(range(32, 64))])

side = st.integers(0, 1)
process = st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("mint"), side, process),
        st.tuples(st.just("rotate"), side, process),
        st.tuples(st.just("copy"), side, process),
        st.tuples(st.just("wait"), side, process),
    ),
    min_size=4,
    max_size=30,
)


class Move:
    """Two stores with three processes on each, the second begun by copying the first."""

    def __init__(self, policy: RotationPolicy) -> None:
        self.clock, self.cap = FakeClock(), policy.max_mints
        stores = MemoryKeyRingStore(), MemoryKeyRingStore()
        self.sides = [
            [MemoryKeyProvider(store=store, clock=self.clock, policy=policy, sealer=sealer) for _ in range(4)]
            for store, sealer in zip(stores, SEALERS, strict=True)
        ]
        self.tokens: dict[str, bytes] = {}
        self.minted: Counter[str] = Counter()
        self.may_rotate = [True, True]

    async def copy(self, source: int) -> None:
        await copy_ring(self.sides[source][3], self.sides[1 - source][3], max_mints=self.cap)
        self.may_rotate[source] = True

    async def do(self, what: str, side: int, process: int) -> None:
        provider = self.sides[side][process]
        if what == "mint":
            grant = await provider.acquire(3)
            self.minted[grant.key.kid] += grant.count
            self.tokens[grant.key.kid] = await grant.key.sign(b"input")
        elif what == "rotate" and self.may_rotate[side]:
            self.may_rotate[side] = False
            await provider.rotate()
        elif what == "copy":
            await self.copy(side)
        elif what == "wait":
            self.clock.advance(timedelta(seconds=20))  # of 30 steps, so that nothing runs out

    async def verify(self) -> None:
        self.clock.advance(timedelta(seconds=6))
        for provider in (*self.sides[0], *self.sides[1]):
            for kid, signature in self.tokens.items():
                assert (await provider.resolve(kid)).verify(b"input", signature)


async def refuses_nothing(history: list[tuple[str, int, int]]) -> None:
    move = Move(RotationPolicy(every=None, max_mints=100_000, previous_ttl=TTL, publish_ahead=timedelta(0)))
    await move.do("mint", 0, 0)
    await move.copy(0)
    for step in history:
        await move.do(*step)
        await move.verify()


async def stays_below(history: list[tuple[str, int, int]], cap: int) -> None:
    move = Move(RotationPolicy(every=None, max_mints=cap, previous_ttl=TTL, publish_ahead=timedelta(0)))
    await move.do("mint", 0, 0)
    await move.copy(0)
    for step in history:
        await move.do(*step)
    assert max(move.minted.values()) <= cap


@settings(max_examples=80, deadline=None)
@given(history=steps)
def test_no_token_is_refused(history) -> None:
    asyncio.run(refuses_nothing(history))


@settings(max_examples=80, deadline=None)
@given(history=steps, cap=st.integers(1, 12))
def test_no_cap_is_exceeded_even_without_the_rule(history, cap: int) -> None:
    """Rotations by count happen when they must."""
    asyncio.run(stays_below(history, cap))
