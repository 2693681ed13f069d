"""What the contract of custodians makes of handles: short names are as good as long ones, and none is told."""

from itertools import count

import pytest

from mintkey.errors import KeyProviderError
from mintkey.jose.generation import generate
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.prepared import signing_key
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.ports import KeyMaterial
from mintkey.testing import KeyCustodianContract

PROMISES = [name for name in vars(KeyCustodianContract) if name.startswith("test_")]


class NamedKeys:
    """Keys in memory whose handles are names of a given length.

    Args:
        length: The characters of a handle.
        is_chatty: Errors name the handle.
    """

    algorithms: tuple[Algorithm, ...] = ("EdDSA",)

    def __init__(self, length: int, *, is_chatty: bool = False) -> None:
        self._length, self._is_chatty = length, is_chatty
        self._keys: dict[str, LoadedKey] = {}
        self._letters = count(ord("k"))

    def custodian(self) -> "NamedKeys":
        return self

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        name = chr(next(self._letters)) * self._length
        self._keys[name] = key = generate(algorithm)
        return KeyMaterial(kid=key.kid, algorithm=key.algorithm, public_jwk=key.public_jwk, handle=name)

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        key = self._keys.get(material.handle)
        if key is None or key.kid != material.kid:
            told = f": {material.handle}" if self._is_chatty else ""
            raise KeyProviderError(f"nobody here knows of such a key{told}")
        return signing_key(key)

    async def destroy(self, material: KeyMaterial, /) -> None:
        self._keys.pop(material.handle, None)


async def keeps(promise: str, harness: NamedKeys) -> None:
    await getattr(KeyCustodianContract(), promise)(harness)


@pytest.mark.parametrize("length", [1, 2, 4, 5, 8, 40])
@pytest.mark.parametrize("promise", PROMISES)
async def test_a_handle_may_have_any_length(promise: str, length: int) -> None:
    await keeps(promise, NamedKeys(length))


@pytest.mark.parametrize("length", [1, 5, 40])
async def test_a_message_with_the_handle_in_it_is_found(length: int) -> None:
    with pytest.raises(AssertionError):
        await keeps("test_a_damaged_handle_is_a_key_provider_error", NamedKeys(length, is_chatty=True))
