"""Keys and tokens at the very edge of what is taken, and what an error says of them."""

from dataclasses import FrozenInstanceError, fields
from inspect import Parameter, signature
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mintkey.errors import ConfigurationError, MalformedTokenError, Reason
from mintkey.jose.algorithms import spec_of
from mintkey.jose.bare import verify_compact
from mintkey.jose.base64url import encode
from mintkey.jose.compact import split
from mintkey.jose.generation import generate
from mintkey.jose.jwk import load_jwk, load_jwks
from mintkey.jose.placeholders import looks_like_placeholder
from mintkey.jose.prepared import signing_key, verification_key
from tests.support.signing_keys import jwk_of, public_jwk_of

PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
LARGEST_RSA = 16_384


def test_one_name_instead_of_a_collection_is_told_as_that() -> None:
    with pytest.raises(ConfigurationError, match="a collection of names"):
        verify_compact("a.b.c", PUBLIC, algorithms="EdDSA")


def test_a_token_that_is_too_long_says_how_long_it_may_be() -> None:
    assert split("e30.e30.e30", 11)[1] == b"e30"
    with pytest.raises(MalformedTokenError) as caught:
        split("e30.e30.e30", 10)
    assert (caught.value.reason, caught.value.details) == (Reason.TOO_LARGE, {"max_bytes": 10})


@pytest.mark.parametrize(
    "operations",
    [["verify", 7], [{}], ["verify", {}], [None], "verify", {"verify": True}, None],
    ids=["a number too", "an object", "an object too", "null", "text", "an object instead", "null instead"],
)
def test_operations_are_a_list_of_strings_or_an_error_of_ours(operations: Any) -> None:
    with pytest.raises(ConfigurationError, match="key_ops must be a list of strings"):
        load_jwk({**PUBLIC, "key_ops": operations}, source="a key")


@pytest.mark.parametrize("operations", [[], ["encrypt"], ["verify", "encrypt"]], ids=["none", "another", "one more"])
def test_operations_are_of_signatures(operations: list[str]) -> None:
    with pytest.raises(ConfigurationError, match='key_ops may name "sign" and "verify" only'):
        load_jwk({**PUBLIC, "key_ops": operations}, source="a key")


def test_a_set_that_is_no_json_says_why() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_jwks(b'{"keys": [], "keys": []}', source="a set")
    assert "not a JWK Set" not in str(caught.value)


def test_a_secret_says_what_it_is_for() -> None:
    secret = generate("HS256")
    assert secret.private_jwk is not None
    assert (secret.private_jwk["use"], secret.private_jwk["alg"]) == ("sig", "HS256")
    assert secret.public_jwk is None


@pytest.mark.parametrize(("bits", "is_taken"), [(2048, True), (LARGEST_RSA, True), (LARGEST_RSA + 8, False)])
def test_the_size_of_a_modulus_has_bounds(monkeypatch: pytest.MonkeyPatch, bits: int, is_taken: bool) -> None:
    asked: list[int] = []

    def note(_exponent: int, size: int) -> None:
        asked.append(size)
        raise InterruptedError  # the largest ones take minutes

    monkeypatch.setattr(rsa, "generate_private_key", note)
    with pytest.raises(InterruptedError if is_taken else ConfigurationError):
        generate("RS256", rsa_bits=bits)
    assert asked == ([bits] if is_taken else [])


def public_rsa(*, n: int | None = None, e: int = 65537) -> dict[str, Any]:
    jwk = dict(public_jwk_of("RS256"))
    if n is not None:
        jwk["n"] = encode(n.to_bytes((n.bit_length() + 7) // 8))
    return {**jwk, "e": encode(e.to_bytes((e.bit_length() + 7) // 8))}


@pytest.mark.parametrize("bits", [2048, LARGEST_RSA])
def test_a_modulus_of_the_last_size_that_is_taken(bits: int) -> None:
    assert load_jwk(public_rsa(n=2 ** (bits - 1) + 1), source="a key").algorithm == "RS256"


@pytest.mark.parametrize("bits", [2047, LARGEST_RSA + 1])
def test_a_modulus_of_the_first_size_that_is_not(bits: int) -> None:
    with pytest.raises(ConfigurationError, match="an RSA key must have"):
        load_jwk(public_rsa(n=2 ** (bits - 1) + 1), source="a key")


@pytest.mark.parametrize("e", [65537, 2**63 + 1], ids=["the smallest", "the largest"])
def test_an_exponent_at_the_end_of_what_is_taken(e: int) -> None:
    assert load_jwk(public_rsa(e=e), source="a key").algorithm == "RS256"


@pytest.mark.parametrize("e", [65535, 65540, 2**64 + 1], ids=["small", "even, and no multiple of three", "long"])
def test_an_exponent_beyond_it(e: int) -> None:
    with pytest.raises(ConfigurationError, match="public exponent"):
        load_jwk(public_rsa(e=e), source="a key")


def test_a_key_pair_that_may_only_verify_does_not_sign() -> None:
    pair = load_jwk({**jwk_of("ES256"), "key_ops": ["verify"]}, source="a key")
    assert pair.private is not None
    with pytest.raises(ConfigurationError, match="cannot sign"):
        signing_key(pair)


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256", "HS256"])
def test_a_key_is_made_by_name_is_not_changed_and_has_nothing_for_vars(algorithm: str) -> None:
    loaded = load_jwk(jwk_of(algorithm), source="a key")
    keys: list[Any] = [spec_of(algorithm), loaded, verification_key(loaded), signing_key(loaded)]
    for key in keys:
        assert {parameter.kind for parameter in signature(type(key)).parameters.values()} == {Parameter.KEYWORD_ONLY}
        for field in fields(key):
            with pytest.raises(FrozenInstanceError):
                setattr(key, field.name, None)
        with pytest.raises(TypeError):
            vars(key)


DISTANT = b"ACEGIKMO"  # no two of them are neighbours
SCRAMBLED = [0, 3, 1, 4, 2, 5, 0, 6, 3, 1, 6, 4, 0, 2, 5, 1, 3, 6, 2, 0, 4, 1, 5, 3, 0, 2, 6, 1, 4, 5, 3, 2]


def test_seven_different_bytes_are_too_few_and_eight_are_not() -> None:
    seven = bytes(DISTANT[index] for index in SCRAMBLED)
    assert len(set(seven)) == 7
    assert looks_like_placeholder(seven)
    assert not looks_like_placeholder(seven[:-1] + DISTANT[7:])


def test_a_phrase_over_and_over_is_none_that_was_drawn() -> None:
    phrase = b"ACEGIKMOQSUWYbdfh"
    assert looks_like_placeholder(phrase * 2)
    assert not looks_like_placeholder(phrase * 2 + b"!")


def test_more_than_every_second_byte_next_to_the_one_before_is_a_run() -> None:
    others = bytes(range(40, 255, 12))
    half = bytes(range(17)) + others[:15]
    assert len(half) == 32
    assert not looks_like_placeholder(half)
    assert looks_like_placeholder(bytes(range(18)) + others[:14])


def test_what_was_drawn_beside_a_word_must_be_long_by_itself() -> None:
    drawn = b"4f3a9c0d17be52886a01ff"
    assert not looks_like_placeholder(drawn + b"secret!!!!!")
    assert looks_like_placeholder(drawn[:20] + b"secret!!!!!")
