"""Signing and verifying with native keys, one plain function each: the seam where a faster implementation plugs in.

A verifier says yes or no and never raises: `InvalidSignature`, and whatever else strange bytes call forth, mean no. The
sizes and ranges that OpenSSL does not look at are checked here.
"""

import hashlib
from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hmac import HMAC

from mintkey.jose import sodium
from mintkey.jose.algorithms import AlgorithmSpec
from mintkey.jose.edwards import LOW_ORDER
from mintkey.jose.native import PrivateNative, PublicNative

__all__ = ["Sign", "Verify", "signer", "verifier"]

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
# Inputs are hashed here: for a few hundred bytes `hashlib` takes half as long as `cryptography` does.
_HASHERS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def signer(key: PrivateNative | bytes, spec: AlgorithmSpec, /) -> Sign:
    """What signs an input with this key: the raw JOSE signature (RFC 7518 §3)."""
    if isinstance(key, bytes):
        return _hmac_signer(key, spec.digest)
    if isinstance(key, Ed25519PrivateKey):
        return sodium.signer(key) or key.sign
    if isinstance(key, EllipticCurvePrivateKey):
        return _ecdsa_signer(key, spec)
    return _rsa_signer(key, spec)


def verifier(key: PublicNative | bytes, spec: AlgorithmSpec, /) -> Verify:
    """What verifies an input and a raw JOSE signature with this key."""
    if isinstance(key, bytes):
        return _hmac_verifier(key, spec.digest)
    if isinstance(key, Ed25519PublicKey):
        return sodium.verifier(key) or _ed25519_verifier(key)
    if isinstance(key, EllipticCurvePublicKey):
        return _ecdsa_verifier(key, spec)
    return _rsa_verifier(key, spec)


def _hmac_signer(secret: bytes, digest: str) -> Sign:
    begin = HMAC(secret, _HASHES[digest]).copy  # what the secret alone decides is hashed once, here

    def sign(signing_input: bytes) -> bytes:
        state = begin()
        state.update(signing_input)
        return state.finalize()

    return sign


def _hmac_verifier(secret: bytes, digest: str) -> Verify:
    begin = HMAC(secret, _HASHES[digest]).copy

    def verify(signing_input: bytes, signature: bytes) -> bool:
        try:
            state = begin()
            state.update(signing_input)
            return compare_digest(state.finalize(), signature)
        except Exception:  # noqa: BLE001 - see above
            return False

    return verify


def _ed25519_verifier(key: Ed25519PublicKey) -> Verify:
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        try:
            # OpenSSL would take an R of low order, which no signer makes and libsodium refuses: one answer everywhere.
            if signature[:32] in LOW_ORDER:
                return False
            check(signature, signing_input)
        except Exception:  # noqa: BLE001 - see above
            return False
        return True

    return verify


def _ecdsa_signer(key: EllipticCurvePrivateKey, spec: AlgorithmSpec) -> Sign:
    size = spec.coordinate_size
    hasher, scheme = _HASHERS[spec.digest], ECDSA(Prehashed(_HASHES[spec.digest]))
    sign_as_der = key.sign

    def sign(signing_input: bytes) -> bytes:
        return _raw(sign_as_der(hasher(signing_input).digest(), scheme), size)

    return sign


def _raw(der: bytes, size: int) -> bytes:
    """The numbers r and s side by side (RFC 7518 §3.4), from what OpenSSL just made of them (RFC 3279 §2.2.3).

    Its DER is known to be well-formed: cutting it up takes a quarter of the time of decoding it.
    """
    r = 5 if der[1] == 0x81 else 4  # noqa: PLR2004 - from 128 bytes on the length of the whole takes two (P-521)
    s = r + der[r - 1] + 2
    # Each is led by a zero where it would read as negative, and is short where it begins with zeros.
    return der[r : s - 2][-size:].rjust(size, b"\0") + der[s:][-size:].rjust(size, b"\0")


def _der(raw: bytes, size: int) -> bytes:
    """The reverse of `_raw`: what OpenSSL reads, by hand too, in a third of the time of encoding it."""
    r, s = raw[:size].lstrip(b"\0") or b"\0", raw[size:].lstrip(b"\0") or b"\0"
    if r[:1] > b"\x7f":
        r = b"\0" + r
    if s[:1] > b"\x7f":
        s = b"\0" + s
    length = len(r) + len(s) + 4
    sequence = b"0" if length < 128 else b"0\x81"  # noqa: PLR2004 - as above
    return b"%b%c\2%c%b\2%c%b" % (sequence, length, len(r), r, len(s), s)


def _ecdsa_verifier(key: EllipticCurvePublicKey, spec: AlgorithmSpec) -> Verify:
    size = spec.coordinate_size
    expected = 2 * size
    hasher, scheme = _HASHERS[spec.digest], ECDSA(Prehashed(_HASHES[spec.digest]))
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        try:
            # Of another size it has another spelling (RFC 7518 §3.4); OpenSSL itself refuses r and s out of range.
            if len(signature) != expected:
                return False
            check(_der(signature, size), hasher(signing_input).digest(), scheme)
        except Exception:  # noqa: BLE001 - see above
            return False
        return True

    return verify


def _rsa_signer(key: RSAPrivateKey, spec: AlgorithmSpec) -> Sign:
    padding, hasher, hashed = _rsa_padding(spec), _HASHERS[spec.digest], Prehashed(_HASHES[spec.digest])
    sign_hash = key.sign

    def sign(signing_input: bytes) -> bytes:
        return sign_hash(hasher(signing_input).digest(), padding, hashed)

    return sign


def _rsa_verifier(key: RSAPublicKey, spec: AlgorithmSpec) -> Verify:
    padding, hasher, hashed = _rsa_padding(spec), _HASHERS[spec.digest], Prehashed(_HASHES[spec.digest])
    check = key.verify

    def verify(signing_input: bytes, signature: bytes) -> bool:
        try:
            check(signature, hasher(signing_input).digest(), padding, hashed)
        except Exception:  # noqa: BLE001 - see above
            return False
        return True

    return verify


def _rsa_padding(spec: AlgorithmSpec) -> AsymmetricPadding:
    if spec.name.startswith("PS"):
        # The salt is as long as the hash, no more and no less (RFC 7518 §3.5).
        return PSS(mgf=MGF1(_HASHES[spec.digest]), salt_length=spec.digest_size)
    return PKCS1v15()
