"""The signature algorithms, as one table: everything that differs between them is a column here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mintkey.errors import ConfigurationError
from mintkey.keys.base import Algorithm

__all__ = ["SPECS", "AlgorithmSpec", "KeyType", "find_spec", "spec_of"]

KeyType = Literal["OKP", "EC", "RSA", "oct"]
"""The `kty` of a JWK that we use (RFC 7518 §6.1, RFC 8037 §2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmSpec:
    """What an algorithm asks of its key and of its signature.

    Attributes:
        name: The name under which it mints.
        kty: The key type it needs.
        curve: The curve its keys lie on (`crv`), if they lie on one.
        coordinate_size: The bytes of a coordinate on that curve, half of those of a signature; 0 without a curve.
        digest: The hash, as `hashlib` calls it.
        digest_size: The hash's size in bytes: also the least size of a secret (RFC 7518 §3.2).
        symmetric: Whether the key is a secret that signs and verifies.
        header_names: The spellings of `alg` that a verifier accepts for such a key.
        costly: Whether signing is worth a worker thread.

    Example:
        >>> SPECS["ES256"].coordinate_size
        32
    """

    name: Algorithm
    kty: KeyType
    curve: str | None = None
    coordinate_size: int = 0
    digest: str
    digest_size: int
    symmetric: bool = False
    header_names: frozenset[str]
    costly: bool = False


def _ecdsa(name: Algorithm, bits: int, curve: str, coordinate_size: int) -> AlgorithmSpec:
    return AlgorithmSpec(
        name=name,
        kty="EC",
        curve=curve,
        coordinate_size=coordinate_size,
        digest=f"sha{bits}",
        digest_size=bits // 8,
        header_names=frozenset({name}),
    )


def _rsa(name: Algorithm, bits: int) -> AlgorithmSpec:
    return AlgorithmSpec(
        name=name,
        kty="RSA",
        digest=f"sha{bits}",
        digest_size=bits // 8,
        header_names=frozenset({name}),
        costly=True,
    )


def _hmac(name: Algorithm, bits: int) -> AlgorithmSpec:
    return AlgorithmSpec(
        name=name,
        kty="oct",
        digest=f"sha{bits}",
        digest_size=bits // 8,
        symmetric=True,
        header_names=frozenset({name}),
    )


SPECS: Mapping[Algorithm, AlgorithmSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            AlgorithmSpec(
                name="EdDSA",
                kty="OKP",
                curve="Ed25519",
                coordinate_size=32,
                digest="sha512",
                digest_size=64,
                # RFC 9864 gave the algorithm a name of its own; most verifiers know only the old one, so we mint that.
                header_names=frozenset({"EdDSA", "Ed25519"}),
            ),
            _ecdsa("ES256", 256, "P-256", 32),
            _ecdsa("ES384", 384, "P-384", 48),
            _ecdsa("ES512", 512, "P-521", 66),
            _rsa("RS256", 256),
            _rsa("RS384", 384),
            _rsa("RS512", 512),
            _rsa("PS256", 256),
            _rsa("PS384", 384),
            _rsa("PS512", 512),
            _hmac("HS256", 256),
            _hmac("HS384", 384),
            _hmac("HS512", 512),
        )
    }
)
"""Every algorithm we know, by the name under which it mints (RFC 7518 §3.1, RFC 8037 §3.1)."""

_BY_SPELLING: Mapping[str, AlgorithmSpec] = MappingProxyType(
    {spelling: spec for spec in SPECS.values() for spelling in spec.header_names}
)


def find_spec(name: object, /) -> AlgorithmSpec | None:
    """The algorithm of this name, in any of its spellings, or None."""
    return _BY_SPELLING.get(name) if isinstance(name, str) else None


def spec_of(name: str, /) -> AlgorithmSpec:
    """The algorithm of this name, in any of its spellings.

    Args:
        name: As in a header or a JWK: `EdDSA` and `Ed25519` are one.

    Raises:
        ConfigurationError: There is none; the message names those that there are (`configuration`).

    Example:
        >>> spec_of("Ed25519").name
        'EdDSA'
    """
    spec = find_spec(name)
    if spec is None:
        raise ConfigurationError(f"algorithm must be one of {', '.join(SPECS)}")
    return spec
