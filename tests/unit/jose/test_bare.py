"""Verifying a bare JWS."""

import json
from typing import Any

import pytest

import mintkey.jose
from mintkey.errors import ConfigurationError, MalformedTokenError, Reason, SignatureError
from mintkey.ids import random_bytes
from mintkey.jose.bare import verify_compact
from mintkey.jose.base64url import encode
from mintkey.jose.prepared import signing_key
from tests.support.signing_keys import ALGORITHMS, jwk_of, key_for, other_key_for, public_jwk_of

pytestmark = pytest.mark.usefixtures("with_and_without_speed")


async def signed(algorithm, header: dict[str, Any] | None = None, payload: bytes = b"payload") -> str:
    text = f"{encode(json.dumps(header or {'alg': algorithm}).encode())}.{encode(payload)}".encode()
    return f"{text.decode()}.{encode(await signing_key(key_for(algorithm)).sign(text))}"


def without(jwk: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in jwk.items() if name not in names}


def test_it_is_public() -> None:
    assert mintkey.jose.verify_compact is verify_compact


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_payload_comes_out_for_either_half_of_the_key(algorithm) -> None:
    text = await signed(algorithm)
    for jwk in (public_jwk_of(algorithm), jwk_of(algorithm), without(public_jwk_of(algorithm), "alg", "kid", "use")):
        assert verify_compact(text, jwk, algorithms=[algorithm]) == b"payload"


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi"])
async def test_the_private_half_is_not_looked_at(member) -> None:
    """Proving that the factors of an RSA key are primes takes longer than a thousand verifications."""
    jwk = {**public_jwk_of("RS256"), member: "no number"}
    assert verify_compact(await signed("RS256"), jwk, algorithms=["RS256"]) == b"payload"


