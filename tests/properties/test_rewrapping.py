"""Whatever became of a ring, sealing it anew changes no kid, no public key and no time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Sealer
from mintkey.testing.clock import FakeClock
from tests.support.tampering import OpenStore

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
POLICY = RotationPolicy(every=None, previous_ttl=timedelta(minutes=10), publish_ahead=timedelta(0))

steps = st.lists(
    st.one_of(
        st.just(("rotate", 0)),
        st.tuples(st.just("revoke"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 9)),
    ),
    max_size=8,
)


def without_handles(ring: Ring) -> Ring:
    return replace(ring, versions=tuple(replace(v, material=replace(v.material, handle="")) for v in ring.versions))


async def check(history: list[tuple[str, int]], algorithm: str, switch: int) -> None:
    store, clock = OpenStore(), FakeClock()

    def start(*keys: bytes) -> MemoryKeyProvider:
        return MemoryKeyProvider(
            store=store,
            clock=clock,
            policy=POLICY,
            sealer=Sealer(keys),
            algorithm="HS256" if algorithm == "HS256" else "EdDSA",
        )

    await start(OLD).acquire()
    for number, (what, argument) in enumerate(history):
        provider = start(OLD, NEW) if number < switch else start(NEW, OLD)
        if what == "rotate":
            await provider.rotate()
        elif what == "revoke":
            versions = await provider.versions()
            await provider.revoke(versions[argument % len(versions)].kid)
        else:
            clock.advance(timedelta(minutes=argument))
            await provider.prune()
    before = decode((await store.see()).document.partition(b"\n")[2], ring="default")
    await start(NEW, OLD).rewrap()
    after = decode((await store.see()).document.partition(b"\n")[2], ring="default")
    assert without_handles(after) == without_handles(before)
    assert [bool(v.material.handle) for v in after.versions] == [bool(v.material.handle) for v in before.versions]
    custodian = SealedCustodian(Sealer([NEW]), ring="default")
    for version in after.versions:
        if version.material.handle:
            assert (await custodian.open(version.material)).kid == version.kid
    assert await start(NEW).rewrap() == 0


@settings(max_examples=60, deadline=None)
@given(history=steps, algorithm=st.sampled_from(["EdDSA", "HS256"]), switch=st.integers(0, 8))
def test_sealing_anew_changes_handles_and_nothing_else(history, algorithm, switch) -> None:
    asyncio.run(check(history, algorithm, switch))
