"""JWK Sets, our own and those that somebody else publishes."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, derive_private_key

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import load_jwks
from mintkey.jose.prepared import verification_key
from mintkey.keys.remote_set import UnfitSetError, read_set
from tests.security.fuzz.mutating import json_mutator
from tests.security.fuzz.reference import json_text
from tests.security.fuzz.reference.base64url import encode
from tests.security.fuzz.reference.curves import ed25519_public
from tests.security.fuzz.reference.keys import judge_remote, judge_set
from tests.security.fuzz.target import UNSURE, Finding, Target, check, outcome_of, verdict_of

__all__ = ["JWKS"]

_P = 2**255 - 19


def _edwards() -> Iterable[dict[str, Any]]:
    seed = bytes(range(32))
    pair = {"kty": "OKP", "crv": "Ed25519", "x": encode(ed25519_public(seed)), "d": encode(seed)}
    yield pair
    yield {"kty": "OKP", "crv": "Ed25519", "x": pair["x"], "kid": "ed", "use": "sig", "alg": "EdDSA"}


def _weierstrass() -> Iterable[dict[str, Any]]:
    for name, curve in (("P-256", SECP256R1()), ("P-384", SECP384R1()), ("P-521", SECP521R1())):
        private = derive_private_key(0xC0FFEE << 200, curve)
        numbers, size = private.public_key().public_numbers(), -(-curve.key_size // 8)
        members = {"x": numbers.x, "y": numbers.y, "d": 0xC0FFEE << 200}
        texts = {member: encode(value.to_bytes(size, "big")) for member, value in members.items()}
        yield {"kty": "EC", "crv": name, "kid": f"pair-{name}", "key_ops": ["sign", "verify"], **texts}
        yield {"kty": "EC", "crv": name, "kid": name, "x": texts["x"], "y": texts["y"]}


def _others() -> Iterable[dict[str, Any]]:
    modulus = (
        int.from_bytes(hashlib.shake_256(b"modulus").digest(256), "big") | 1 << 2047 | 1
    )  # public keys need no more
    yield {"kty": "RSA", "n": encode(modulus.to_bytes(256, "big")), "e": "AQAB", "kid": "rsa", "alg": "PS256"}
    yield {"kty": "oct", "k": encode(hashlib.sha512(b"secret").digest()), "kid": "secret", "alg": "HS256"}


def _keys() -> list[dict[str, Any]]:
    return [*_edwards(), *_weierstrass(), *_others()]


def _seeds() -> Iterable[bytes]:
    keys = _keys()
    for some in (keys[:2], *([key] for key in keys), [key for key in keys if not {"d", "k"} & key.keys()]):
        yield json.dumps({"keys": some}).encode()


def _run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    expected = verdict_of(lambda: judge_set(json_text.read(data)))
    found = outcome_of(lambda: _loaded(text, data), ConfigurationError)
    check(found, outcome_of(lambda: _loaded(data, data), ConfigurationError), "as bytes and as text")
    if expected != UNSURE:
        check(expected[0], found[0], "a set of our own")
    if expected[0] == found[0] == "accepted":
        check(expected[1], found[1], "the keys of a set of our own")
    _run_remote(data)


def _loaded(jwks: str | bytes, data: bytes) -> list[tuple[str, str, bool]]:
    try:
        keys = load_jwks(jwks, source="fuzz")
    except ConfigurationError as error:
        _check_silence(str(error), data)
        raise
    for key in keys:
        verification_key(key).verify(b"input", bytes(64))  # says no, and raises nothing
        if key.public_jwk is not None and {"d", "p", "q", "dp", "dq", "qi", "k"} & key.public_jwk.keys():
            raise Finding("a public JWK with private members")
    return [(key.kid, key.algorithm, key.can_sign) for key in keys]


def _run_remote(data: bytes) -> None:
    try:
        document = strict_json.loads(data)
    except strict_json.StrictJSONError:
        return
    found = outcome_of(lambda: _remote(document, data), UnfitSetError)
    check(verdict_of(lambda: judge_remote(document))[0], found[0], "a set of somebody else")
    if found[0] == "accepted":
        check(verdict_of(lambda: judge_remote(document)), found, "the keys of a set of somebody else")


def _remote(document: dict[str, Any], data: bytes) -> dict[str, str]:
    try:
        found = read_set(document, tuple(SPECS))
    except UnfitSetError as error:
        _check_silence(str(error), data)
        raise
    return {kid: key.algorithm for kid, key in found.verifiers.items()}


def _check_silence(told: str, data: bytes) -> None:
    """An error may name members, and no value that is long enough to be one of a key."""
    for word in data.decode("latin-1").split('"'):
        if len(word) > 20 and word in told:
            raise Finding("the error tells a value")


def _values() -> list[Any]:
    values: list[Any] = [value for key in _keys() for value in key.values()]
    # Points of low order, of no curve and out of range; numbers that are too small, even or too large.
    points = [0, 1, _P - 1, _P, _P + 1, 2, 7, 1 << 255, (1 << 255) | 1, (1 << 256) - 1]
    values += [encode(point.to_bytes(32, "little")) for point in points]
    values += [encode(bytes(size)) for size in (1, 31, 32, 33, 48, 66)]
    values += [encode(b"\0" * zeros + b"\1\0\1") for zeros in (0, 1)]
    values += [encode(number.to_bytes(9, "big")) for number in (3, 65_536, 2**64 - 1, 2**64 + 1)]
    values += [encode(b"\xff" * size) for size in (255, 256, 2048, 2049)]
    values += ["sig", "enc", ["sign"], ["verify"], ["verify", "sign"], ["sign", "encrypt"], [], ["sign", 1], "P-256K"]
    return [*values, *SPECS, "Ed25519", "Ed448", "X25519", "secp256k1", "oct", "RSA", "EC", "OKP", "A" * 128, "A" * 129]


_MEMBERS = "kty crv x y d n e k kid alg use key_ops p q dp dq qi oth x5c keys".split()

JWKS = Target(run=_run, seeds=_seeds, mutate=json_mutator(_MEMBERS, _values()))
