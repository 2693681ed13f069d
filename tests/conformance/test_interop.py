"""Tokens of other libraries verify here, and ours verify there, for every algorithm that they have."""

import json
import warnings
from typing import Any

import jwt
import pytest
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from joserfc.errors import SecurityWarning
from jwcrypto import jwk as jwcrypto_jwk  # type: ignore[import-untyped]  # it ships no types
from jwcrypto import jws as jwcrypto_jws

from mintkey.jose import verify_compact
from mintkey.jose.compact import assemble
from mintkey.jose.prepared import signing_key, verification_key
from tests.support.compact import authenticate, parse, signing_input
from tests.support.signing_keys import ALGORITHMS, jwk_of, key_for, public_jwk_of

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

CLAIMS = {"iss": "https://issuer.test", "sub": "20", "name": "Zoë"}
PAYLOAD = json.dumps(CLAIMS).encode()


class PyJWT:
    def sign(self, algorithm: str, kid: str) -> Any:
        key = jwt.PyJWK(jwk_of(algorithm), algorithm=algorithm)
        return jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": kid, "typ": "login+jwt"})

    def verify(self, token: str, algorithm: str) -> Any:
        key = jwt.PyJWK(public_jwk_of(algorithm), algorithm=algorithm)
        return jwt.PyJWS().decode(token, key, algorithms=[algorithm])


class Joserfc:
    """It warns that `EdDSA` is to be called `Ed25519` now."""

    def sign(self, algorithm: str, kid: str) -> Any:
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):
            key = joserfc_jwk.import_key(jwk_of(algorithm))
            header = {"alg": algorithm, "kid": kid, "typ": "login+jwt"}
            return joserfc_jws.serialize_compact(header, PAYLOAD, key, algorithms=[algorithm])

    def verify(self, token: str, algorithm: str) -> Any:
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):
            key = joserfc_jwk.import_key(public_jwk_of(algorithm))
            return joserfc_jws.deserialize_compact(token, key, algorithms=[algorithm]).payload


class Jwcrypto:
    def sign(self, algorithm: str, kid: str) -> Any:
        token = jwcrypto_jws.JWS(PAYLOAD)
        header = {"alg": algorithm, "kid": kid, "typ": "login+jwt"}
        token.add_signature(jwcrypto_jwk.JWK(**jwk_of(algorithm)), protected=json.dumps(header))
        return token.serialize(compact=True)

    def verify(self, token: str, algorithm: str) -> Any:
        parsed = jwcrypto_jws.JWS()
        parsed.allowed_algs = [algorithm]
        parsed.deserialize(token, jwcrypto_jwk.JWK(**public_jwk_of(algorithm)))
        return parsed.payload


LIBRARIES = [PyJWT(), Joserfc(), Jwcrypto()]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: type(library).__name__)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_their_tokens_verify_here(library, algorithm) -> None:
    token = library.sign(algorithm, key_for(algorithm).kid)
    assert json.loads(verify_compact(token, public_jwk_of(algorithm), algorithms=[algorithm])) == CLAIMS
    parts = parse(token, max_bytes=16_384)
    authenticate(parts, verification_key(key_for(algorithm)))
    assert (parts.header.kid, parts.header.typ, json.loads(parts.payload)) == (
        key_for(algorithm).kid,
        "login+jwt",
        CLAIMS,
    )


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: type(library).__name__)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_our_tokens_verify_there(library, algorithm) -> None:
    key = signing_key(key_for(algorithm))
    text = signing_input(kid=key.kid, algorithm=algorithm, typ="login+jwt", payload=PAYLOAD)
    token = assemble(text, await key.sign(text))
    assert library.verify(token, algorithm) == PAYLOAD


def test_the_newer_name_of_eddsa_is_taken_from_joserfc() -> None:
    key = joserfc_jwk.import_key({name: value for name, value in jwk_of("EdDSA").items() if name != "alg"})
    header = {"alg": "Ed25519", "kid": key_for("EdDSA").kid}
    token = joserfc_jws.serialize_compact(header, PAYLOAD, key, algorithms=["Ed25519"])
    assert verify_compact(token, public_jwk_of("EdDSA"), algorithms=["EdDSA"]) == PAYLOAD


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("HS")])
def test_the_thumbprints_of_others_are_ours(algorithm) -> None:
    kid = key_for(algorithm).kid
    assert joserfc_jwk.import_key(public_jwk_of(algorithm)).thumbprint() == kid
    assert jwcrypto_jwk.JWK(**public_jwk_of(algorithm)).thumbprint() == kid
