"""Signatures on curves: numbers out of range, DER, and the points that are in no textbook (RFC 7518 §3.4, RFC 8032)."""

from collections.abc import Iterator
from itertools import product

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mintkey import Reason
from mintkey.jose.edwards import LOW_ORDER
from tests.security.attacks.case import Case, accepted, refused
from tests.security.attacks.forge import Forge
from tests.support import ed25519

__all__ = ["ecdsa", "eddsa"]

_INVALID = Reason.SIGNATURE_INVALID

# The order of the group and the prime of the field (SEC 2 §2).
_ORDERS = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "P-521": (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
_PRIMES = {
    "P-256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
    "P-384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
    "P-521": 2**521 - 1,
}


def ecdsa(forge: Forge) -> Iterator[Case]:
    """All pairs of odd numbers, the good ones moved by the order, and other encodings of the good pair."""
    if forge.spec.kty != "EC":
        return
    curve = forge.spec.curve or ""
    order, prime, good = _ORDERS[curve], _PRIMES[curve], forge.signature
    size = len(good) // 2
    r, s = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    largest = (1 << 8 * size) - 1
    odd = {"0": 0, "1": 1, "n-1": order - 1, "n": order, "n+1": order + 1, "p": prime, "all ones": largest}
    for (one, first), (two, second) in product(odd.items(), repeat=2):
        token = forge.with_signature(_raw(first, second, size))
        yield refused(f"r = {one}, s = {two}", token, _INVALID, "numbers that make the equation say nothing")
    for name, number in odd.items():
        yield refused(f"good r, s = {name}", forge.with_signature(_raw(r, number, size)), _INVALID, "the same")
        yield refused(f"r = {name}, good s", forge.with_signature(_raw(number, s, size)), _INVALID, "the same")
    moved = {
        "swapped": (s, r),
        "r + n": ((r + order) & largest, s),
        "s + n": (r, (s + order) & largest),
        "n - r": (order - r, s),
        "both negated": (order - r, order - s),
        "r again": (r, r),
        "s again": (s, s),
        "s + 1": (r, s + 1),
        "s halved": (r, s >> 1),
    }
    for name, (first, second) in moved.items():
        yield refused(name, forge.with_signature(_raw(first, second, size)), _INVALID, "near the good pair")
    why = "n - s is as good as s, for everybody; it is the same token, with the same jti, and spent with it"
    yield accepted("n - s", forge.with_signature(_raw(r, order - s, size)), why)
    for name, signature in _encodings(r, s, size).items():
        yield refused(f"encoded: {name}", forge.with_signature(signature), _INVALID, "one pair, one spelling")


def _raw(r: int, s: int, size: int) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _encodings(r: int, s: int, size: int) -> dict[str, bytes]:
    der = encode_dss_signature(r, s)
    good = _raw(r, s, size)
    return {
        "DER": der,
        "DER of zeros": encode_dss_signature(0, 0),
        "DER of ones": encode_dss_signature(1, 1),
        "DER, cut to size": der[: 2 * size],
        "DER, filled to size": der.ljust(2 * size, b"\0"),
        "DER, and a byte": der + b"\0",
        "little-endian": good[:size][::-1] + good[size:][::-1],
        "each with a zero in front": b"\0" + good[:size] + b"\0" + good[size:],
        "each one byte short": good[1:size] + good[size + 1 :],
        "r alone": good[:size],
        "with a recovery number": good + b"\x1b",
        "with a recovery number in front": b"\x1b" + good,
        "of another curve's size": good.ljust(132, b"\0") if size != 66 else good[:96],
    }


def eddsa(forge: Forge) -> Iterator[Case]:
    """S that is not reduced, points of low order, and cofactors: where libraries differ (RFC 8032 §8.4, §8.9)."""
    if forge.spec.kty != "OKP":
        return
    good = forge.signature
    r, s = good[:32], int.from_bytes(good[32:], "little")
    for factor in range(1, 16):
        number = s + factor * ed25519.L
        if number >> 256:
            break
        token = forge.with_signature(r + number.to_bytes(32, "little"))
        yield refused(f"S + {factor} L", token, _INVALID, "a second spelling of the same signature")
    numbers = {
        "0": 0,
        "1": 1,
        "L - 1": ed25519.L - 1,
        "L": ed25519.L,
        "L - S": ed25519.L - s,
        "2^256-1": (1 << 256) - 1,
    }
    for name, number in numbers.items():
        token = forge.with_signature(r + number.to_bytes(32, "little"))
        yield refused(f"good R, S = {name}", token, _INVALID, "not the S of this R")
    for index, point in enumerate(sorted(LOW_ORDER)):
        for name, number in {"0": 0, "1": 1, "L": ed25519.L, "good": s}.items():
            token = forge.with_signature(point + number.to_bytes(32, "little"))
            yield refused(f"R of low order {index}, S = {name}", token, _INVALID, "signs anything under a bad key")
    yield from _by_the_book(forge)
    halves = {
        "R and S swapped": good[32:] + good[:32],
        "big-endian": good[:32][::-1] + good[32:][::-1],
        "sign of R turned": good[:31] + bytes([good[31] ^ 0x80]) + good[32:],
        "high bit of S": good[:63] + bytes([good[63] | 0x80]),
        "three high bits of S": good[:63] + bytes([good[63] | 0xE0]),
        "R not reduced": (2**255 - 19 + 1).to_bytes(32, "little") + good[32:],
        "message behind, as libsodium has it": good + forge.signed,
        "message in front": forge.signed + good,
        "hash of the message signed (Ed25519ph)": forge.sign(b"SigEd25519 no Ed25519 collisions\x01\0" + forge.signed),
    }
    for name, signature in halves.items():
        yield refused(name, forge.with_signature(signature), _INVALID, "put together otherwise")


def _by_the_book(forge: Forge) -> Iterator[Case]:
    """By slow arithmetic with the very seed: what only the holder can make, and libraries judge differently."""
    odd = ed25519.OddKey(forge.key.private.private_bytes_raw())
    signed = forge.signed
    yield accepted("by the book", forge.with_signature(odd.sign(signed)), "what every library makes")
    yield accepted("by the book, another nonce", forge.with_signature(odd.sign(signed, nonce=7)), "as good as any")
    for index, point in enumerate(ed25519.LOW_ORDER[1:], 1):
        token = forge.with_signature(odd.sign(signed, r_offset=point))
        yield refused(f"R plus a point of low order {index}", token, _INVALID, "good with the cofactor, else not")
        token = forge.with_signature(odd.sign(signed, nonce=0, r_offset=point))
        yield refused(f"R is a point of low order {index}", token, _INVALID, "the same")
    yield refused("R is neutral", forge.with_signature(odd.sign(signed, nonce=0)), _INVALID, "libraries differ")
    wrapped = forge.with_signature(odd.sign(signed, wraps=1))
    yield refused("S + L, by the book", wrapped, _INVALID, "a second spelling of the same signature")
