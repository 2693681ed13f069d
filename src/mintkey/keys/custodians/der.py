"""What services that keep keys give out, read strictly: public keys in DER, ECDSA signatures in DER."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.pem import load_pem
from mintkey.keys.base import Algorithm

__all__ = ["public_key", "raw_signature"]


def public_key(spki: bytes, algorithm: Algorithm, /, *, source: str) -> LoadedKey:
    """The public key of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), after every check; its kid is its thumbprint.

    Args:
        spki: The structure in DER.
        algorithm: What the key is for.
        source: What to call the key in an error.

    Raises:
        KeyProviderError: It is no public key, too weak, or not for this algorithm (`keys_unavailable`).

    Example:
        >>> spki = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(
        ...     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        ... )
        >>> public_key(spki, "EdDSA", source="the example").kid
        'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    """
    pem = b"-----BEGIN PUBLIC KEY-----\n" + b64encode(spki) + b"\n-----END PUBLIC KEY-----\n"
    try:
        return load_pem(pem, source=source, algorithm=algorithm)
    except ConfigurationError as error:  # whoever configured us did not choose that key, the ring did
        problem = KeyProviderError(str(error))
        problem.retryable = False
    raise problem


def raw_signature(der: bytes, size: int, /) -> bytes:
    """The numbers r and s side by side (RFC 7518 §3.4), from an Ecdsa-Sig-Value (RFC 3279 §2.2.3) of strangers.

    Args:
        der: The signature, as an X9.62 signer gives it.
        size: The size of the curve's order, in bytes; the raw signature is twice as long.

    Raises:
        KeyProviderError: It is not DER, has anything before or after it, or a number is not positive or too large
            (`signing_failed`).

    Example:
        >>> raw_signature(bytes.fromhex("3006020101020102"), 2).hex()
        '00010002'
    """
    try:
        r, s = decode_dss_signature(der)
        raw = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except (ValueError, OverflowError):
        r = s = 0
        raw = b""
    if r < 1 or s < 1:
        raise KeyProviderError("the signature is no ECDSA signature of this curve", reason=Reason.SIGNING_FAILED)
    return raw
