"""The name of a public key that everybody computes alike (RFC 7638)."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError
from mintkey.jose import base64url
from mintkey.jose.members import UnfitKeyError, kind_of, octets, text

__all__ = ["thumbprint"]

# The members that make up the key, by key type (RFC 7638 §3.2, RFC 8037 §2), in the order in which they are hashed.
_REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "EC": ("crv", "kty", "x", "y"),
        "OKP": ("crv", "kty", "x"),
        "RSA": ("e", "kty", "n"),
        "oct": ("k", "kty"),
    }
)


def thumbprint(jwk: Mapping[str, Any], /) -> str:
    """The SHA-256 thumbprint of a JWK as base64url text (RFC 7638 §3).

    Private members and everything that does not make up the key count for nothing, so both halves of a key have one
    thumbprint. The one of a secret must stay as secret as the secret: whoever has it can test guesses against it.

    Args:
        jwk: A JWK of any key type of RFC 7518 or RFC 8037.

    Raises:
        ConfigurationError: It is no such JWK (`configuration`).

    Example:
        >>> thumbprint({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    """
    try:
        hashed = {name: _member(jwk, name) for name in _REQUIRED.get(kind_of(jwk)[0], ())}
    except UnfitKeyError as error:
        problem = str(error)
    else:
        if hashed:
            return base64url.encode(hashlib.sha256(strict_json.dumps(hashed)).digest())
        problem = f"kty must be one of {', '.join(_REQUIRED)}"
    raise ConfigurationError(f"not a JWK: {problem}")


def _member(jwk: Mapping[str, Any], name: str) -> str:
    value = text(jwk, name)
    if name == "crv":
        # Anything that JSON would have to escape has more than one spelling, hence more than one thumbprint.
        if not value.isascii() or not value.replace("-", "").isalnum():
            raise UnfitKeyError("crv is no name of a curve")
    elif name != "kty":
        octets(jwk, name)
    return value
