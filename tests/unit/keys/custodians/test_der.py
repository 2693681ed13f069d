"""Signatures and public keys in DER, from strangers: what is not exactly right is refused."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mintkey.errors import KeyProviderError, Reason
from mintkey.jose.jwk import generate, load_jwk, thumbprint
from mintkey.jose.prepared import verification_key
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.der import public_key, raw_signature

GOOD = bytes.fromhex("3006020101020102")
SIZES = st.sampled_from([32, 48, 66])


def spki_of(native: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | x25519.X25519PublicKey) -> bytes:
    return native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@given(st.data(), SIZES)
def test_both_numbers_stand_side_by_side(data: st.DataObject, size: int) -> None:
    """Each in the size of the curve, whatever its own; RFC 7518 §3.4."""
    r, s = (data.draw(st.integers(1, 256**size - 1)) for _ in range(2))
    assert raw_signature(utils.encode_dss_signature(r, s), size) == r.to_bytes(size) + s.to_bytes(size)


@given(SIZES, st.integers(0, 2**600), st.booleans())
def test_a_number_out_of_range_is_refused(size: int, number: int, is_first: bool) -> None:
    number = 0 if number < 256**size else number
    der = utils.encode_dss_signature(*((number, 1) if is_first else (1, number)))
    with pytest.raises(KeyProviderError):
        raw_signature(der, size)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        GOOD + b"\0",
        b"\0" + GOOD,
        GOOD[:-1],
        bytes.fromhex("308106020101020102"),  # a length in two bytes that has room in one
        bytes.fromhex("30800201010201020000"),  # a length that is left open (BER)
        bytes.fromhex("300702020001020102"),  # a zero in front that is not needed
        bytes.fromhex("3006020181020102"),  # a negative number
        bytes.fromhex("3009020101020102020103"),  # three numbers
        bytes.fromhex("3003020101"),  # one
        bytes.fromhex("300602010104010" + "2"),  # an octet string
        bytes(64),
    ],
)
def test_what_is_not_exactly_der_is_refused(der: bytes) -> None:
    with pytest.raises(KeyProviderError, match="no ECDSA signature") as caught:
        raw_signature(der, 32)
    assert caught.value.reason is Reason.SIGNING_FAILED


@given(st.binary(max_size=80))
def test_strange_bytes_raise_nothing_else(der: bytes) -> None:
    with suppress(KeyProviderError):
        assert len(raw_signature(der, 32)) == 64


@pytest.mark.parametrize(
    ("curve", "algorithm", "size"),
    [(ec.SECP256R1(), "ES256", 32), (ec.SECP384R1(), "ES384", 48), (ec.SECP521R1(), "ES512", 66)],
)
def test_a_public_key_becomes_a_jwk(curve: ec.EllipticCurve, algorithm: Algorithm, size: int) -> None:
    private = ec.generate_private_key(curve)
    key = public_key(spki_of(private.public_key()), algorithm, source="the test")
    assert key.public_jwk is not None
    assert key.kid == thumbprint(key.public_jwk)
    assert (key.algorithm, key.private_jwk) == (algorithm, None)
    if algorithm == "ES256":
        signature = raw_signature(private.sign(b"input", ec.ECDSA(SHA256())), size)
        assert verification_key(load_jwk(key.public_jwk, source="the test")).verify(b"input", signature)


def test_a_public_key_that_does_not_fit_is_refused() -> None:
    """Of another curve, another kind, too weak, or none at all: whoever wrote the ring is to blame, not our caller."""
    other = spki_of(ec.generate_private_key(ec.SECP384R1()).public_key())
    koblitz = spki_of(ec.generate_private_key(ec.SECP256K1()).public_key())
    weak = spki_of(rsa.generate_private_key(public_exponent=65_537, key_size=1024).public_key())  # noqa: S505 - meant
    agreeing = spki_of(x25519.X25519PrivateKey.generate().public_key())
    for spki, algorithm in ((other, "ES256"), (koblitz, "ES256"), (weak, "RS256"), (agreeing, "EdDSA"), (b"", "ES256")):
        with pytest.raises(KeyProviderError, match=r"^the test: ") as caught:
            public_key(spki, algorithm, source="the test")  # type: ignore[arg-type]  # a str of them
        assert not caught.value.retryable


def test_a_public_key_has_nothing_before_or_after_it() -> None:
    jwk = generate("ES256").public
    assert isinstance(jwk, ec.EllipticCurvePublicKey)
    for spki in (spki_of(jwk) + b"\0", b"\0" + spki_of(jwk)):
        with pytest.raises(KeyProviderError):
            public_key(spki, "ES256", source="the test")
