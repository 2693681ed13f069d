"""One key for every algorithm, made once per session: RSA keys take their time.

Typed loosely on purpose: tests bend what they get, and hand it to functions that should refuse it.
"""

from functools import cache
from typing import Any, get_args

from mintkey.jose.jwk import generate, load_jwk
from mintkey.keys.base import Algorithm

ALGORITHMS: tuple[Any, ...] = get_args(Algorithm)


@cache
def key_for(algorithm: Any) -> Any:
    """The session's `LoadedKey` for this algorithm; all RSA algorithms share one pair."""
    if algorithm[:2] in {"RS", "PS"} and algorithm != "RS256":
        return load_jwk({**jwk_of("RS256"), "alg": algorithm}, source="the session's RSA key")
    return generate(algorithm, rsa_bits=2048)


@cache
def other_key_for(algorithm: Any) -> Any:
    """Another `LoadedKey` for this algorithm."""
    if algorithm[:2] in {"RS", "PS"} and algorithm != "RS256":
        return load_jwk({**other_key_for("RS256").private_jwk, "alg": algorithm}, source="the session's other RSA key")
    return generate(algorithm, rsa_bits=2048)


def jwk_of(algorithm: str) -> dict[str, Any]:
    """A fresh copy of the private JWK, to be bent by a test."""
    return dict(key_for(algorithm).private_jwk)


def public_jwk_of(algorithm: str) -> dict[str, Any]:
    """A fresh copy of what verifies: the public JWK, or the secret."""
    key = key_for(algorithm)
    return dict(key.public_jwk or key.private_jwk)
