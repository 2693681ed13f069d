"""Points on the curves of public keys, by the formulas (RFC 8032 §5.1, FIPS 186-5, SEC 1 §2.2): slow, and short."""

import hashlib
from functools import lru_cache

from tests.security.fuzz.reference.verdict import Refused

__all__ = ["CURVES", "check_ed25519", "check_point", "ed25519_public", "public_point"]

# Name: p and b; for all of them a = -3 (SEC 2 §2).
CURVES = {
    "P-256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "P-521": (
        2**521 - 1,
        0x51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, and its base point
_BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_P = 2**255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P
_BASE_Y = 4 * pow(5, _P - 2, _P) % _P

Point = tuple[int, int] | None
"""On a Weierstrass curve; None: at infinity."""


@lru_cache(4096)
def check_point(curve: str, x: int, y: int) -> None:
    """Refuse what is no point of the curve."""
    p, b = CURVES[curve]
    if x >= p or y >= p or (y * y - x * x * x + 3 * x - b) % p:
        raise Refused("no point")


@lru_cache(4096)
def public_point(d: int) -> tuple[int, int]:
    """The public half of a private number of P-256."""
    p = CURVES["P-256"][0]
    if not 0 < d < _ORDER:
        raise Refused("out of range")
    found: Point = None
    base: Point = _BASE
    while d:
        if d & 1:
            found = _add(found, base, p)
        base = _add(base, base, p)
        d >>= 1
    assert found is not None
    return found


def _add(one: Point, other: Point, p: int) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % p == 0:
        return None
    if one == other:
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], p - 2, p) % p
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], p - 2, p) % p
    x = (slope * slope - one[0] - other[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


Edwards = tuple[int, int]


@lru_cache(4096)
def check_ed25519(encoded: bytes) -> None:
    """Refuse what is not the one spelling of a point, or a point whose order divides 8."""
    point = _decompressed(encoded)
    for _ in range(3):
        point = _add_edwards(point, point)
    if point == (0, 1):
        raise Refused("low order")


@lru_cache(4096)
def ed25519_public(seed: bytes) -> bytes:
    """The public half of a seed (RFC 8032 §5.1.5)."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    found, base = (0, 1), _decompressed(_BASE_Y.to_bytes(32, "little"))
    while scalar:
        if scalar & 1:
            found = _add_edwards(found, base)
        base = _add_edwards(base, base)
        scalar >>= 1
    return (found[1] | (found[0] & 1) << 255).to_bytes(32, "little")


def _decompressed(encoded: bytes) -> Edwards:
    number = int.from_bytes(encoded, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        raise Refused("not canonical")
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        raise Refused("no point")
    return (x if x & 1 == sign else _P - x), y


def _add_edwards(one: Edwards, other: Edwards) -> Edwards:
    (x1, y1), (x2, y2) = one, other
    product = _D * x1 * x2 * y1 * y2 % _P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, _P - 2, _P) % _P
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, _P - 2, _P) % _P
