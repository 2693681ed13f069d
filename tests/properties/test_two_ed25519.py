"""OpenSSL and libsodium give the same answer to any signature: it is worth the same in every process."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mintkey.jose.base64url import encode
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import verification_key
from tests.support.ed25519 import LOW_ORDER, L, OddKey
from tests.support.speed import require_speed, without_speed

require_speed()

MESSAGE = st.binary(max_size=100) | st.binary(max_size=20).map(lambda piece: piece * 800)
SEED = st.binary(min_size=32, max_size=32)
ODD_POINT = st.sampled_from(LOW_ORDER)
"""Any of the points whose order divides the cofactor."""


def answer(public: bytes, message: bytes, signature: bytes) -> bool:
    """What both say."""
    key = load_jwk({"kty": "OKP", "crv": "Ed25519", "x": encode(public)}, source="test")
    with without_speed():
        plain = verification_key(key).verify(message, signature)
    assert verification_key(key).verify(message, signature) is plain
    return plain


@given(SEED, MESSAGE)
def test_good_signatures(seed, message) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert answer(key.public_key().public_bytes_raw(), message, key.sign(message))


@given(SEED, MESSAGE, st.lists(st.integers(0, 511), min_size=1, max_size=3, unique=True))
def test_flipped_bits(seed, message, bits) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    signature = bytearray(key.sign(message))
    for bit in bits:
        signature[bit // 8] ^= 1 << bit % 8
    assert not answer(key.public_key().public_bytes_raw(), message, bytes(signature))


@given(st.binary(max_size=130), MESSAGE)
def test_any_bytes(signature, message) -> None:
    assert not answer(OddKey(bytes(32)).public, message, signature)


@given(SEED, MESSAGE, st.integers(-70, 70))
def test_a_moved_border(seed, message, moved) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    together = key.sign(message) + message
    border = max(0, 64 + moved)
    assert answer(key.public_key().public_bytes_raw(), together[border:], together[:border]) is (
        len(together[:border]) == 64
    )


@given(
    key=st.builds(OddKey, SEED, ODD_POINT),
    r_offset=ODD_POINT,
    nonce=st.none() | st.integers(0, 3) | st.integers(0, L - 1),
    wraps=st.integers(0, 2),
    message=MESSAGE,
)
@settings(max_examples=60)
def test_signatures_that_no_library_makes(*, key, r_offset, nonce, wraps, message) -> None:
    answer(key.public, message, key.sign(message, nonce=nonce, r_offset=r_offset, wraps=wraps))
