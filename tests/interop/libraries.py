"""Other libraries as their users use them: each makes keys, publishes them, signs tokens, and accepts ours.

Everything here blocks: tests call it from a thread, beside the event loop that serves the JWK Sets.
"""

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, cast

import authlib.deprecate  # type: ignore[import-untyped]  # it has no types
import httpx2
import joserfc.jwk
import joserfc.jwt
import jwcrypto.jwk  # type: ignore[import-untyped]
import jwcrypto.jwt  # type: ignore[import-untyped]
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.errors import SecurityWarning

from tests.interop.node import NodePackages, NodeProgram

with warnings.catch_warnings(action="ignore", category=authlib.deprecate.AuthlibDeprecationWarning):
    import authlib.jose  # type: ignore[import-untyped]

__all__ = ["ALGORITHMS", "PYTHON", "Issuer", "Library", "NodeJose"]

ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")

_KINDS: dict[str, tuple[str, str | int]] = {
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "RS256": ("RSA", 2048),
    "PS256": ("RSA", 2048),
}
"""The key type of an algorithm, and the curve or the size of the key."""

_COORDINATE = 43
"""Characters of base64url that 32 bytes take."""


class Issuer(ABC):
    """Somebody who signs with a key that a library made.

    Attributes:
        jwks: The public half, as the library writes it.
        kid: The key's id.
    """

    jwks: dict[str, Any]

    @property
    def kid(self) -> str:
        return cast("str", self.jwks["keys"][0]["kid"])

    @abstractmethod
    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A token with exactly this header and these claims."""


class Library(ABC):
    """A library on the other side.

    Attributes:
        name: As the table calls it.
        package: As its package is called.
    """

    name: str
    package: str

    def version(self) -> str:
        """Which one is here."""
        return version(self.package)

    @abstractmethod
    def issuer(self, algorithm: str) -> Issuer:
        """Somebody with a new key for this algorithm."""

    @abstractmethod
    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token, after the library has checked its signature by a published key, and the claims.

        Raises:
            Exception: The library refuses the token.
        """


class _PyJWTIssuer(Issuer):
    """PyJWT makes no keys and gives them no id: what makes them is cryptography, as its documentation shows."""

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self.key = self._generate(algorithm)
        as_jwk = jwt.get_algorithm_by_name(algorithm).to_jwk
        self.jwks = {"keys": [{**as_jwk(self.key.public_key(), as_dict=True), "kid": "pyjwt.1", "alg": algorithm}]}

    @staticmethod
    def _generate(algorithm: str) -> Any:
        match algorithm:
            case "EdDSA":
                return ed25519.Ed25519PrivateKey.generate()
            case "ES256":
                return ec.generate_private_key(ec.SECP256R1())
            case _:
                return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        # It writes a `typ` of its own unless told not to.
        return jwt.encode(dict(claims), self.key, algorithm=header["alg"], headers={"typ": None, **header})


class PyJWT(Library):
    name = package = "PyJWT"

    def issuer(self, algorithm: str) -> Issuer:
        return _PyJWTIssuer(algorithm)

    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
        return cast(
            "Mapping[str, Any]", jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=audience)
        )


class _JoserfcIssuer(Issuer):
    def __init__(self, algorithm: str) -> None:
        kind, what = _KINDS[algorithm]
        self.key = joserfc.jwk.JWKRegistry.generate_key(kind, what, {"alg": algorithm, "use": "sig"}, auto_kid=True)
        self.jwks = cast("dict[str, Any]", joserfc.jwk.KeySet([self.key]).as_dict())

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # that EdDSA has a newer name
            return joserfc.jwt.encode(
                dict(header), dict(claims), self.key, algorithms=[header["alg"]], default_type=None
            )


class Joserfc(Library):
    name = package = "joserfc"

    def issuer(self, algorithm: str) -> Issuer:
        return _JoserfcIssuer(algorithm)

    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        keys = joserfc.jwk.KeySet.import_key_set(httpx2.get(url, timeout=30).json())
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):
            claims = joserfc.jwt.decode(token, keys, algorithms=[algorithm]).claims
        joserfc.jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        ).validate(claims)
        return claims


