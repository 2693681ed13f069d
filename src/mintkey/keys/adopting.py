"""Taking a key that exists already into a ring."""

from functools import partial

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import verification_key
from mintkey.keys.answers import answer_of
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Create, Ring, apply

__all__ = ["adopt"]

_DEADLINE = 30.0
_PROOF = b"mintkey: a key that is to be adopted has to sign this"


async def adopt(provider: RotatingKeyProvider, material: KeyMaterial, /) -> None:
    """Publish a key that exists already as a pending version, unless the ring has or had it.

    The key has to sign first, and that is verified. In a ring without versions it becomes the active one. Otherwise it
    stands behind the successor that is ready, so the second `rotate()` from now on makes it active; and from its
    publication on all verifiers can learn it.

    Args:
        provider: Whose ring it goes into; its custodian has to open the key.
        material: The key as its custodian describes it, as from `AwsKmsCustodian.adopt`.

    Raises:
        ConfigurationError: It is a secret, which nobody else may know, or does not go with the keys of this ring
            (`configuration`).
        KeyProviderError: The key does not open or does not sign, or the store cannot answer (`keys_unavailable`,
            `signing_failed`).

    Example:
        >>> import asyncio
        >>> from mintkey.keys import MemoryKeyProvider, Plaintext, SealedCustodian
        >>> custodian = SealedCustodian(Plaintext(), ring="default")
        >>> async def move_in() -> bool:
        ...     material = await custodian.create("EdDSA")  # of KMS: await custodian.adopt("alias/my-key", "ES256")
        ...     async with MemoryKeyProvider(custodian=custodian) as keys:
        ...         await adopt(keys, material)
        ...         return (await keys.acquire()).key.kid == material.kid
        >>> asyncio.run(move_in())
        True
    """
    if material.public_jwk is None:
        raise ConfigurationError("adopt: a secret is not adopted, only a key with a public half")
    workings = provider.workings
    key = await answer_of(
        workings.keychain.custodian.open(material), task=f"open key {material.kid}", deadline=_DEADLINE
    )
    public = load_jwk(material.public_jwk, source="the key to adopt", algorithm=material.algorithm, kid=material.kid)
    if not verification_key(public).verify(_PROOF, await key.sign(_PROOF)):
        raise KeyProviderError(f"adopt: the key {material.kid} does not make the signatures of its public half")
    workings.keychain.check_kind(apply(Ring(), (Create(0.0),), (material,)))
    await workings.tasks.run(workings.keeper.edit(partial(_with, material=material, at=workings.clock.time())))


def _with(ring: Ring, *, material: KeyMaterial, at: float) -> Ring:
    return ring if ring.knows(material.kid) else apply(ring, (Create(ring.moment(at)),), (material,))
