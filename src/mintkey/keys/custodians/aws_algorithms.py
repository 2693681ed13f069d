"""What AWS KMS calls the algorithms of JOSE, and what it asks of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mintkey.errors import ConfigurationError
from mintkey.keys.base import Algorithm

__all__ = ["RSA_BITS", "KmsAlgorithm", "kms_algorithm"]

RSA_BITS = (2048, 3072, 4096)
"""The moduli that KMS makes, in bits."""


@dataclass(frozen=True, slots=True)
class KmsAlgorithm:
    """An algorithm as KMS knows it.

    Attributes:
        signing_algorithm: Its `SigningAlgorithm`.
        key_spec: The `KeySpec` of a key for it; None: an RSA key of any size.
        digest: The hash with which a long message is made short, as `hashlib` calls it; None: KMS has to have it all.
            That is so for EdDSA, where what KMS does with a digest is another algorithm (Ed25519ph, RFC 8032 §5.1).
        number_size: For ECDSA the bytes of each of the two numbers of a signature (RFC 7518 §3.4), which KMS gives in
            DER; 0: its signatures are those of JOSE.

    Example:
        >>> kms_algorithm("ES256").signing_algorithm
        'ECDSA_SHA_256'
    """

    signing_algorithm: str
    key_spec: str | None = None
    digest: str | None = None
    number_size: int = 0

    def spec_of_new_key(self, rsa_bits: int, /) -> str:
        """The `KeySpec` to ask for.

        Args:
            rsa_bits: The modulus of an RSA key, in bits.
        """
        return self.key_spec or f"RSA_{rsa_bits}"


_ALGORITHMS: Mapping[str, KmsAlgorithm] = MappingProxyType(
    {
        "EdDSA": KmsAlgorithm("ED25519_SHA_512", "ECC_NIST_EDWARDS25519"),
        "ES256": KmsAlgorithm("ECDSA_SHA_256", "ECC_NIST_P256", "sha256", 32),
        "ES384": KmsAlgorithm("ECDSA_SHA_384", "ECC_NIST_P384", "sha384", 48),
        "ES512": KmsAlgorithm("ECDSA_SHA_512", "ECC_NIST_P521", "sha512", 66),
        **{
            f"{name}{bits}": KmsAlgorithm(f"RSASSA_{padding}_SHA_{bits}", None, f"sha{bits}")
            for name, padding in (("RS", "PKCS1_V1_5"), ("PS", "PSS"))
            for bits in (256, 384, 512)
        },
    }
)


def kms_algorithm(algorithm: Algorithm, /) -> KmsAlgorithm:
    """What KMS calls an algorithm.

    Raises:
        ConfigurationError: It is made of secrets, which verify what they sign and so have to be here (`configuration`).
    """
    found = _ALGORITHMS.get(algorithm)
    if found is None:
        raise ConfigurationError(f"AWS KMS is not for {algorithm} here; it takes one of {', '.join(_ALGORITHMS)}")
    return found
