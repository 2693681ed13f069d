"""Which 32 bytes are a public Ed25519 key worth trusting (RFC 8032 §5.1.3, RFC 7748 §7).

OpenSSL takes any 32 bytes. Under a point of low order one signature fits any message, a `y` of 2²⁵⁵-19 or more is a
second spelling of another key, and half of all values are not on the curve in the first place.
"""

__all__ = ["LOW_ORDER", "is_sound"]

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT = 1 << 255
_Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7

LOW_ORDER = frozenset(
    (y | sign).to_bytes(32, "little")
    for y in (0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8)
    for sign in (0, _SIGN_BIT)
)
"""The points whose order divides the cofactor 8, each as RFC 8032 writes it (and the neutral one with a sign, too)."""


def is_sound(encoded: bytes, /) -> bool:
    """Whether these are the one spelling of a point on the curve whose order is not 1, 2, 4 or 8."""
    y = int.from_bytes(encoded, "little") % _SIGN_BIT
    if y >= _P:
        return False
    y2 = y * y % _P
    # Order 4: y = 0. Order 8: the double has order 4, its y is 0, so x² = -y².
    if y == 0 or (_D * y2 * y2 + 2 * y2 - 1) % _P == 0:
        return False
    # x² = u/v has a root other than 0 exactly if u·v is a square (Euler's criterion). Order 1 and 2: y = ±1, x = 0.
    u, v = y2 - 1, _D * y2 + 1
    return pow(u * v, (_P - 1) // 2, _P) == 1
