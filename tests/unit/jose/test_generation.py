"""New keys."""

from typing import Any

import pytest

from mintkey.errors import ConfigurationError
from mintkey.jose import base64url, generation
from mintkey.jose.jwk import load_jwk
from mintkey.jose.thumbprint import thumbprint
from tests.support.signing_keys import ALGORITHMS, key_for

# Without their types, so that a test may look where there might be None, and ask for what there is not.
generate: Any = generation.generate
decode: Any = base64url.decode


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_passes_every_check(algorithm) -> None:
    key = key_for(algorithm)
    assert key.algorithm == algorithm
    assert key.can_sign
    assert load_jwk(key.private_jwk, source="test") == key


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES384", "ES512", "HS256"])
def test_no_two_are_alike(algorithm) -> None:
    one, other = generate(algorithm), generate(algorithm)
    assert one.kid != other.kid
    assert one.private_jwk != other.private_jwk


def test_the_kid_is_the_thumbprint_of_a_public_key_and_random_for_a_secret() -> None:
    assert key_for("EdDSA").kid == thumbprint(key_for("EdDSA").public_jwk)
    assert len(generate("HS256").kid) == 22


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(algorithm, size) -> None:
    assert len(decode(generate(algorithm).private_jwk["k"])) == size


def test_an_rsa_key_has_3072_bits_unless_told_otherwise() -> None:
    assert len(decode(generate("PS256").public_jwk["n"])) * 8 == 3072
    assert len(decode(key_for("RS256").public_jwk["n"])) * 8 == 2048


@pytest.mark.parametrize("bits", [0, 1024, 2040, 2049, 16_392, 10**9])
def test_the_size_of_an_rsa_key_has_bounds(bits) -> None:
    with pytest.raises(ConfigurationError, match="rsa_bits"):
        generate("RS256", rsa_bits=bits)


def test_an_unknown_algorithm() -> None:
    with pytest.raises(ConfigurationError, match="algorithm must be one of"):
        generate("none")
