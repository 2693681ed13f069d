"""A key that exists already goes into a ring, once it proved itself."""

from dataclasses import replace

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, UnsupportedOperationError
from mintkey.jose.jwk import generate
from mintkey.jose.prepared import signing_key
from mintkey.keys import KeyMaterial, MemoryKeyProvider, SigningKey, adopt, sweep
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.sealing import Plaintext
from tests.support.ring_faults import BY_HAND, FaultyCustodian

SEALED = SealedCustodian(Plaintext(), ring="default")


class Impostor(FaultyCustodian):
    """Opens any key, and signs with another one."""

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        return signing_key(generate(material.algorithm))


async def test_it_waits_behind_the_successor_that_is_ready() -> None:
    material = await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=SEALED, policy=BY_HAND) as keys:
        await keys.acquire()
        await adopt(keys, material)
        await adopt(keys, material)
        assert [v.state for v in await keys.versions() if v.kid == material.kid] == ["pending"]
        assert (await keys.rotate()).kid != material.kid
        assert (await keys.rotate()).kid == material.kid


async def test_in_an_empty_ring_it_signs_at_once() -> None:
    material = await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=SEALED, policy=BY_HAND) as keys:
        await adopt(keys, material)
        assert (await keys.acquire()).key.kid == material.kid


async def test_what_was_revoked_does_not_come_back() -> None:
    material = await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=SEALED, policy=BY_HAND) as keys:
        await adopt(keys, material)
        await keys.acquire()
        await keys.revoke(material.kid)
        await adopt(keys, material)
        assert [v.state for v in await keys.versions() if v.kid == material.kid] == ["revoked"]


async def test_a_key_that_signs_as_another_is_refused() -> None:
    material = await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=Impostor(), policy=BY_HAND) as keys:
        with pytest.raises(KeyProviderError, match="does not make the signatures of its public half"):
            await adopt(keys, material)
        assert material.kid not in {version.kid for version in await keys.versions()}


async def test_secrets_and_keys_of_the_other_kind_are_refused() -> None:
    secret, key = await SEALED.create("HS256"), await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=SEALED) as keys:
        with pytest.raises(ConfigurationError, match="a secret is not adopted"):
            await adopt(keys, secret)
    async with MemoryKeyProvider(custodian=SEALED, algorithm="HS256") as keys:
        with pytest.raises(ConfigurationError, match="never mixed"):
            await adopt(keys, key)
        assert key.kid not in {version.kid for version in await keys.versions()}


async def test_a_kid_that_is_not_its_own_is_refused() -> None:
    material = await SEALED.create("EdDSA")
    async with MemoryKeyProvider(custodian=SEALED) as keys:
        with pytest.raises((ConfigurationError, KeyProviderError)):
            await adopt(keys, replace(material, kid="another"))


async def test_where_keys_are_in_the_ring_there_is_nothing_to_sweep() -> None:
    async with MemoryKeyProvider() as keys:
        await keys.acquire()
        with pytest.raises(UnsupportedOperationError, match="nothing behind"):
            await sweep(keys)
