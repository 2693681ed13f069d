"""The table of algorithms."""

import hashlib
from typing import get_args

import pytest

from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS, KeyType, find_spec, spec_of
from mintkey.jose.base64url import decode
from tests.support.signing_keys import ALGORITHMS, jwk_of


def test_every_algorithm_of_the_type_is_in_the_table() -> None:
    assert tuple(SPECS) == ALGORITHMS
    assert all(spec.name == name and name in spec.header_names for name, spec in SPECS.items())


def test_every_key_type_has_an_algorithm() -> None:
    assert {spec.kty for spec in SPECS.values()} == set(get_args(KeyType))


def test_no_spelling_means_two_algorithms() -> None:
    spellings = [name for spec in SPECS.values() for name in spec.header_names]
    assert len(spellings) == len(set(spellings))


def test_ed25519_has_two_names() -> None:
    assert spec_of("Ed25519") is spec_of("EdDSA") is SPECS["EdDSA"]


def test_only_rsa_is_worth_a_thread_and_only_hmac_is_symmetric() -> None:
    assert {spec.name[:2] for spec in SPECS.values() if spec.costly} == {"RS", "PS"}
    assert {spec.name[:2] for spec in SPECS.values() if spec.symmetric} == {"HS"}


def test_a_hash_has_the_name_and_the_size_that_it_has_for_hashlib() -> None:
    assert all(hashlib.new(spec.digest).digest_size == spec.digest_size for spec in SPECS.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_coordinate_has_the_size_that_keys_write_it_with(algorithm) -> None:
    assert SPECS[algorithm].coordinate_size == len(decode(jwk_of(algorithm).get("x", "")))


@pytest.mark.parametrize("name", ["none", "eddsa", "RS1", "HS257", "Ed448", "ES256K", "", None, 1, ["EdDSA"]])
def test_an_unknown_name_is_a_configuration_error_that_names_the_known_ones(name) -> None:
    assert find_spec(name) is None
    with pytest.raises(ConfigurationError, match=r"algorithm must be one of EdDSA, .*HS512"):
        spec_of(name)
