"""Which points are sound Ed25519 keys."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mintkey.jose.edwards import LOW_ORDER, is_sound

P = 2**255 - 19

# The y coordinates of the points whose order divides the cofactor 8.
LOW_ORDER_Y = [
    0,
    1,
    P - 1,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
]


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", LOW_ORDER_Y)
def test_points_of_low_order_are_refused(y: int, sign: int) -> None:
    encoded = (y | sign << 255).to_bytes(32, "little")
    assert not is_sound(encoded)
    assert not is_sound((y + P if y < 19 else y | sign << 255).to_bytes(32, "little"))


def test_the_points_of_low_order_are_all_known_in_their_one_spelling() -> None:
    assert {(y | sign << 255).to_bytes(32, "little") for y in LOW_ORDER_Y for sign in (0, 1)} == LOW_ORDER
    assert not any(map(is_sound, LOW_ORDER))


def test_a_point_of_low_order_is_worth_refusing() -> None:
    """OpenSSL loads the identity as a key, and one signature then fits every message."""
    identity = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    for message in (b"one", b"two"):
        identity.verify((1).to_bytes(32, "little") + bytes(32), message)


def test_a_second_spelling_of_y_is_refused() -> None:
    assert is_sound((3).to_bytes(32, "little"))
    assert not is_sound((3 + P).to_bytes(32, "little"))


def test_half_of_all_values_are_not_on_the_curve() -> None:
    sound = [y for y in range(2, 200) if is_sound(y.to_bytes(32, "little"))]
    assert 60 < len(sound) < 140


def test_real_keys_are_sound() -> None:
    for seed in range(20):
        assert is_sound(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw())
