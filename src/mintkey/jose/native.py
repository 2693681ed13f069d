"""From JWK members to native keys and back, and the checks that no library makes for us.

joserfc imports and exports; what it takes too easily is refused before or after.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicKey,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mintkey.jose import base64url
from mintkey.jose.algorithms import AlgorithmSpec, KeyType
from mintkey.jose.edwards import is_sound
from mintkey.jose.members import UnfitKeyError, number, octets

__all__ = [
    "MAX_RSA_BITS",
    "MIN_RSA_BITS",
    "PUBLIC_MEMBERS",
    "PrivateNative",
    "PublicNative",
    "export",
    "import_members",
    "inspect",
    "quietly",
]

PrivateNative = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
PublicNative = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

PUBLIC_MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e"})
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16_384  # what OpenSSL verifies at most; beyond it a key is a way to keep us busy

_MIN_RSA_EXPONENT = 65_537  # FIPS 186-5 §5.4
_MAX_RSA_EXPONENT_BITS = 64  # OpenSSL's bound for large keys: larger ones only make verifying slow
_RSA_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")
_CURVES: Mapping[str, str] = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

T = TypeVar("T")


def quietly(load: Callable[[], T], /) -> T | None:
    """What a key loader returns, or None if it raises.

    Its errors may quote the key and are of any class (cryptography has an `InternalError` of its own for one malformed
    PKCS#8 key), so they end here and are not even the context of what we raise instead.
    """
    try:
        return load()
    except Exception:  # noqa: BLE001 - see above
        return None


def import_members(jwk: Mapping[str, Any], spec: AlgorithmSpec, /, *, made_here: bool) -> PrivateNative | PublicNative:
    """The native key of a JWK whose `kty` and `crv` are those of the algorithm; private if the JWK is.

    Args:
        jwk: The JWK.
        spec: The algorithm.
        made_here: It is a private key of our own making: the factors of an RSA key need no proof that they are primes.

    Raises:
        UnfitKeyError: A member is missing or malformed, the point is not on the curve, the private part belongs to
            another public part, or the key is too weak.
    """
    imported: object
    if spec.kty == "RSA":
        members = _rsa_members(jwk)
        imported = quietly(lambda: _rebuilt(members) if made_here else RSAKey.import_key(members).raw_value)
    elif spec.kty == "EC":
        members = _curve_members(jwk, "x", "y", size=spec.coordinate_size)
        imported = quietly(lambda: ECKey.import_key(members).raw_value)
    else:
        members = _curve_members(jwk, "x", size=spec.coordinate_size)
        imported = quietly(lambda: OKPKey.import_key(members).raw_value)
    if not isinstance(imported, PrivateNative | PublicNative):
        raise UnfitKeyError("the members do not make up a key")
    inspect(imported)
    # The Ed25519 importer looks at `d` alone: a wrong `x` would be published and nothing we sign would verify. The
    # others compare both halves themselves.
    if export(imported).get("x") != members.get("x"):
        raise UnfitKeyError("the private part does not belong to the public part")
    return imported


def inspect(native: object, /) -> tuple[KeyType, str | None]:
    """The key type and the curve of a native key that is strong enough.

    Raises:
        UnfitKeyError: It is of a kind that we do not use, or too weak.
    """
    public = native.public_key() if isinstance(native, PrivateNative) else native
    if isinstance(public, RSAPublicKey):
        numbers = public.public_numbers()
        _check_rsa(numbers.n, numbers.e)
        return "RSA", None
    if isinstance(public, EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return "EC", _CURVES[public.curve.name]
    if isinstance(public, Ed25519PublicKey):
        if not is_sound(public.public_bytes_raw()):
            raise UnfitKeyError("x is no sound point of the curve")
        return "OKP", "Ed25519"
    raise UnfitKeyError("a key of this kind is not used for signatures here")


def export(native: PrivateNative | PublicNative, /) -> dict[str, str]:
    """All JWK members that make up a native key, the private ones included, each in its canonical spelling."""
    if isinstance(native, EllipticCurvePrivateKey):
        d = _coordinate(native.private_numbers().private_value, native.key_size)
        return {**_export_point(native.public_key()), "d": d}
    if isinstance(native, EllipticCurvePublicKey):
        return _export_point(native)
    key = RSAKey.import_key(native) if isinstance(native, RSAPrivateKey | RSAPublicKey) else OKPKey.import_key(native)
    return {name: str(value) for name, value in key.as_dict(private=key.is_private).items()}


def _export_point(native: EllipticCurvePublicKey) -> dict[str, str]:
    # Not by joserfc: 1.6 drops leading zeros, which RFC 7518 §6.2.1.2 wants and every thumbprint depends on.
    numbers, bits = native.public_numbers(), native.key_size
    return {
        "kty": "EC",
        "crv": _CURVES[native.curve.name],
        "x": _coordinate(numbers.x, bits),
        "y": _coordinate(numbers.y, bits),
    }


def _coordinate(value: int, bits: int) -> str:
    return base64url.encode(value.to_bytes((bits + 7) // 8, "big"))


def _curve_members(jwk: Mapping[str, Any], *names: str, size: int) -> dict[str, str | list[str]]:
    present = (*names, "d") if "d" in jwk else names
    for name in present:
        octets(jwk, name, size=size)
    return {name: jwk[name] for name in ("kty", "crv", *present)}


def _rsa_members(jwk: Mapping[str, Any]) -> dict[str, str | list[str]]:
    n, e = number(jwk, "n"), number(jwk, "e")
    _check_rsa(n, e)
    present = [name for name in _RSA_PRIVATE if name in jwk]
    for name in present:
        if number(jwk, name) >= n:
            raise UnfitKeyError(f"{name} is not smaller than the modulus")
    # Without its factors they are searched for, and with a wrong `d` that search takes minutes.
    if present == ["d"] and pow(pow(2, e, n), number(jwk, "d"), n) != 2:  # noqa: PLR2004 - any number would do
        raise UnfitKeyError("the private part does not belong to the public part")
    return {name: jwk[name] for name in ("kty", "n", "e", *present)}


def _rebuilt(members: Mapping[str, Any]) -> RSAPrivateKey:
    """An RSA key that was whole once, after every check but the one that takes long.

    `cryptography` proves that the factors are primes (100 ms for 3072 bits) and does not let go of the interpreter
    meanwhile, so in a thread too it stops the event loop. For factors that we drew ourselves a signature will do.
    """
    n, e, d, p, q, dp, dq, qi = (number(members, name) for name in ("n", "e", *_RSA_PRIVATE))
    if (p * q, d % (p - 1), d % (q - 1), qi * q % p) != (n, dp, dq, 1):
        raise UnfitKeyError("the numbers do not belong together")
    numbers = RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n))
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    signature = key.sign(b"", PKCS1v15(), SHA256())
    key.public_key().verify(signature, b"", PKCS1v15(), SHA256())
    return key


def _check_rsa(n: int, e: int) -> None:
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
        raise UnfitKeyError(f"an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if n % 2 == 0:
        raise UnfitKeyError("the modulus is even")
    if e < _MIN_RSA_EXPONENT or e % 2 == 0 or e.bit_length() > _MAX_RSA_EXPONENT_BITS:
        raise UnfitKeyError(f"the public exponent must be odd, at least {_MIN_RSA_EXPONENT} and at most 64 bits long")
