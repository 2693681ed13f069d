"""RFC 8037, appendix A.1 to A.5: Ed25519 in JOSE."""

import pytest

from mintkey.jose import thumbprint, verify_compact
from mintkey.jose.compact import assemble
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import signing_key, verification_key

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
PRIVATE = {**PUBLIC, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}

SIGNING_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
SIGNATURE = bytes.fromhex(
    "860c98d2297f3060a33f42739672d61b53cf3adefed3d3c672f320dc021b411e"
    "9d59b8628dc351e248b88b29468e0e41855b0fb7d83bb15be902bfccb8cd0a02"
)
TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def test_a_1_and_a_2_are_the_halves_of_one_key() -> None:
    private, public = load_jwk(PRIVATE, source="A.1"), load_jwk(PUBLIC, source="A.2")
    assert private.public_jwk == public.public_jwk
    assert private.algorithm == "EdDSA"


@pytest.mark.parametrize("jwk", [PRIVATE, PUBLIC])
def test_a_3_the_thumbprint(jwk) -> None:
    assert thumbprint(jwk) == load_jwk(jwk, source="A.3").kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


async def test_a_4_the_signature_is_made() -> None:
    signature = await signing_key(load_jwk(PRIVATE, source="A.4")).sign(SIGNING_INPUT)
    assert signature == SIGNATURE
    assert assemble(SIGNING_INPUT, signature) == TOKEN


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_a_5_the_signature_verifies(algorithm) -> None:
    assert verification_key(load_jwk(PUBLIC, source="A.5")).verify(SIGNING_INPUT, SIGNATURE)
    assert verify_compact(TOKEN, PUBLIC, algorithms=[algorithm]) == b"Example of Ed25519 signing"
