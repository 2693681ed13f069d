"""A stored ring that somebody changed: every bit of it counts, and what is refused harms nobody else's tokens."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import pytest

from mintkey.errors import KeyProviderError, MintkeyError, Reason
from mintkey.keys.access import RingAccess
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.ports import StoredRing
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND
from tests.support.tampering import OpenStore

SEALER = Sealer([bytes(range(32))])


@dataclass
class Victim:
    """A ring with a retiring version, a pending one and one that signs."""

    store: OpenStore
    stored: StoredRing
    retiring: str
    active: str

    def refuses(self, document: bytes, *, revision: int | None = None) -> None:
        changed = replace(self.stored, document=document, revision=revision or self.stored.revision)
        with pytest.raises(KeyProviderError) as caught:
            RingAccess(self.store, "default", sealer=SEALER).read(changed)
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        assert "'default'" in str(caught.value)


async def lived(ring: str = "default", sealer: Sealer | Plaintext = SEALER) -> Victim:
    store = OpenStore()
    provider = MemoryKeyProvider(store=store, ring=ring, policy=BY_HAND, sealer=sealer, clock=FakeClock())
    retiring = (await provider.acquire()).key.kid
    active = (await provider.rotate()).kid
    return Victim(store, await store.see(ring), retiring, active)


async def test_every_flipped_bit_of_a_stored_document_is_refused() -> None:
    victim = await lived()
    document = victim.stored.document
    for at in range(len(document)):
        for bit in range(8):
            victim.refuses(document[:at] + bytes([document[at] ^ 1 << bit]) + document[at + 1 :])


async def test_every_cut_and_every_byte_too_many_is_refused() -> None:
    victim = await lived()
    document = victim.stored.document
    for size in range(len(document)):
        victim.refuses(document[:size])
    for at in range(len(document) + 1):
        victim.refuses(document[:at] + b" " + document[at:])


async def test_a_document_of_another_ring_of_another_revision_or_of_another_key_is_refused() -> None:
    victim = await lived()
    victim.refuses((await lived("other")).stored.document)
    victim.refuses((await lived(sealer=Sealer([bytes(32)]))).stored.document)
    victim.refuses((await lived(sealer=Plaintext())).stored.document)
    for revision in (1, 3, 12, 2**62):
        victim.refuses(victim.stored.document, revision=revision)


# Blobs, where the document itself is not authenticated: a custodian of the caller's own, or one who has lost the seal.


class Unauthenticated:
    """A ring whose private keys are sealed and whose document is not."""

    def __init__(self) -> None:
        self.store = OpenStore()
        self.clock = FakeClock()

    def process(self) -> MemoryKeyProvider:
        custodian = SealedCustodian(SEALER, ring="default")
        return MemoryKeyProvider(store=self.store, policy=BY_HAND, custodian=custodian, clock=self.clock)

    async def change(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        stored = await self.store.see()
        members = json.loads(stored.document)
        change(members["versions"])
        self.store.put(replace(stored, document=json.dumps(members).encode()))


@pytest.fixture
async def ring() -> tuple[Unauthenticated, str, bytes]:
    """The ring, the kid that signs, and a signature that it made."""
    ring = Unauthenticated()
    provider = ring.process()
    await provider.acquire()
    await provider.rotate()
    grant = await provider.acquire()
    return ring, grant.key.kid, await grant.key.sign(b"input")


async def refuses_to_sign_and_still_verifies(ring: Unauthenticated, kid: str, signature: bytes) -> None:
    process = ring.process()
    with pytest.raises(KeyProviderError) as caught:
        await process.acquire()
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert (await process.resolve(kid)).verify(b"input", signature)


async def test_a_blob_of_another_version_does_not_sign(ring) -> None:
    """Also an old one that is presented under the version that replaced it."""
    victim, kid, signature = ring

    def swap(versions: list[dict[str, Any]]) -> None:
        active, pending = (v for v in versions if v["handle"])
        active["handle"], pending["handle"] = pending["handle"], active["handle"]

    await victim.change(swap)
    await refuses_to_sign_and_still_verifies(victim, kid, signature)


async def test_a_blob_of_a_version_that_is_gone_does_not_come_back(ring) -> None:
    victim, kid, _ = ring
    old = json.loads((await victim.store.see()).document)["versions"]
    handle = next(v["handle"] for v in old if v["kid"] == kid)
    await victim.process().rotate()
    provider = victim.process()
    grant = await provider.acquire()
    signature = await grant.key.sign(b"input")
    await victim.change(lambda versions: [v.update(handle=handle) for v in versions if v["kid"] == grant.key.kid])
    await refuses_to_sign_and_still_verifies(victim, grant.key.kid, signature)


async def test_a_plain_blob_of_the_attackers_in_place_of_a_sealed_one_does_not_sign(ring) -> None:
    victim, kid, signature = ring
    mine = await SealedCustodian(Plaintext(), ring="default").create("EdDSA")
    await victim.change(lambda versions: [v.update(handle=mine.handle) for v in versions])
    await refuses_to_sign_and_still_verifies(victim, kid, signature)


async def test_blobs_do_not_move_between_rings_and_algorithms() -> None:
    # One key-encryption key for all of them, and key and kid the same wherever that can be.
    custodians = {ring: SealedCustodian(SEALER, ring=ring, rsa_bits=2048) for ring in ("default", "other")}
    for here, there in permutations(custodians.values()):
        material = await here.create("EdDSA")
        with pytest.raises(MintkeyError):
            await there.open(material)
    rsa = await custodians["default"].create("RS256")
    for algorithm in ("RS384", "RS512", "PS256"):
        with pytest.raises(KeyProviderError):
            await custodians["default"].open(replace(rsa, algorithm=algorithm))
