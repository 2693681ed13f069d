"""RFC 7638, section 3.1: the example of a JWK thumbprint."""

from mintkey.jose import thumbprint
from mintkey.jose.jwk import load_jwk
from tests.conformance.vectors import load

EXAMPLE = load("rfc7638")


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    assert thumbprint(EXAMPLE["jwk"]) == EXAMPLE["thumbprint"]


def test_members_that_do_not_make_up_the_key_count_for_nothing() -> None:
    bare = {name: EXAMPLE["jwk"][name] for name in ("n", "e", "kty")}
    assert thumbprint(bare) == EXAMPLE["thumbprint"]
    assert load_jwk(bare, source="rfc7638").kid == EXAMPLE["thumbprint"]