@pytest.mark.parametrize("spelling", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("allowed", ["EdDSA", "Ed25519"])
async def test_ed25519_has_two_names(spelling, allowed) -> None:
    text = await signed("EdDSA", {"alg": spelling})
    assert verify_compact(text, public_jwk_of("EdDSA"), algorithms={allowed}) == b"payload"


@pytest.mark.parametrize("kid", ["bilbo.baggins@hobbiton.example", "", "a b/c", "ä" * 200])
async def test_a_kid_may_have_any_shape(kid) -> None:
    text = await signed("ES256", {"alg": "ES256", "kid": kid, "typ": "JOSE"})
    assert verify_compact(text, {**public_jwk_of("ES256"), "kid": kid}, algorithms=["ES256"]) == b"payload"


async def test_a_key_without_alg_may_be_used_with_each_algorithm_that_is_allowed() -> None:
    jwk = without(public_jwk_of("RS256"), "alg")
    for algorithm in ("RS256", "PS384"):
        assert verify_compact(await signed(algorithm), jwk, algorithms=["RS256", "PS384", "ES256"]) == b"payload"


@pytest.mark.parametrize(
    "header", [{"alg": "ES256", "cty": "x"}, {"alg": "ES256", "crit": []}, {"alg": "ES256", "x5t": "A"}]
)
async def test_other_members_are_refused(header) -> None:
    with pytest.raises(MalformedTokenError) as caught:
        verify_compact(await signed("ES256", header), public_jwk_of("ES256"), algorithms=["ES256"])
    assert caught.value.reason is Reason.HEADER_UNSUPPORTED


@pytest.mark.parametrize(
    ("algorithm", "jwk", "allowed"),
    [
        pytest.param("RS256", "RS256", ["RS384"], id="not allowed"),
        pytest.param("RS256", "RS256", ["EdDSA"], id="not allowed, and the key fits none"),
        pytest.param("PS256", "RS256", ["RS256", "PS256"], id="the key is for another one"),
        pytest.param("PS256", "RS256", ["PS256"], id="the key is for none of them"),
        pytest.param("HS256", "RS256", ["HS256"], id="a public key as a secret"),
        pytest.param("HS256", "RS256", ["HS256", "RS256"], id="both allowed"),
        pytest.param("ES256", "ES384", ["ES256", "ES384"], id="another curve"),
    ],
)
async def test_the_caller_the_key_and_the_header_must_agree(algorithm, jwk, allowed) -> None:
    with pytest.raises(SignatureError) as caught:
        verify_compact(await signed(algorithm), public_jwk_of(jwk), algorithms=allowed)
    assert caught.value.reason is Reason.ALGORITHM_MISMATCH


@pytest.mark.parametrize("alg", ["none", "None", "", "HS1"])
async def test_none_is_never_an_algorithm(alg) -> None:
    text = f"{encode(json.dumps({'alg': alg}).encode())}.{encode(b'payload')}."
    with pytest.raises(SignatureError) as caught:
        verify_compact(text, public_jwk_of("EdDSA"), algorithms=["EdDSA"])
    assert caught.value.reason is Reason.ALGORITHM_MISMATCH
    with pytest.raises(ConfigurationError):
        verify_compact(text, public_jwk_of("EdDSA"), algorithms=[alg])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_signature_of_another_key_is_refused(algorithm) -> None:
    other = other_key_for(algorithm)
    with pytest.raises(SignatureError) as caught:
        verify_compact(await signed(algorithm), other.public_jwk or other.private_jwk, algorithms=[algorithm])
    assert caught.value.reason is Reason.SIGNATURE_INVALID


async def test_a_secret_is_used_with_the_algorithms_for_which_it_is_long_enough() -> None:
    short = {"kty": "oct", "k": encode(random_bytes(32))}
    with pytest.raises(SignatureError) as caught:
        verify_compact(await signed("HS512"), short, algorithms=["HS256", "HS512"])
    assert caught.value.reason is Reason.ALGORITHM_MISMATCH
    with pytest.raises(ConfigurationError, match="at least 64 bytes"):
        verify_compact(await signed("HS512"), short, algorithms=["HS512"])


@pytest.mark.parametrize("algorithms", [[], (), "EdDSA", ["EdDSA", "none"], ["nonsense"], [["EdDSA"]]])
async def test_algorithms_are_known_names(algorithms) -> None:
    with pytest.raises(ConfigurationError, match="algorithm"):
        verify_compact(await signed("EdDSA"), public_jwk_of("EdDSA"), algorithms=algorithms)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "jwk",
        {},
        {"kty": ["EC"]},
        {"kty": "EC", "crv": ["P-256"]},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    ],
)
async def test_an_unfit_key_is_named_before_the_token_is_looked_at(jwk) -> None:
    with pytest.raises(ConfigurationError, match=r"^jwk: "):
        verify_compact("no token", jwk, algorithms=["ES256", "RS256", "PS256"])


async def test_a_key_type_that_is_not_used_fits_no_algorithm() -> None:
    with pytest.raises(SignatureError):
        verify_compact(await signed("ES256"), {"kty": "AKP", "pub": "AAAA"}, algorithms=["ES256"])


async def test_the_length_is_bounded() -> None:
    text = await signed("EdDSA", payload=b"x" * 20_000)
    with pytest.raises(MalformedTokenError) as caught:
        verify_compact(text, public_jwk_of("EdDSA"), algorithms=["EdDSA"])
    assert (caught.value.reason, caught.value.details) == (Reason.TOO_LARGE, {"max_bytes": 16_384})
    assert len(verify_compact(text, public_jwk_of("EdDSA"), algorithms=["EdDSA"], max_bytes=len(text))) == 20_000


@pytest.mark.parametrize("value", [None, b"a.b.c", 5, "", "a.b.c"])
def test_what_is_no_token(value) -> None:
    with pytest.raises(MalformedTokenError):
        verify_compact(value, public_jwk_of("EdDSA"), algorithms=["EdDSA"])