class _AuthlibIssuer(Issuer):
    """Authlib drops leading zeros of coordinates, in one key of 128: here everybody takes another key then."""

    def __init__(self, algorithm: str) -> None:
        kind, what = _KINDS[algorithm]
        self.key = authlib.jose.JsonWebKey.generate_key(kind, what, is_private=True)
        while kind == "EC" and any(len(self.key.as_dict()[name]) < _COORDINATE for name in ("x", "y")):
            self.key = authlib.jose.JsonWebKey.generate_key(kind, what, is_private=True)
        self.jwks = authlib.jose.KeySet([self.key]).as_dict(alg=algorithm, use="sig")

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        tokens = authlib.jose.JsonWebSignature([header["alg"]])
        made: bytes = tokens.serialize_compact(dict(header), json.dumps(claims).encode(), self.key)
        return made.decode("ascii")


class Authlib(Library):
    name = package = "Authlib"

    def issuer(self, algorithm: str) -> Issuer:
        return _AuthlibIssuer(algorithm)

    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        keys = authlib.jose.JsonWebKey.import_key_set(httpx2.get(url, timeout=30).json())
        claims: authlib.jose.JWTClaims = authlib.jose.JsonWebToken([algorithm]).decode(
            token,
            keys,
            claims_options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": audience},
                "exp": {"essential": True},
            },
        )
        claims.validate()
        return cast("Mapping[str, Any]", claims)


class _JwcryptoIssuer(Issuer):
    def __init__(self, algorithm: str) -> None:
        kind, what = _KINDS[algorithm]
        shape = {"size": what} if kind == "RSA" else {"crv": what}
        self.key = jwcrypto.jwk.JWK.generate(kty=kind, **shape, alg=algorithm, use="sig", kid="jwcrypto-1")
        keys = jwcrypto.jwk.JWKSet()
        keys.add(self.key)
        self.jwks = keys.export(private_keys=False, as_dict=True)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        token = jwcrypto.jwt.JWT(header=dict(header), claims=dict(claims), algs=[header["alg"]])
        token.make_signed_token(self.key)
        return cast("str", token.serialize())


class Jwcrypto(Library):
    name = package = "jwcrypto"

    def issuer(self, algorithm: str) -> Issuer:
        return _JwcryptoIssuer(algorithm)

    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        keys = jwcrypto.jwk.JWKSet.from_json(httpx2.get(url, timeout=30).text)
        checks = {"iss": issuer, "aud": audience, "exp": None}
        seen = jwcrypto.jwt.JWT(jwt=token, key=keys, algs=[algorithm], check_claims=checks)
        return cast("Mapping[str, Any]", json.loads(seen.claims))


class _NodeIssuer(Issuer):
    def __init__(self, program: NodeProgram, algorithm: str) -> None:
        self._program = program
        self.jwks = program.ask("issue", algorithm=algorithm)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        return cast("str", self._program.ask("sign", kid=self.kid, header=dict(header), claims=dict(claims)))


class NodeJose(Library):
    """jose, run by Node.

    Args:
        packages: Where it is installed.
        program: `jose.mjs`, running.
    """

    name = "jose (Node)"
    package = "jose"

    def __init__(self, packages: NodePackages, program: NodeProgram) -> None:
        self._packages = packages
        self._program = program

    def version(self) -> str:
        return self._packages.version(self.package)

    def issuer(self, algorithm: str) -> Issuer:
        return _NodeIssuer(self._program, algorithm)

    def accept(self, token: str, *, url: str, algorithm: str, issuer: str, audience: str) -> Mapping[str, Any]:
        expected = {"issuer": issuer, "audience": audience, "typ": "at+jwt", "algorithms": [algorithm]}
        return cast("Mapping[str, Any]", self._program.ask("accept", token=token, url=url, **expected))


PYTHON: tuple[Library, ...] = (PyJWT(), Joserfc(), Authlib(), Jwcrypto())
