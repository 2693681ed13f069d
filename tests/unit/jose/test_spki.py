"""Public keys leave as PEM, private ones never."""

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mintkey.errors import ConfigurationError
from mintkey.jose import jwk
from mintkey.jose.spki import public_pem


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES384", "ES512", "RS256"])
def test_what_was_exported_is_the_same_key(algorithm):
    key = jwk.generate(algorithm, rsa_bits=2048)

    pem = public_pem(key.public_jwk)

    assert jwk.load_pem(pem, source="it", algorithm=algorithm).public_jwk == key.public_jwk
    assert load_pem_public_key(pem.encode())
    assert public_pem(key.private_jwk) == pem
    assert "PRIVATE" not in pem


def test_a_secret_has_no_public_half():
    secret = jwk.generate("HS256")

    with pytest.raises(ConfigurationError, match="no public half"):
        public_pem(secret.private_jwk)


def test_a_malformed_key_is_refused():
    with pytest.raises(ConfigurationError, match="the key"):
        public_pem({"kty": "OKP", "crv": "Ed25519", "x": "nonsense"})
