"""Ed25519 by the book (RFC 8032 §5.1) and slowly, to make the signatures that no library makes."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
_ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z."""

    x: int
    y: int
    z: int
    t: int


NEUTRAL = Point(0, 1, 1, 0)


def add(a: Point, b: Point) -> Point:
    left, right = (a.y - a.x) * (b.y - b.x), (a.y + a.x) * (b.y + b.x)
    t, z = 2 * a.t * b.t * D, 2 * a.z * b.z
    e, f, g, h = right - left, z - t, z + t, right + left
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor: int, point: Point) -> Point:
    product = NEUTRAL
    for bit in f"{factor:b}":
        product = add(product, product)
        if bit == "1":
            product = add(product, point)
    return product


def encoded(point: Point) -> bytes:
    inverse = pow(point.z, -1, P)
    return (point.y * inverse % P | (point.x * inverse % P & 1) << 255).to_bytes(32, "little")


def decoded(data: bytes) -> Point | None:
    """The point of a canonical encoding; None for any other bytes."""
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or y >= P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return Point(x, y, 1, x * y % P)


def _known(data: bytes) -> Point:
    point = decoded(data)
    assert point is not None
    return point


BASE = _known((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
_ORDER_8 = _known(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
LOW_ORDER = [times(factor, _ORDER_8) for factor in range(8)]
"""The multiples of a point of order 8: all points whose order divides the cofactor."""


def challenge(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def verifies(public: bytes, message: bytes, signature: bytes, *, cofactor: int = 1, max_s: int = L) -> bool:
    """Whether the equation of RFC 8032 §5.1.7 holds, by default in its narrow reading."""
    a, r, s = decoded(public), decoded(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= max_s:
        return False
    expected = add(r, times(challenge(signature[:32], public, message), a))
    return encoded(times(cofactor * s, BASE)) == encoded(times(cofactor, expected))


@dataclass(frozen=True)
class OddKey:
    """A key pair whose public point, and whose R, may be off by a point of low order."""

    seed: bytes
    offset: Point = NEUTRAL

    @cached_property
    def _halves(self) -> tuple[int, bytes]:
        digest = hashlib.sha512(self.seed).digest()
        return int.from_bytes(digest[:32], "little") % 2**254 & ~7 | 2**254, digest[32:]

    @cached_property
    def public(self) -> bytes:
        return encoded(add(times(self._halves[0], BASE), self.offset))

    def nonce(self, message: bytes) -> int:
        """The nonce of a proper signature."""
        return int.from_bytes(hashlib.sha512(self._halves[1] + message).digest(), "little") % L

    def sign(self, message: bytes, *, nonce: int | None = None, r_offset: Point = NEUTRAL, wraps: int = 0) -> bytes:
        """A signature; with `wraps` multiples of the group's order added to S."""
        nonce = self.nonce(message) if nonce is None else nonce
        r = encoded(add(times(nonce, BASE), r_offset))
        s = (nonce + challenge(r, self.public, message) * self._halves[0]) % L + wraps * L
        return r + s.to_bytes(32, "little")
