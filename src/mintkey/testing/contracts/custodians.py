"""What every `KeyCustodian` promises, as tests for yours.

```python
class MyHarness:
    algorithms = ("ES256", "RS256")

    def custodian(self) -> KeyCustodian:
        return MyCustodian("https://kms.example")


class TestMyCustodian(KeyCustodianContract):
    @pytest.fixture
    def harness(self) -> MyHarness:
        return MyHarness()
```

The fixture may be asynchronous, and closes behind its `yield` what it opened.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, cast

import anyio
import pytest

from mintkey.errors import KeyProviderError
from mintkey.jose.jwk import check_kid, load_jwk, thumbprint
from mintkey.jose.prepared import verification_key
from mintkey.keys.base import Algorithm, SigningKey, VerificationKey
from mintkey.keys.ports import KeyCustodian, KeyMaterial

__all__ = ["CustodianHarness", "KeyCustodianContract"]

_PUBLIC_MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"})
_TELLING = 8  # characters; fewer than that are found in any text by accident, and keep no secret


class CustodianHarness(Protocol):
    """Gives the contract custodians to test.

    Attributes:
        algorithms: The algorithms to test it with, at least one.

    Example:
        >>> from mintkey.keys.custodians.sealed import SealedCustodian
        >>> from mintkey.keys.sealing import Plaintext
        >>> class Harness:
        ...     algorithms = ("EdDSA",)
        ...
        ...     def custodian(self):
        ...         return SealedCustodian(Plaintext(), ring="default")
    """

    algorithms: Sequence[Algorithm]

    def custodian(self) -> KeyCustodian:
        """A custodian of the same keys as every other one of this harness: another instance where that is possible."""
        ...


@pytest.mark.anyio
class KeyCustodianContract:
    """Subclass it, override the fixture `harness`, and every promise of `KeyCustodian` is tested against yours.

    Example:
        >>> from mintkey.testing.contracts.custodians import KeyCustodianContract
        >>> class TestMyCustodian(KeyCustodianContract):
        ...     @pytest.fixture
        ...     def harness(self): ...
    """

    async def test_a_new_key_is_described_for_the_ring(self, harness: CustodianHarness) -> None:
        """The kid has the right shape, is the thumbprint of a public key, and tells nothing of a secret."""
        for material in await _one_of_each(harness):
            assert check_kid(material.kid)
            assert material.handle
            if material.public_jwk is not None:
                assert material.kid == thumbprint(material.public_jwk)
                assert load_jwk(material.public_jwk, source="the contract").algorithm == material.algorithm

    async def test_a_public_jwk_is_public(self, harness: CustodianHarness) -> None:
        """It goes into the JWK Set as it is; a secret has none (RFC 7517 §9.2)."""
        for material in await _one_of_each(harness):
            if material.public_jwk is None:
                assert material.algorithm.startswith("HS")
            else:
                assert not material.public_jwk.keys() - _PUBLIC_MEMBERS

    async def test_keys_are_new(self, harness: CustodianHarness) -> None:
        """Two creations never give one key, also at the same time."""
        made: list[KeyMaterial] = []

        async def create() -> None:
            made.append(await harness.custodian().create(harness.algorithms[0]))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(create)
        assert len({material.kid for material in made}) == 3

    async def test_what_it_signs_verifies(self, harness: CustodianHarness) -> None:
        """Under the public JWK, or for a secret under the opened key itself; the signature is a raw JOSE one."""
        for material in await _one_of_each(harness):
            key = await harness.custodian().open(material)
            assert (key.kid, key.algorithm) == (material.kid, material.algorithm)
            signature = await key.sign(b"header.payload")
            verifier = _verifier(material, key)
            assert verifier.verify(b"header.payload", signature)
            assert not verifier.verify(b"header.payloae", signature)
            assert not verifier.verify(b"header.payload", b"")

    async def test_a_key_outlives_its_custodian(self, harness: CustodianHarness) -> None:
        """The handle is all that another process needs: nothing about a key is kept in memory alone."""
        material = await harness.custodian().create(harness.algorithms[0])
        one, other = await harness.custodian().open(material), await harness.custodian().open(material)
        verifier = _verifier(material, one)
        assert verifier.verify(b"input", await one.sign(b"input"))
        assert verifier.verify(b"input", await other.sign(b"input"))

    async def test_a_damaged_handle_is_a_key_provider_error(self, harness: CustodianHarness) -> None:
        """Never a driver's error, and never a message with the handle in it."""
        material = await harness.custodian().create(harness.algorithms[0])
        cut = material.handle[:-4] or material.handle[:-1]
        for handle in ("", "no handle of ours", cut, "é, and no handle of ours: " + material.handle):
            with pytest.raises(KeyProviderError) as raised:
                await _open_and_sign(harness.custodian(), replace(material, handle=handle))
            assert not _shows(str(raised.value), handle)

    async def test_a_handle_of_another_key_does_not_sign(self, harness: CustodianHarness) -> None:
        """Whoever can write to the ring cannot put one key in the place of another."""
        custodian = harness.custodian()
        mine, foreign = [await custodian.create(harness.algorithms[0]) for _ in range(2)]
        with pytest.raises(KeyProviderError):
            await _open_and_sign(custodian, replace(mine, handle=foreign.handle))

    async def test_nothing_shows_the_private_half(self, harness: CustodianHarness) -> None:
        """A log line with the custodian, a material or an opened key gives nothing away."""
        custodian = harness.custodian()
        for material in await _one_of_each(harness):
            key = await custodian.open(material)
            for shown in (repr(custodian), repr(material), repr(key)):
                assert not _shows(shown, material.handle)

    async def test_destroying_twice_does_nothing(self, harness: CustodianHarness) -> None:
        """The pruning process may crash between two steps and start again, and handles may have been erased before."""
        for material in await _one_of_each(harness):
            for gone in (material, material, replace(material, handle="")):
                await harness.custodian().destroy(gone)

    async def test_destroying_one_key_leaves_the_others(self, harness: CustodianHarness) -> None:
        """Exactly the named key goes."""
        custodian = harness.custodian()
        kept, gone = [await custodian.create(harness.algorithms[0]) for _ in range(2)]
        await custodian.destroy(gone)
        key = await custodian.open(kept)
        assert _verifier(kept, key).verify(b"input", await key.sign(b"input"))


async def _one_of_each(harness: CustodianHarness) -> list[KeyMaterial]:
    return [await harness.custodian().create(algorithm) for algorithm in harness.algorithms]


def _shows(text: str, handle: str) -> bool:
    return len(handle) >= _TELLING and handle in text


async def _open_and_sign(custodian: KeyCustodian, material: KeyMaterial) -> bytes:
    # A custodian without the key's bytes may only notice when it is asked to sign.
    return await (await custodian.open(material)).sign(b"input")


def _verifier(material: KeyMaterial, opened: SigningKey) -> VerificationKey:
    if material.public_jwk is None:
        return cast("VerificationKey", opened)
    return verification_key(load_jwk(material.public_jwk, source="the contract"))
