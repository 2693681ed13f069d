"""The names of claims that are ours, and the names that JSON has for its constants."""

from datetime import timedelta

import pytest

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.claims import strict_json
from mintkey.keys import MemoryKeyProvider

LOGIN = Purpose("login", lifetime=timedelta(minutes=5))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"])
async def test_a_registered_claim_is_never_taken_from_a_mapping(name: str) -> None:
    tokens = TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider())
    with pytest.raises(ConfigurationError, match=name):
        await tokens.mint(LOGIN, claims={name: "mine"})
    await tokens.aclose()


def test_constants_are_written_as_json_writes_them() -> None:
    assert strict_json.dumps({"a": [None, True, False]}) == b'{"a":[null,true,false]}'
