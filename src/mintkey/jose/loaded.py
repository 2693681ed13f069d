"""A key that passed every check, with its JWKs and ready for use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mintkey.jose import base64url
from mintkey.jose.algorithms import SPECS, AlgorithmSpec
from mintkey.jose.members import UnfitKeyError, check_kid
from mintkey.jose.native import PUBLIC_MEMBERS, PrivateNative, PublicNative, export
from mintkey.jose.thumbprint import thumbprint
from mintkey.keys.base import Algorithm

__all__ = ["LoadedKey", "bind", "choose_kid", "from_native", "from_secret"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedKey:
    """A key that passed every check.

    Attributes:
        kid: Its id: the given one, or the RFC 7638 thumbprint.
        algorithm: The only algorithm it is used with.
        public_jwk: The public JWK with `kid`, `alg` and `use` and nothing foreign; None for a secret.
        private_jwk: The same with the private members, or the secret; None if there is only a public half.
        can_sign: Whether there is a private half or secret, and `key_ops` lets it sign.
        public: The native public half, or the secret.
        private: The native private half, or the secret; None if there is only a public half.
    """

    kid: str
    algorithm: Algorithm
    public_jwk: Mapping[str, Any] | None
    private_jwk: Mapping[str, Any] | None = field(repr=False)
    can_sign: bool
    public: PublicNative | bytes = field(repr=False)
    private: PrivateNative | bytes | None = field(repr=False, compare=False)


def bind(kty: str, curve: str | None, named: AlgorithmSpec | None, /) -> AlgorithmSpec:
    """The one algorithm that a key is used with (RFC 8725 §3.1), decided by the key and never by a token.

    Args:
        kty: The key type.
        curve: The curve, if the key lies on one.
        named: What the JWK or the caller says; None: an asymmetric key is bound by its curve, RSA to RS256.

    Raises:
        UnfitKeyError: The named algorithm needs another key, none fits, or a secret has none named.
    """
    if named is not None:
        if named.kty == kty and named.curve == curve:
            return named
        raise UnfitKeyError(f"the key does not fit the algorithm {named.name}")
    if kty == "oct":
        raise UnfitKeyError("a secret needs its algorithm: HS256, HS384 or HS512")
    for spec in SPECS.values():
        if spec.kty == kty and spec.curve == curve:
            return spec
    raise UnfitKeyError("kty and crv are not those of a signature algorithm that is used here")


def choose_kid(own: object, given: str | None, /) -> str | None:
    """The key's own id, else the given one, else None.

    Raises:
        UnfitKeyError: It is not of the shape that `check_kid` wants.
    """
    kid = given if own is None else own
    if kid is None or check_kid(kid):
        return kid
    raise UnfitKeyError("kid must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")


def from_native(
    native: PrivateNative | PublicNative, spec: AlgorithmSpec, /, *, kid: str | None, may_sign: bool = True
) -> LoadedKey:
    """The loaded form of a native key.

    Args:
        native: A key that passed `native.inspect`.
        spec: An algorithm that fits it.
        kid: The id; None: the thumbprint.
        may_sign: Whether the private half, if there is one, may be used.
    """
    members = export(native)
    public = {name: value for name, value in members.items() if name in PUBLIC_MEMBERS}
    about = {"kid": kid or thumbprint(public), "alg": spec.name, "use": "sig"}
    private = native if isinstance(native, PrivateNative) else None
    return LoadedKey(
        kid=about["kid"],
        algorithm=spec.name,
        public_jwk={**public, **about},
        private_jwk={**members, **about} if private else None,
        can_sign=may_sign and private is not None,
        public=native.public_key() if isinstance(native, PrivateNative) else native,
        private=private,
    )


def from_secret(secret: bytes, spec: AlgorithmSpec, /, *, kid: str, may_sign: bool = True) -> LoadedKey:
    """The loaded form of a secret that passed every check."""
    jwk = {"kty": "oct", "k": base64url.encode(secret), "kid": kid, "alg": spec.name, "use": "sig"}
    return LoadedKey(
        kid=kid,
        algorithm=spec.name,
        public_jwk=None,
        private_jwk=jwk,
        can_sign=may_sign,
        public=secret,
        private=secret,
    )
