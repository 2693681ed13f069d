"""The memory provider: the rotating one with its ring in this process."""

import asyncio

import pytest

from mintkey.errors import ConfigurationError
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.memory import MemoryKeyRingStore


async def test_needs_nothing() -> None:
    provider = MemoryKeyProvider()
    grant = await provider.acquire()
    key = await provider.resolve(grant.key.kid)
    assert key.verify(b"input", await grant.key.sign(b"input"))


async def test_each_has_its_own_ring() -> None:
    kids = {(await MemoryKeyProvider().acquire()).key.kid for _ in range(2)}
    assert len(kids) == 2


async def test_those_with_one_store_share_a_ring_by_name() -> None:
    store = MemoryKeyRingStore()
    one, same, other = (MemoryKeyProvider(store=store, ring=ring) for ring in ("a", "a", "b"))
    assert (await one.acquire()).key.kid == (await same.acquire()).key.kid != (await other.acquire()).key.kid


async def test_seals_if_it_is_told_to() -> None:
    """In a process that is dumped, the ring gives nothing away."""
    store = MemoryKeyRingStore()
    await MemoryKeyProvider(store=store, sealer=Sealer([Sealer.generate_key()])).acquire()
    stored = await store.load("default")
    assert stored is not None
    assert b"sealed1." in stored.document
    assert b"plain1." not in stored.document


async def test_takes_another_custodian() -> None:
    custodian = SealedCustodian(Plaintext(), ring="default")
    assert (await MemoryKeyProvider(custodian=custodian).acquire()).count == 1
    with pytest.raises(ConfigurationError, match="not both"):
        MemoryKeyProvider(custodian=custodian, sealer=Plaintext())


def test_serves_one_event_loop_after_another() -> None:
    """As scripts and test suites do that call `asyncio.run` more than once."""
    provider = MemoryKeyProvider()
    kids = {asyncio.run(provider.acquire()).key.kid for _ in range(3)}
    assert len(kids) == 1


def test_can_be_built_without_an_event_loop() -> None:
    """And within one, as every test here shows."""
    assert MemoryKeyProvider().max_token_age is not None
