"""Public keys in PEM (RFC 7468 §13) as JWKs: base64 and DER read by hand, lengths in their one spelling (X.690 §10)."""

import string
from typing import Any

from tests.security.fuzz.reference import base64url
from tests.security.fuzz.reference.curves import CURVES
from tests.security.fuzz.reference.verdict import Refused, Unsure

__all__ = ["public_jwk"]

_BASE64 = frozenset(string.ascii_letters + string.digits + "+/")
_ED25519 = bytes.fromhex("06032b6570")
_RSA = bytes.fromhex("06092a864886f70d010101" + "0500")
_EC = bytes.fromhex("06072a8648ce3d0201")
_NAMES = {
    bytes.fromhex("06082a8648ce3d030107"): "P-256",
    bytes.fromhex("06052b81040022"): "P-384",
    bytes.fromhex("06052b81040023"): "P-521",
}
_SEQUENCE, _BITS, _INTEGER = 0x30, 0x03, 0x02


def public_jwk(pem: str) -> dict[str, Any]:
    """The members of the one public key in a text; `Unsure` where a lenient reader may find a key after all."""
    lines = pem.strip("\n").split("\n")
    if lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----" or "-----" in pem[27:-25]:
        raise Unsure
    body = "".join(lines[1:-1])
    text = body.rstrip("=")
    if not set(text) <= _BASE64 or len(body) % 4 or len(body) - len(text) > 2 or any(len(x) != 64 for x in lines[1:-2]):
        raise Unsure
    algorithm, rest = _element(_whole(base64url.decode(text.replace("+", "-").replace("/", "_")), _SEQUENCE), _SEQUENCE)
    bits = _whole(rest, _BITS)
    if bits[:1] != b"\0":
        raise Refused("unused bits")
    return _jwk(algorithm, bits[1:])


def _jwk(algorithm: bytes, key: bytes) -> dict[str, Any]:
    if algorithm == _ED25519:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key)}
    if algorithm == _RSA:
        modulus, exponent = _element(_whole(key, _SEQUENCE), _INTEGER)
        return {"kty": "RSA", "n": _uint(modulus), "e": _uint(_whole(exponent, _INTEGER))}
    curve = _NAMES.get(algorithm.removeprefix(_EC)) if algorithm.startswith(_EC) else None
    if curve is None or key[:1] in (b"\2", b"\3"):
        raise Unsure  # another kind of key, or a compressed point
    size = -(-CURVES[curve][0].bit_length() // 8)
    if key[:1] != b"\4" or len(key) != 1 + 2 * size:
        raise Refused("point")
    return {
        "kty": "EC",
        "crv": curve,
        "x": base64url.encode(key[1 : 1 + size]),
        "y": base64url.encode(key[1 + size :]),
    }


def _uint(content: bytes) -> str:
    """A positive integer without needless zeros."""
    if not content or content[0] > 127 or (content[0] == 0 and len(content) > 1 and content[1] < 128):
        raise Refused("integer")
    return base64url.encode(content.lstrip(b"\0") or b"\0")


def _whole(data: bytes, tag: int) -> bytes:
    content, rest = _element(data, tag)
    if rest:
        raise Refused("something behind it")
    return content


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, and what stands behind it."""
    if len(data) < 2 or data[0] != tag:
        raise Refused("tag")
    length, start = data[1], 2
    if length > 127:
        size = length & 127
        length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        if length < 128 or size != -(-length.bit_length() // 8):
            raise Refused("length")
    if len(data) < start + length:
        raise Refused("cut off")
    return data[start : start + length], data[start + length :]
