"""Public keys as PEM, for whoever does not read JWKs."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import load_jwk

__all__ = ["public_pem"]


def public_pem(jwk: Mapping[str, Any], /) -> str:
    """The public half of a JWK as a SubjectPublicKeyInfo in PEM (RFC 7468 §13); never the private one.

    Args:
        jwk: The JWK.

    Raises:
        ConfigurationError: The JWK is malformed, or a secret, which has no public half (`configuration`).

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        >>> print(public_pem(jwk), end="")
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
    """
    public = load_jwk(jwk, source="the key").public
    if isinstance(public, bytes):
        raise ConfigurationError("a secret has no public half")
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
