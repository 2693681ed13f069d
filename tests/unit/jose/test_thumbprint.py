"""Thumbprints of JWKs."""

import pytest

import mintkey.jose
from mintkey.errors import ConfigurationError
from mintkey.jose.thumbprint import thumbprint
from tests.support.signing_keys import ALGORITHMS, key_for


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("HS")])
def test_both_halves_of_a_key_have_the_thumbprint_that_is_its_kid(algorithm) -> None:
    key = key_for(algorithm)
    assert (
        thumbprint(key.public_jwk) == thumbprint(key.private_jwk) == key.kid == thumbprint({**key.public_jwk, "x-y": 1})
    )


def test_a_secret_has_one_too_but_not_as_its_kid() -> None:
    key = key_for("HS256")
    assert thumbprint(key.private_jwk) != key.kid


def test_keys_that_we_do_not_use_have_one() -> None:
    assert thumbprint({"kty": "OKP", "crv": "X25519", "x": "AAAA"})
    assert thumbprint({"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"})


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "jwk",
        {},
        {"kty": "AKP"},
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": "AQAB"},
        {"kty": "RSA", "n": "AQAB", "e": 65537},
        {"kty": "RSA", "n": "AQ==", "e": "AQAB"},
        {"kty": "OKP", "crv": 'Ed"25519', "x": "AAAA"},
        {"kty": "OKP", "crv": "Ed２５519", "x": "AAAA"},
        {"kty": "OKP", "crv": "-", "x": "AAAA"},
        {"kty": "OKP", "x": "AAAA"},
        {"kty": "oct", "k": ""},
    ],
)
def test_what_is_no_jwk_has_none(jwk) -> None:
    with pytest.raises(ConfigurationError, match="not a JWK") as caught:
        thumbprint(jwk)
    assert caught.value.__context__ is None


def test_it_is_public() -> None:
    assert mintkey.jose.thumbprint is thumbprint
