"""The default custody: private keys live sealed inside the ring itself."""

from dataclasses import replace

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.jose import jwk, prepared
from mintkey.jose.algorithms import spec_of
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.ports import KeyCustodian, KeyMaterial
from mintkey.keys.sealing import Plaintext, Sealer, joined

__all__ = ["SealedCustodian", "custodian_for"]

_RSA_BITS = range(2048, 16_384 + 1)


class SealedCustodian:
    """A `KeyCustodian` whose handle is the private JWK itself, sealed for one ring, kid and algorithm.

    A sealed key that is copied to another ring, under another kid or another algorithm does not open there: those three
    are the associated data of the seal.

    Args:
        sealer: What seals and opens; `Plaintext()` where the place is guarded by other means.
        ring: The name of the ring that the keys belong to.
        rsa_bits: The modulus of new RSA keys, in bits.

    Raises:
        ConfigurationError: `rsa_bits` is not between 2048 (RFC 7518 §3.3) and 16384 (`configuration`).

    Example:
        >>> SealedCustodian(Plaintext(), ring="default")
        SealedCustodian(Plaintext(), ring='default')
    """

    __slots__ = ("_ring", "_rsa_bits", "_sealer")

    def __init__(self, sealer: Sealer | Plaintext, *, ring: str, rsa_bits: int = 3072) -> None:
        if rsa_bits not in _RSA_BITS:
            raise ConfigurationError(f"SealedCustodian.rsa_bits must be {_RSA_BITS[0]} to {_RSA_BITS[-1]}")
        self._sealer = sealer
        self._ring = ring
        self._rsa_bits = rsa_bits

    def __repr__(self) -> str:
        return f"SealedCustodian({self._sealer!r}, ring={self._ring!r})"

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        """A new key whose private half is sealed into its handle.

        Raises:
            ConfigurationError: The algorithm is not known (`configuration`).
        """
        spec = spec_of(algorithm)
        if spec.costly:
            key = await prepared.offload(self._generate, algorithm)
        else:
            key = self._generate(algorithm)
        private = strict_json.dumps(key.private_jwk or {})  # what was just generated has its private half
        return KeyMaterial(
            kid=key.kid,
            algorithm=key.algorithm,
            public_jwk=key.public_jwk,
            handle=self._sealer.seal(private, aad=self._binding(key.kid, key.algorithm)),
            # A secret verifies what it signed, so it is needed until the version is past its time.
            erase_when_retiring=not spec.symmetric,
        )

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to sign.

        Raises:
            KeyProviderError: The handle does not open, or holds another key than the ring says (`keys_unavailable`).
        """
        try:
            if spec_of(material.algorithm).costly:
                return await prepared.offload(self._unseal, material)
            return self._unseal(material)
        except (ConfigurationError, KeyProviderError, ValueError) as error:
            # The causes that we write ourselves name no content; those of parsers are not shown.
            cause = str(error) if isinstance(error, KeyProviderError) else "the stored private key is damaged"
            raise self._unusable(material, cause) from None

    async def rewrap(self, material: KeyMaterial, /) -> KeyMaterial:
        """The same key with its handle sealed under the sealer's first key; the very object if it already is.

        Raises:
            KeyProviderError: The handle does not open (`keys_unavailable`).
        """
        aad = self._binding(material.kid, material.algorithm)
        try:
            handle = self._sealer.reseal(material.handle, aad=aad)
        except KeyProviderError as error:
            raise self._unusable(material, str(error)) from None
        return material if handle == material.handle else replace(material, handle=handle)

    async def move_to(self, other: "SealedCustodian", material: KeyMaterial, /) -> KeyMaterial:
        """The same key, sealed as another custodian seals: for its ring, under its sealer.

        Args:
            other: The custodian of the ring that the key moves to.
            material: The key as it stands in our ring.

        Raises:
            KeyProviderError: The handle does not open (`keys_unavailable`).
        """
        try:
            private = self._sealer.open(material.handle, aad=self._binding(material.kid, material.algorithm))
        except KeyProviderError as error:
            raise self._unusable(material, str(error)) from None
        return other.receive(material, private)

    def receive(self, material: KeyMaterial, private: bytes, /) -> KeyMaterial:
        """A key that comes from another custodian, its private half sealed as this one seals.

        Args:
            material: The key; its handle there is replaced.
            private: The private JWK as JSON.
        """
        aad = self._binding(material.kid, material.algorithm)
        return replace(material, handle=self._sealer.seal(private, aad=aad))

    async def destroy(self, material: KeyMaterial, /) -> None:
        """Nothing to do: the ring that drops the handle drops the only copy."""

    def _generate(self, algorithm: Algorithm) -> jwk.LoadedKey:
        return jwk.generate(algorithm, rsa_bits=self._rsa_bits)

    def _unseal(self, material: KeyMaterial) -> SigningKey:
        private = self._sealer.open(material.handle, aad=self._binding(material.kid, material.algorithm))
        key = jwk.load_jwk(
            strict_json.loads(private),
            source="the sealed key",
            algorithm=material.algorithm,
            kid=material.kid,
            made_here=True,  # all that is ever sealed here came from `create`, of this process or another
        )
        # With Plaintext nothing is bound: a key that stands in another's place must not sign under its name.
        if (key.kid, key.algorithm, key.public_jwk) != (material.kid, material.algorithm, material.public_jwk):
            raise KeyProviderError("it is not the key that the ring names")
        return prepared.signing_key(key)

    def _unusable(self, material: KeyMaterial, cause: str) -> KeyProviderError:
        return KeyProviderError(
            f"key {material.kid!r} of ring {self._ring!r} cannot be used: {cause}",
            details={"ring": self._ring, "kid": material.kid},
        )

    def _binding(self, kid: str, algorithm: str) -> bytes:
        return joined(self._ring.encode(), kid.encode(), algorithm.encode())


def custodian_for(
    provider: str,
    /,
    *,
    ring: str,
    sealer: Sealer | Plaintext | None,
    custodian: KeyCustodian | None,
    ring_sealer: Sealer | None = None,
    default: Plaintext | None = None,
) -> KeyCustodian:
    """Who keeps the private keys of a provider, from its settings for that.

    Args:
        provider: The provider's name, for messages.
        ring: The name of its ring.
        sealer: Keys stay in the ring, sealed with this.
        custodian: Keys are kept by this one.
        ring_sealer: Authenticates a ring whose keys the custodian keeps.
        default: What holds where neither is given; None: the caller has to decide.

    Raises:
        ConfigurationError: Sealer and custodian are given, or neither where there is no default; or the ring's own
            sealer without a custodian (`configuration`).
    """
    if custodian is not None:
        if sealer is not None:
            raise ConfigurationError(
                f"{provider} takes sealer= or custodian=, not both: sealer= seals private keys, which a custodian "
                "keeps; ring_sealer= beside custodian= authenticates the ring"
            )
        return custodian
    if ring_sealer is not None:
        raise ConfigurationError(
            f"{provider} takes ring_sealer= beside custodian= alone: sealer=Sealer([...]) seals keys and ring"
        )
    sealer = default if sealer is None else sealer
    if sealer is None:
        raise ConfigurationError(
            f"{provider} stores private keys: give sealer=Sealer([...]), custodian=..., "
            "or sealer=Plaintext() if the store may hold them in plain text"
        )
    return SealedCustodian(sealer, ring=ring)
