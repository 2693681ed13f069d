"""Sealing a ring anew: afterwards the old key-encryption key can go, and nothing else has changed."""

from dataclasses import replace

import pytest

from mintkey.errors import KeyProviderError, Reason, UnsupportedOperationError
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, FaultyCustodian
from tests.support.tampering import OpenStore

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


class RacedStore(OpenStore):
    """Lets somebody else be faster, once.

    Attributes:
        before_swap: What he does; None: nothing.
    """

    before_swap = None

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        others, self.before_swap = self.before_swap, None
        if others is not None:
            await others()
        return await super().compare_and_swap(ring, expected=expected, document=document)


@pytest.fixture
def store() -> RacedStore:
    return RacedStore()


@pytest.fixture
def start(store: RacedStore, clock: FakeClock):
    def start(*keys: bytes, algorithm: Algorithm = "EdDSA") -> MemoryKeyProvider:
        sealer = Sealer(keys)
        return MemoryKeyProvider(store=store, clock=clock, policy=BY_HAND, sealer=sealer, algorithm=algorithm)

    return start


async def ring_in(store: RacedStore) -> Ring:
    return decode((await store.see()).document.partition(b"\n")[2], ring="default")


def without_handles(ring: Ring) -> Ring:
    return replace(ring, versions=tuple(replace(v, material=replace(v.material, handle="")) for v in ring.versions))


@pytest.mark.parametrize(("algorithm", "sealed"), [("EdDSA", 2), ("HS256", 4)])
async def test_the_old_key_can_go_and_nothing_else_changes(start, store, algorithm, sealed) -> None:
    """A secret is sealed for as long as it verifies."""
    old = start(OLD, algorithm=algorithm)
    kids = [(await old.acquire()).key.kid, (await old.rotate()).kid, (await old.rotate()).kid]
    before = await ring_in(store)
    assert await start(NEW, OLD, algorithm=algorithm).rewrap() == sealed
    after = await ring_in(store)
    assert without_handles(after) == without_handles(before)
    new = start(NEW, algorithm=algorithm)
    assert (await new.acquire()).key.kid == kids[-1]
    for kid in kids:
        assert (await new.resolve(kid)).kid == kid


async def test_a_second_time_there_is_nothing_to_do(start, store) -> None:
    await start(OLD).acquire()
    provider = start(NEW, OLD)
    assert await provider.rewrap() == 2
    stored = await store.see()
    assert await provider.rewrap() == await start(NEW).rewrap() == 0
    assert await store.see() == stored


async def test_the_document_is_sealed_anew_too_if_only_that_is_left(start, store) -> None:
    """As when a process that still has the old key in front wrote it last."""
    await start(OLD).acquire()
    await start(NEW, OLD).rewrap()
    kid = (await ring_in(store)).versions[0].kid
    await start(OLD, NEW).revoke(kid)
    await start(NEW, OLD).rewrap()
    assert len(await start(NEW).versions()) == 3


async def test_a_rotation_meanwhile_is_not_lost(start, store) -> None:
    """Not even one of a process that seals with the old key."""
    other = start(OLD, NEW)
    await other.acquire()
    store.before_swap = other.rotate
    assert await start(NEW, OLD).rewrap() == 2
    ring = await ring_in(store)
    assert len(ring.versions) == 3
    assert ring.signer is not None
    assert (await start(NEW).acquire()).key.kid == ring.signer.kid == (await other.acquire()).key.kid


async def test_a_version_that_was_erased_meanwhile_stays_erased(start, store) -> None:
    other = start(OLD, NEW)
    kid = (await other.acquire()).key.kid

    async def revoke() -> None:
        await other.revoke(kid)

    store.before_swap = revoke
    await start(NEW, OLD).rewrap()
    version = (await ring_in(store)).find(kid)
    assert version is not None
    assert version.material.handle == ""
    assert version.revoked_at is not None


async def test_a_key_that_opens_under_none_is_named_and_nothing_is_touched(start, store) -> None:
    await start(OLD).acquire()
    await start(OLD, NEW).rewrap()
    stored = await store.see()
    mixed = MemoryKeyProvider(
        store=store, custodian=SealedCustodian(Sealer([NEW]), ring="default"), policy=BY_HAND, sealer=None
    )
    unsealed = replace(stored, document=stored.document.partition(b"\n")[2])
    store.put(unsealed)
    with pytest.raises(KeyProviderError, match="cannot be used"):
        await mixed.rewrap()
    assert await store.see() == unsealed


async def test_without_a_ring_none_is_begun(start, store) -> None:
    assert await start(NEW).rewrap() == 0
    assert await store.load("default") is None


async def test_plain_keys_have_nothing_to_seal(store) -> None:
    provider = MemoryKeyProvider(store=store, sealer=Plaintext())
    await provider.acquire()
    assert await provider.rewrap() == 0


@pytest.mark.parametrize("begun", [True, False])
async def test_keys_that_are_kept_elsewhere_are_not_sealed_here(store, begun) -> None:
    provider = MemoryKeyProvider(store=store, custodian=FaultyCustodian(), policy=BY_HAND)
    if begun:
        await provider.acquire()
    with pytest.raises(UnsupportedOperationError, match="kept elsewhere"):
        await provider.rewrap()


class NeverContent(SealedCustodian):
    """As if others kept sealing with another key."""

    async def rewrap(self, material: KeyMaterial, /) -> KeyMaterial:
        return replace(material, handle=material.handle + "A")


async def test_two_processes_that_seal_against_each_other_come_to_an_end(store) -> None:
    provider = MemoryKeyProvider(store=store, custodian=NeverContent(Plaintext(), ring="default"), policy=BY_HAND)
    await provider.acquire()
    with pytest.raises(KeyProviderError, match="in front everywhere") as caught:
        await provider.rewrap()
    assert caught.value.reason is Reason.ROTATION_CONFLICT
