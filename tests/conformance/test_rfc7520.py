"""RFC 7520, section 4: the JWS examples of the JOSE cookbook."""

import pytest

from mintkey.errors import ConfigurationError
from mintkey.jose import verify_compact
from mintkey.jose.compact import split
from mintkey.jose.header import read_header
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import signing_key
from tests.conformance.vectors import load

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

VECTORS = load("rfc7520")
EXAMPLES = VECTORS["examples"]


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_signature_verifies_and_the_payload_is_that_of_the_rfc(section) -> None:
    example = EXAMPLES[section]
    jwk = VECTORS["keys"][example["key"]]
    assert verify_compact(example["token"], jwk, algorithms=[example["alg"]]).decode() == VECTORS["payload"]


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_header_is_that_of_the_rfc(section) -> None:
    example = EXAMPLES[section]
    header = read_header(split(example["token"], 4096)[1], ())
    assert (header.alg, header.kid) == (example["alg"], VECTORS["keys"][example["key"]]["kid"])


@pytest.mark.parametrize("section", ["4.1", "4.4"])
async def test_deterministic_algorithms_make_the_signature_of_the_rfc(section) -> None:
    example = EXAMPLES[section]
    signed, _, _, signature = split(example["token"], 4096)
    jwk = {**VECTORS["keys"][example["key"]], "kid": "ours"}
    key = signing_key(load_jwk(jwk, source=section, algorithm=example["alg"]))
    assert await key.sign(signed) == signature


def test_a_kid_like_the_cookbooks_is_none_that_a_provider_takes() -> None:
    """An address has a place in a bare JWS, and none in a key store, a log or a URL."""
    with pytest.raises(ConfigurationError, match="kid"):
        load_jwk(VECTORS["keys"]["3.4"], source="cookbook")
