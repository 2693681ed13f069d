"""Keys from settings are those of `EnvKeyProvider`, under the operator's names."""

import json

import pytest

from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import generate
from mintkey.settings.fixed_keys import fixed_keys


def private_set(*keys):
    return json.dumps({"keys": [dict(key.private_jwk) for key in keys]})


async def test_the_named_key_signs():
    first, second = generate("EdDSA"), generate("EdDSA")

    provider = fixed_keys(private_set(first, second), active_kid=second.kid)

    assert (await provider.acquire()).key.kid == second.kid


async def test_a_key_that_does_not_say_what_it_is_for():
    jwk = {name: value for name, value in generate("RS256", rsa_bits=2048).private_jwk.items() if name != "alg"}

    provider = fixed_keys(json.dumps(jwk), algorithm="PS256")

    assert (await provider.acquire()).key.algorithm == "PS256"


def test_problems_name_the_variables():
    with pytest.raises(ConfigurationError, match="BILLING_ACTIVE_KID"):
        fixed_keys(private_set(generate("EdDSA"), generate("EdDSA")), prefix="billing_")
