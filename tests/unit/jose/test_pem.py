"""Loading PEM keys."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mintkey.errors import ConfigurationError
from mintkey.jose.pem import load_pem
from mintkey.jose.prepared import signing_key, verification_key
from tests.support.signing_keys import ALGORITHMS, key_for

PEM = Encoding.PEM
ASYMMETRIC = [name for name in ALGORITHMS if not name.startswith("HS")]


def private_pem(
    key: Any, form: PrivateFormat = PrivateFormat.PKCS8, encryption: KeySerializationEncryption | None = None
) -> Any:
    return key.private_bytes(PEM, form, encryption or NoEncryption())


def public_pem(key: Any) -> Any:
    return key.public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo)


def refuse(pem: str | bytes, problem: str, **options: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^the source: .*{problem}") as caught:
        load_pem(pem, source="the source", **options)
    assert caught.value.__cause__ is caught.value.__context__ is None
    lines = (pem if isinstance(pem, bytes) else pem.encode("utf-8", "replace")).split()
    assert not [line for line in lines if len(line) > 20 and line.decode("utf-8", "replace") in str(caught.value)]


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
async def test_both_halves_load_and_work_together(algorithm) -> None:
    known = key_for(algorithm)
    private = load_pem(private_pem(known.private).decode(), source="test", algorithm=algorithm)
    public = load_pem(public_pem(known.public), source="test", algorithm=algorithm)
    assert private == known
    assert (public.public_jwk, public.private_jwk, public.can_sign) == (known.public_jwk, None, False)
    assert verification_key(public).verify(b"input", await signing_key(private).sign(b"input"))


@pytest.mark.parametrize(("key", "bound"), [("EdDSA", "EdDSA"), ("ES512", "ES512"), ("PS256", "RS256")])
def test_the_curve_decides_and_rsa_means_rs256(key, bound) -> None:
    assert load_pem(private_pem(key_for(key).private), source="test").algorithm == bound


def test_the_kid_is_the_given_one_or_the_thumbprint() -> None:
    pem = public_pem(key_for("EdDSA").public)
    assert load_pem(pem, source="test").kid == key_for("EdDSA").kid
    assert load_pem(pem, source="test", kid="given").kid == "given"
    refuse(pem, "kid must be", kid="no good")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_older_forms_of_openssl_are_read(algorithm) -> None:
    pem = private_pem(key_for(algorithm).private, PrivateFormat.TraditionalOpenSSL)
    assert load_pem(b"\n  " + pem + b"\n\n", source="test") == key_for(algorithm)


def test_an_algorithm_that_the_key_does_not_fit() -> None:
    refuse(private_pem(key_for("ES256").private), "does not fit the algorithm ES384", algorithm="ES384")
    with pytest.raises(ConfigurationError, match="algorithm must be one of"):
        load_pem(b"", source="test", algorithm="none")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_named_as_such(form) -> None:
    refuse(private_pem(key_for("ES256").private, form, BestAvailableEncryption(b"password")), "encrypted")


def test_openssh_keys_and_certificates_are_named_as_such() -> None:
    refuse(private_pem(key_for("EdDSA").private, PrivateFormat.OpenSSH), "OpenSSH")
    refuse("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "certificate")


@pytest.mark.parametrize(
    "make",
    [
        ed448.Ed448PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: dsa.generate_private_key(2048),
    ],
)
def test_keys_that_are_not_used_for_signatures_here(make) -> None:
    key = make()
    refuse(private_pem(key), "not used for signatures")
    refuse(public_pem(key.public_key()), "not used for signatures")


def test_an_rsa_key_that_is_too_small() -> None:
    key = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - too small
    refuse(private_pem(key), "2048")
    refuse(public_pem(key.public_key()), "2048")


def test_a_point_of_low_order() -> None:
    refuse(public_pem(ed25519.Ed25519PublicKey.from_public_bytes(bytes(32))), "no sound point")


@pytest.mark.parametrize(
    "pem",
    [
        "",
        b"",
        "key",
        "\ud800",
        b"\xff\xfe",
        "-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_is_no_pem(pem) -> None:
    refuse(pem, "not a PEM key")


def test_damage_is_refused_wherever_it_is() -> None:
    """A loader of ours meets any class of error from the parsers below it."""
    pem = private_pem(key_for("EdDSA").private).decode().splitlines()
    for position in range(0, len(pem[1]), 2):
        for character in "AZ9+/":
            body = pem[1][:position] + character + pem[1][position + 1 :]
            try:
                load_pem("\n".join([pem[0], body, pem[2]]), source="test")
            except ConfigurationError as error:
                assert error.__context__ is None  # noqa: PT017 - damage in the seed itself is another good key


def test_errors_of_any_class_end_here() -> None:
    """Named Ed448 and of the size of Ed25519: here cryptography raises an `InternalError`, not a `ValueError`."""
    der = bytes.fromhex("302e020100300506032b657104220420") + bytes(range(32))
    pem = f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END PRIVATE KEY-----"
    refuse(pem, "not a PEM key")
