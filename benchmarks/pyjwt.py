"""PyJWT as its documentation shows it, used with care: a key that is loaded once, one algorithm, every claim demanded.

It checks what a purpose of mintkey checks: issuer, audience, the times with the same leeway, and that nothing is
missing.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from benchmarks.services import AUDIENCE, ISSUER
from mintkey.keys.base import Algorithm

__all__ = ["DEMANDED", "LEEWAY", "PyJWT", "new_claims"]

DEMANDED = ("iss", "aud", "exp", "iat", "jti")
"""Claims that a token must have."""

LEEWAY = 10
"""Seconds that clocks may differ, as for ours."""

_LIFETIME = timedelta(hours=1)


def new_claims(subject: str, /) -> dict[str, Any]:
    """The claims that our tokens have, as the guides of these libraries write them."""
    now = datetime.now(UTC)
    return {
        "iss": ISSUER,
        "sub": subject,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + _LIFETIME,
        "jti": str(uuid4()),
    }


class PyJWT:
    """Mints and verifies with a key of its own.

    Args:
        algorithm: What the key is for; RSA has 2048 bits.
    """

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._private, self._public = _pair(algorithm)
        self.kid: str = secrets.token_urlsafe(16)
        self._keys = {self.kid: self._public}
        self._known = _known_keys(algorithm, self._public, self.kid)

    def encode(self, subject: str, /) -> str:
        """A token with the claims that ours have."""
        return jwt.encode(new_claims(subject), self._private, algorithm=self._algorithm, headers={"kid": self.kid})

    def decode(self, token: str, /) -> dict[str, Any]:
        """The claims, by the one key there is."""
        return self._decode(token, self._public)

    def decode_by_kid(self, token: str, /) -> dict[str, Any]:
        """The claims, by the key that the header names, as PyJWT itself finds it: what keys that rotate need."""
        return self._decode(token, self._known.get_signing_key_from_jwt(token))

    def decode_by_kid_in_dict(self, token: str, /) -> dict[str, Any]:
        """The same, by somebody who keeps a dict of his keys himself and never reads them anew."""
        return self._decode(token, self._keys[jwt.get_unverified_header(token)["kid"]])

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[self._algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": list(DEMANDED)},
        )


def _known_keys(algorithm: Algorithm, public: Any, kid: str) -> jwt.PyJWKClient:
    """PyJWT's client of a set of keys, which has the set already and is asked for nothing else while it is measured."""
    jwk = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
    client = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=_LIFETIME.total_seconds())
    assert client.jwk_set_cache is not None
    client.jwk_set_cache.put(jwt.PyJWKSet([{**jwk, "kid": kid, "alg": algorithm, "use": "sig"}]))
    return client


def _pair(algorithm: Algorithm) -> tuple[Any, Any]:
    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    match algorithm:
        case "HS256":
            secret = secrets.token_bytes(32)
            return secret, secret
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        case "RS256":
            private = rsa.generate_private_key(65_537, 2048)
        case _:
            raise NotImplementedError(algorithm)
    return private, private.public_key()
