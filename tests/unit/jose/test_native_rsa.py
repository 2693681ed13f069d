"""RSA keys as JWKs: sizes and exponents, numbers that belong together, and what is proved of our own."""

import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mintkey.jose.base64url import decode, encode
from mintkey.jose.jwk import load_jwk
from tests.support.refusals import refuse
from tests.support.signing_keys import jwk_of, key_for, other_key_for, public_jwk_of


def test_leading_zeros_of_a_modulus_change_nothing() -> None:
    jwk = public_jwk_of("RS256")
    padded = {**jwk, "n": encode(b"\0" + decode(jwk["n"]))}
    assert load_jwk(padded, source="test") == load_jwk(jwk, source="test")


def test_the_factors_of_an_rsa_key_are_found_when_they_are_missing() -> None:
    jwk = {name: value for name, value in jwk_of("RS256").items() if name not in {"p", "q", "dp", "dq", "qi"}}
    found: Any = load_jwk(jwk, source="test").private_jwk
    assert {found["p"], found["q"]} == {jwk_of("RS256")["p"], jwk_of("RS256")["q"]}


@pytest.mark.parametrize("member", ["n", "d", "p", "q", "dp", "dq", "qi"])
def test_an_rsa_number_that_belongs_to_another_key(member) -> None:
    refuse(
        {**jwk_of("RS256"), member: other_key_for("RS256").private_jwk[member]},
        "make up a key|smaller than the modulus",
    )


@pytest.mark.parametrize("member", ["n", "e", "d", "p", "q", "dp", "dq", "qi"])
def test_numbers_of_our_own_rsa_key_that_were_changed_since(member) -> None:
    changed = {**other_key_for("RS256").private_jwk, "e": encode((65_539).to_bytes(3, "big"))}[member]
    refuse({**jwk_of("RS256"), member: changed}, "make up a key|smaller than the modulus", made_here=True)


def test_a_factor_of_our_own_rsa_key_that_is_no_prime_shows_in_what_it_signs() -> None:
    def number(algorithm_of: Any, name: str) -> int:
        return int.from_bytes(decode(algorithm_of("RS256").private_jwk[name]), "big")

    p, q, e = number(key_for, "p"), number(other_key_for, "n"), 65_537
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "qi": pow(q, -1, p)}
    jwk = {name: encode(value.to_bytes(384, "big").lstrip(b"\0")) for name, value in numbers.items()}
    refuse({"kty": "RSA", **jwk}, "do not make up a key", made_here=True)


def test_the_factors_of_our_own_rsa_key_are_not_proved_to_be_primes_once_more() -> None:
    """For one that is none and that no signature gives away, Fermat's theorem holds: q is a Carmichael number."""
    k, e = 2**338 + 809_752, 65_537
    p, q = 2**1024 - 105, (6 * k + 1) * (12 * k + 1) * (18 * k + 1)
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "qi": pow(q, -1, p)}
    jwk = {name: encode(value.to_bytes(384, "big").lstrip(b"\0")) for name, value in numbers.items()}
    assert load_jwk({"kty": "RSA", **jwk}, source="test", made_here=True).can_sign
    refuse({"kty": "RSA", **jwk}, "do not make up a key")


def test_the_public_half_of_our_own_rsa_key_is_not_the_key() -> None:
    refuse(public_jwk_of("RS256"), "do not make up a key", made_here=True)


def test_a_private_exponent_without_factors_that_belongs_to_another_key() -> None:
    jwk = {name: value for name, value in jwk_of("RS256").items() if name not in {"p", "q", "dp", "dq", "qi"}}
    refuse({**jwk, "d": encode(b"\x05" * 200)}, "does not belong")


def test_some_factors_without_the_others() -> None:
    jwk = jwk_of("RS256")
    del jwk["qi"]
    refuse(jwk, "do not make up a key")


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi"])
def test_a_private_number_that_is_too_large(member) -> None:
    jwk = jwk_of("RS256")
    for value in (encode(b"\xff" * 300), jwk["n"]):
        refuse({**jwk, member: value}, f"{member} is not smaller than the modulus")


@pytest.mark.parametrize("bits", [1024, 2047, 16_385])
def test_rsa_keys_of_another_size(bits) -> None:
    n = (1 << (bits - 1)) + 1
    refuse({"kty": "RSA", "n": encode(n.to_bytes((bits + 7) // 8, "big")), "e": "AQAB"}, "2048 to 16384 bits")


@pytest.mark.parametrize("e", [1, 3, 17, 65_535, 65_536, 65_538, (1 << 64) + 1])
def test_rsa_exponents_that_are_small_even_or_huge(e) -> None:
    refuse({**public_jwk_of("RS256"), "e": encode(e.to_bytes(9, "big"))}, "public exponent")


def test_an_even_modulus() -> None:
    n = int.from_bytes(decode(public_jwk_of("RS256")["n"]), "big")
    refuse({**public_jwk_of("RS256"), "n": encode((n - 1).to_bytes(256, "big"))}, "even")


def test_a_real_rsa_key_that_is_too_small() -> None:
    numbers = rsa.generate_private_key(65_537, 1024).public_key().public_numbers()  # noqa: S505 - too small
    refuse({"kty": "RSA", "n": encode(numbers.n.to_bytes(128, "big")), "e": "AQAB"}, "2048")
