"""RFC 7515, appendix A: the examples of JSON Web Signature."""

import pytest

from mintkey.errors import Reason, SignatureError
from mintkey.jose import base64url, verify_compact
from mintkey.jose.compact import assemble, split
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import signing_key
from tests.conformance.vectors import load

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

EXAMPLES = load("rfc7515")
SIGNED = ["A.1", "A.2", "A.3", "A.4"]


@pytest.mark.parametrize("section", SIGNED)
def test_the_signature_verifies_and_the_payload_is_that_of_the_rfc(section) -> None:
    example = EXAMPLES[section]
    payload = verify_compact(example["token"], example["jwk"], algorithms=[example["alg"]])
    assert payload.decode() == example["payload"]


@pytest.mark.parametrize("section", ["A.1", "A.2"])
async def test_deterministic_algorithms_make_the_signature_of_the_rfc(section) -> None:
    example = EXAMPLES[section]
    signed, _, _, signature = split(example["token"], 4096)
    key = signing_key(load_jwk(example["jwk"], source=section, algorithm=example["alg"], kid="rfc7515"))
    assert await key.sign(signed) == signature
    assert assemble(signed, signature) == example["token"]


@pytest.mark.parametrize("section", ["A.3", "A.4"])
async def test_signatures_of_our_own_with_the_keys_of_the_rfc_verify(section) -> None:
    example = EXAMPLES[section]
    signed = split(example["token"], 4096)[0]
    key = signing_key(load_jwk(example["jwk"], source=section))
    token = assemble(signed, await key.sign(signed))
    assert verify_compact(token, example["jwk"], algorithms=[example["alg"]]).decode() == example["payload"]


@pytest.mark.parametrize("section", SIGNED)
def test_one_changed_bit_of_the_signature_is_noticed(section) -> None:
    example = EXAMPLES[section]
    signed, _, _, signature = split(example["token"], 4096)
    bent = assemble(signed, bytes([signature[0] ^ 1]) + signature[1:])
    with pytest.raises(SignatureError):
        verify_compact(bent, example["jwk"], algorithms=[example["alg"]])


@pytest.mark.parametrize("section", SIGNED)
def test_the_unsecured_jws_of_appendix_a_5_is_refused(section) -> None:
    """RFC 8725 §3.1 took `none` back."""
    with pytest.raises(SignatureError) as caught:
        verify_compact(EXAMPLES["A.5"]["token"], EXAMPLES[section]["jwk"], algorithms=[EXAMPLES[section]["alg"]])
    assert caught.value.reason is Reason.ALGORITHM_MISMATCH


def test_base64url_as_in_appendix_c() -> None:
    assert base64url.encode(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"
    assert base64url.decode("A-z_4ME") == bytes([3, 236, 255, 224, 193])
