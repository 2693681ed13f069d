"""The same token minted and verified by others, as somebody who knows them well would write it.

Every codec signs the registered claims that mintkey signs, and is asked to check what mintkey checks: issuer, audience,
the times with ten seconds of leeway, and that no claim is missing. Keys are loaded beforehand, and all but two ways of
PyJWT take the one key there is without looking at the kid. What others do not do (ask a provider for the key, count
mints, refuse a duplicate member) they are not made to do.
"""

import hashlib
import hmac
import secrets
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import joserfc.jwk
import joserfc.jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from itsdangerous import URLSafeTimedSerializer
from jwt.algorithms import get_default_algorithms

from benchmarks.ours import SUBJECT
from benchmarks.pyjwt import DEMANDED, LEEWAY, PyJWT, new_claims
from benchmarks.services import AUDIENCE, ISSUER
from mintkey.keys.base import Algorithm

with warnings.catch_warnings(record=True):  # it asks to use joserfc, which is measured as well
    from authlib.jose import JsonWebKey, JsonWebToken  # type: ignore[import-untyped] # it has no types

__all__ = ["Codec", "authlib", "bare", "itsdangerous", "jose", "pyjwt"]

_KID = secrets.token_urlsafe(16)
_LIFETIME = 3600
_OPTIONS: Mapping[str, Any] = {
    **{name: {"essential": True} for name in DEMANDED},
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": AUDIENCE},
}

JWK = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """Somebody's way to mint and to verify.

    Attributes:
        name: Whose.
        mint: A new token.
        verify: Takes what `mint` made; raises unless it is good.
        others: Other ways to verify the same, by name.
    """

    name: str
    mint: Callable[[], Any]
    verify: Callable[[Any], object]
    others: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)


def bare(algorithm: Algorithm, key: JWK, signing_input: bytes) -> Codec:
    """The signature and nothing else, over as many bytes as our tokens sign: the limit."""
    private = get_default_algorithms()[algorithm].from_jwk(dict(key))
    parameters: tuple[Any, ...]
    match private:
        case bytes():
            return _bare_hmac(private, signing_input)
        case ed25519.Ed25519PrivateKey():
            parameters = ()
        case ec.EllipticCurvePrivateKey():
            parameters = (ec.ECDSA(hashes.SHA256()),)
        case _:
            parameters = (padding.PKCS1v15(), hashes.SHA256())
    sign, verify = private.sign, private.public_key().verify
    return Codec(
        "bare cryptography",
        lambda: sign(signing_input, *parameters),
        lambda signature: verify(signature, signing_input, *parameters),
    )


def _bare_hmac(secret: bytes, signing_input: bytes) -> Codec:
    return Codec(
        "bare cryptography",
        lambda: hmac.digest(secret, signing_input, "sha256"),
        lambda made: hmac.compare_digest(hmac.digest(secret, signing_input, "sha256"), made),
    )


def pyjwt(algorithm: Algorithm) -> Codec:
    """PyJWT, with and without looking for the key by its kid."""
    codec = PyJWT(algorithm)
    by_kid = {"PyJWT by kid": codec.decode_by_kid, "PyJWT by kid in a dict": codec.decode_by_kid_in_dict}
    return Codec("PyJWT", lambda: codec.encode(SUBJECT), codec.decode, by_kid)


def jose(algorithm: Algorithm, key: JWK) -> Codec:
    """joserfc, with one key and a registry of claims, and with the name of EdDSA that it does not warn of."""
    private = joserfc.jwk.import_key({member: value for member, value in key.items() if member != "alg"})
    name = "Ed25519" if algorithm == "EdDSA" else str(algorithm)
    header, algorithms = {"alg": name, "kid": _KID}, [name]
    registry = joserfc.jwt.JWTClaimsRegistry(leeway=LEEWAY, **_OPTIONS)

    def mint() -> str:
        return joserfc.jwt.encode(header, new_claims(SUBJECT), private, algorithms=algorithms)

    def verify(token: str) -> object:
        found = joserfc.jwt.decode(token, private, algorithms=algorithms)
        registry.validate(found.claims)
        return found

    return Codec("joserfc", mint, verify)


def authlib(algorithm: Algorithm, key: JWK) -> Codec:
    """Authlib, whose JOSE part is the older sibling of joserfc."""
    codec = JsonWebToken([algorithm])
    private = JsonWebKey.import_key(dict(key))
    header = {"alg": algorithm, "kid": _KID}

    def mint() -> Any:
        return codec.encode(header, new_claims(SUBJECT), private)

    def verify(token: Any) -> object:
        claims = codec.decode(token, private, claims_options=_OPTIONS)
        claims.validate(leeway=LEEWAY)
        return claims

    return Codec("Authlib", mint, verify)


def itsdangerous(key: JWK) -> Codec:
    """itsdangerous, which has HMAC only, and no claims but the time."""
    serializer = URLSafeTimedSerializer(key["k"], salt=AUDIENCE, signer_kwargs={"digest_method": hashlib.sha256})

    def mint() -> Any:
        return serializer.dumps({"sub": SUBJECT, "jti": secrets.token_urlsafe(16)})

    def verify(token: Any) -> object:
        return serializer.loads(token, max_age=_LIFETIME)

    return Codec("itsdangerous", mint, verify)
