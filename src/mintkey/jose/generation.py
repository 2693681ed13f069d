"""New keys."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintkey.errors import ConfigurationError
from mintkey.ids import new_id, random_bytes
from mintkey.jose.algorithms import spec_of
from mintkey.jose.loaded import LoadedKey, from_native, from_secret
from mintkey.jose.native import MAX_RSA_BITS, MIN_RSA_BITS, PrivateNative
from mintkey.keys.base import Algorithm

__all__ = ["generate"]

_RSA_EXPONENT = 65_537
_CURVES: dict[str | None, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


def generate(algorithm: Algorithm, /, *, rsa_bits: int = 3072) -> LoadedKey:
    """A new key; its id is the thumbprint, or 128 random bits for a secret.

    Blocks for a third of a second where the algorithm is `costly` (RSA): call it through `prepared.offload` there.

    Args:
        algorithm: What the key is for.
        rsa_bits: The size of an RSA modulus, a multiple of 8, at least 2048.

    Raises:
        ConfigurationError: There is no such algorithm, or the size is out of bounds (`configuration`).

    Example:
        >>> generate("ES256").public_jwk["crv"]
        'P-256'
    """
    spec = spec_of(algorithm)
    if spec.symmetric:
        return from_secret(random_bytes(spec.digest_size), spec, kid=new_id())
    native: PrivateNative
    if spec.kty == "RSA":
        if not MIN_RSA_BITS <= rsa_bits <= MAX_RSA_BITS or rsa_bits % 8:
            raise ConfigurationError(f"rsa_bits must be a multiple of 8 from {MIN_RSA_BITS} to {MAX_RSA_BITS}")
        native = rsa.generate_private_key(_RSA_EXPONENT, rsa_bits)
    elif spec.kty == "EC":
        native = ec.generate_private_key(_CURVES[spec.curve]())
    else:
        native = Ed25519PrivateKey.from_private_bytes(random_bytes(32))
    return from_native(native, spec, kid=None)
