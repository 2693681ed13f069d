"""Signing and verifying with native keys, one plain function each: the seam where a faster implementation plugs in.

A verifier returns True or raises, whatever it likes; `prepared` turns everything else into "no". The sizes and ranges
that OpenSSL does not look at are checked here.
"""

import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from mintkey.jose.algorithms import AlgorithmSpec
from mintkey.jose.native import PrivateNative, PublicNative

__all__ = ["Sign", "Verify", "signer", "verifier"]

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def signer(key: PrivateNative | bytes, spec: AlgorithmSpec, /) -> Sign:
    """What signs an input with this key: the raw JOSE signature (RFC 7518 §3)."""
    if isinstance(key, bytes):
        return _hmac_signer(key, spec.digest or "")
    if isinstance(key, Ed25519PrivateKey):
        return key.sign
    if isinstance(key, EllipticCurvePrivateKey):
        return _ecdsa_signer(key, spec)
    return _rsa_signer(key, spec)


def verifier(key: PublicNative | bytes, spec: AlgorithmSpec, /) -> Verify:
    """What verifies an input and a raw JOSE signature with this key."""
    if isinstance(key, bytes):
        return _hmac_verifier(key, spec.digest or "")
    if isinstance(key, Ed25519PublicKey):
        return _ed25519_verifier(key)
    if isinstance(key, EllipticCurvePublicKey):
        return _ecdsa_verifier(key, spec)
    return _rsa_verifier(key, spec)


def _hmac_signer(secret: bytes, digest: str) -> Sign:
    def sign(signing_input: bytes) -> bytes:
        return hmac.digest(secret, signing_input, digest)

    return sign


def _hmac_verifier(secret: bytes, digest: str) -> Verify:
    def verify(signing_input: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, signing_input, digest), signature)

    return verify


def _ed25519_verifier(key: Ed25519PublicKey) -> Verify:
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        check(signature, signing_input)
        return True

    return verify


def _ecdsa_signer(key: EllipticCurvePrivateKey, spec: AlgorithmSpec) -> Sign:
    size = (spec.signature_size or 0) // 2
    scheme = ECDSA(_HASHES[spec.digest or ""])

    def sign(signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signing_input, scheme))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def _ecdsa_verifier(key: EllipticCurvePublicKey, spec: AlgorithmSpec) -> Verify:
    expected = spec.signature_size or 0
    size = expected // 2
    scheme = ECDSA(_HASHES[spec.digest or ""])
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        # A signature of another size has another spelling (RFC 7518 §3.4); OpenSSL itself refuses r and s out of range.
        if len(signature) != expected:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        check(encode_dss_signature(r, s), signing_input, scheme)
        return True

    return verify


def _rsa_signer(key: RSAPrivateKey, spec: AlgorithmSpec) -> Sign:
    padding, hashed = _rsa_padding(spec), _HASHES[spec.digest or ""]

    def sign(signing_input: bytes) -> bytes:
        return key.sign(signing_input, padding, hashed)

    return sign


def _rsa_verifier(key: RSAPublicKey, spec: AlgorithmSpec) -> Verify:
    padding, hashed = _rsa_padding(spec), _HASHES[spec.digest or ""]
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        check(signature, signing_input, padding, hashed)
        return True

    return verify


def _rsa_padding(spec: AlgorithmSpec) -> AsymmetricPadding:
    if spec.name.startswith("PS"):
        # The salt is as long as the hash, no more and no less (RFC 7518 §3.5).
        return PSS(mgf=MGF1(_HASHES[spec.digest or ""]), salt_length=spec.digest_size)
    return PKCS1v15()
