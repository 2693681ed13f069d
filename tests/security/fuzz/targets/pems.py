"""PEM keys, whole and in the state in which environment variables hold them."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import Random

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP521R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import load_jwk, load_pem
from mintkey.jose.prepared import verification_key
from mintkey.keys.key_text import is_placeholder, looks_like_path, read_key_text
from tests.security.fuzz.mutating import flipped
from tests.security.fuzz.reference.keys import judge_jwk
from tests.security.fuzz.reference.pems import public_jwk
from tests.security.fuzz.target import UNSURE, Finding, Target, check, exact, outcome_of, verdict_of

__all__ = ["PEM"]

_PKCS8, _SPKI = (PrivateFormat.PKCS8, NoEncryption()), PublicFormat.SubjectPublicKeyInfo

# What deployments do to a PEM, each of which can be undone.
_DAMAGES: Sequence[Callable[[str], str]] = (
    lambda pem: pem.replace("\n", "\\n"),
    lambda pem: pem.replace("\n", "\\\\n"),
    lambda pem: pem.replace("\n", "\r\n"),
    lambda pem: pem.replace("\n", " "),
    lambda pem: pem.replace("\n", ""),
    lambda pem: pem.replace("\n", "\n    "),
    lambda pem: f'"{pem}"',
    lambda pem: f"  '{pem}'\n",
    lambda pem: base64.b64encode(pem.encode()).decode(),
    lambda pem: base64.b64encode(base64.urlsafe_b64encode(pem.encode())).decode(),
)


def _seeds() -> Iterable[bytes]:
    edwards = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    yield edwards.public_key().public_bytes(Encoding.PEM, _SPKI)
    yield edwards.private_bytes(Encoding.PEM, *_PKCS8)
    for curve in (SECP256R1(), SECP521R1()):
        private = derive_private_key(0xC0FFEE << 200, curve)
        yield private.public_key().public_bytes(Encoding.PEM, _SPKI)
        yield private.private_bytes(Encoding.PEM, *_PKCS8)
        yield private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        yield private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    rsa = RSAPublicNumbers(65_537, (1 << 2047) + 0xBAD).public_key()
    yield rsa.public_bytes(Encoding.PEM, _SPKI)
    yield rsa.public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def _run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = outcome_of(lambda: _loaded(text), ConfigurationError)
    expected = verdict_of(lambda: judge_jwk(public_jwk(text)))
    if expected != UNSURE:
        check(expected[0], found[0], "a public key")
    if expected[0] == found[0] == "accepted":
        check(expected[1], found[1], "the public key")
    if found[0] == "accepted" and text.count("-----BEGIN") == 1:
        _restored(text, found)
    outcome_of(lambda: read_key_text(text), ValueError)
    is_placeholder(text), looks_like_path(text)


def _loaded(text: str) -> tuple[str, str, bool]:
    try:
        key = load_pem(text, source="fuzz")
    except ConfigurationError as error:
        if any(len(line) > 20 and line in str(error) for line in text.split("\n")):
            raise Finding("the error tells a part of the key") from error
        raise
    verification_key(key).verify(b"input", bytes(64))
    jwk = key.private_jwk or key.public_jwk or {}
    again = outcome_of(lambda: load_jwk(jwk, source="fuzz").public_jwk, ConfigurationError)
    check(("accepted", exact(key.public_jwk)), again, "as a JWK")
    return key.kid, key.algorithm, key.can_sign


def _restored(text: str, found: object) -> None:
    """Whatever was done to a key that is whole, it is the same key."""
    if not _is_plain(text):
        return
    for number, damage in enumerate(_DAMAGES):
        restored = read_key_text(damage(text))
        pems = () if restored is None else restored.pems
        keys = [outcome_of(partial(_loaded, pem), ConfigurationError) for pem in pems]
        check([found], keys, f"after damage {number}")


def _is_plain(text: str) -> bool:
    """Whether it is nothing but a block with full lines of base64 (what stands elsewhere may be damaged for good)."""
    lines = text.strip("\n").split("\n")
    is_block = lines[0].startswith("-----BEGIN ") and lines[-1].startswith("-----END ")
    return (
        is_block
        and all(len(line) == 64 for line in lines[1:-2])
        and all(line.isalnum() or line.strip("+/=") for line in lines[1:-1])
    )


def _mutate(data: bytes, random: Random) -> bytes:
    """Mostly the DER within, rather than its base64."""
    lines = data.decode("latin-1").strip("\n").split("\n")
    try:
        der = binascii.a2b_base64("".join(lines[1:-1]))
    except ValueError:
        der = b""
    if not der or random.random() < 0.2:
        return flipped(data, random)
    body = base64.b64encode(_other_der(der, random)).decode()
    wrapped = [body[start : start + 64] for start in range(0, len(body), 64)]
    labels = lines[0], lines[-1]
    if random.random() < 0.1:
        kind = random.choice(("PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY", "RSA PUBLIC KEY", "ENCRYPTED PRIVATE KEY"))
        labels = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    return "\n".join([labels[0], *wrapped, labels[1], ""]).encode("latin-1")


def _other_der(der: bytes, random: Random) -> bytes:
    changed = bytearray(der)
    match random.randrange(4):
        case 0:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        case 1:
            return flipped(der, random)
        case 2:
            del changed[random.randrange(len(changed)) :]
        case _:
            changed[random.randrange(min(32, len(changed)))] = random.choice(
                (0, 1, 2, 3, 4, 5, 0x30, 0x7F, 0x80, 0x81, 0xFF)
            )
    return bytes(changed)


PEM = Target(run=_run, seeds=_seeds, mutate=_mutate)
