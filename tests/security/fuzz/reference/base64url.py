"""Base64url by its definition: six bits a character, no padding, and what is left over is zero (RFC 4648 §3.5, §5)."""

import string

from tests.security.fuzz.reference.verdict import Refused

__all__ = ["decode", "encode"]

_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


def decode(text: str) -> bytes:
    """The bytes that this is the one spelling of."""
    bits = 0
    for character in text:
        if character not in _VALUES:
            raise Refused("malformed")
        bits = bits << 6 | _VALUES[character]
    spare = len(text) * 6 % 8
    if spare >= 6 or bits & ((1 << spare) - 1):
        raise Refused("malformed")
    return (bits >> spare).to_bytes(len(text) * 6 // 8, "big")


def encode(data: bytes) -> str:
    """The one spelling of these bytes."""
    bits, length = int.from_bytes(data, "big"), -(-len(data) * 8 // 6)
    bits <<= length * 6 - len(data) * 8
    return "".join(_ALPHABET[bits >> 6 * place & 63] for place in reversed(range(length)))
