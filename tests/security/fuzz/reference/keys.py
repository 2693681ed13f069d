"""Which JWKs are keys for signatures, and for which algorithm (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2, RFC 8725 §3)."""

import hashlib
import json
import string
from collections.abc import Mapping
from typing import Any

from tests.security.fuzz.reference import base64url
from tests.security.fuzz.reference.curves import CURVES, check_ed25519, check_point, ed25519_public, public_point
from tests.security.fuzz.reference.verdict import Refused, Unsure

__all__ = ["check_kid", "judge_jwk", "judge_remote", "judge_set"]

_KID = frozenset(string.ascii_letters + string.digits + "._~-")
_SECRET_SIZES = {"HS256": 32, "HS384": 48, "HS512": 64}
_ALGORITHMS = {
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    **{f"{family}{bits}": ("RSA", "") for family in ("RS", "PS") for bits in (256, 384, 512)},
    **dict.fromkeys(_SECRET_SIZES, ("oct", "")),
}
_RSA_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")

Found = tuple[str, str, bool]
"""The kid, the algorithm, and whether it can sign."""


def judge_set(document: Mapping[str, Any]) -> list[Found]:
    """The keys of a JWK Set; `Refused` if one of them is none, `Unsure` if that cannot be told."""
    if type(document.get("keys")) is not list:
        raise Refused("no set")
    doubt: Unsure | None = None
    found: list[Found] = []
    for jwk in document["keys"]:
        try:
            found.append(judge_jwk(jwk))
        except Unsure as unsure:
            doubt = unsure
    if doubt is not None:
        raise doubt
    if len({kid for kid, _, _ in found}) < len(found):
        raise Refused("one kid twice")
    return found


def judge_jwk(jwk: Any) -> Found:
    """What a JWK is."""
    if type(jwk) is not dict:
        raise Refused("no JWK")
    kty = _text(jwk, "kty")
    curve = _text(jwk, "crv") if kty in {"EC", "OKP"} else ""
    algorithm = _algorithm(jwk, kty, curve)
    kid = jwk.get("kid")
    if kid is not None and not check_kid(kid):
        raise Refused("kid")
    can_sign = _operations(jwk, kty)
    match kty:
        case "oct":
            if kid is None:
                raise Refused("a secret without kid")
            _check_secret(jwk, algorithm)
            return kid, algorithm, can_sign
        case "OKP":
            hashed = _edwards(jwk)
        case "EC":
            hashed = _weierstrass(jwk, curve)
        case _:
            hashed = _rsa(jwk)
    canonical = json.dumps(hashed, separators=(",", ":"), sort_keys=True).encode()  # RFC 7638 §3.3
    return kid or base64url.encode(hashlib.sha256(canonical).digest()), algorithm, can_sign


def check_kid(kid: Any) -> bool:
    """Whether it is a name that means nothing in a path, a URL or a query."""
    return type(kid) is str and 1 <= len(kid) <= 128 and set(kid) <= _KID


def _algorithm(jwk: dict[str, Any], kty: str, curve: str) -> str:
    if jwk.get("alg") is not None:
        named = jwk["alg"]
        if type(named) is not str or _ALGORITHMS.get(named) != (kty, curve):
            raise Refused("alg")
        return "EdDSA" if named == "Ed25519" else named
    if kty == "RSA":
        return "RS256"
    for name, needs in _ALGORITHMS.items():
        if needs == (kty, curve) and kty != "oct":
            return name
    raise Refused("no algorithm")


def _operations(jwk: dict[str, Any], kty: str) -> bool:
    is_private = kty == "oct" or "d" in jwk
    if "use" in jwk and jwk["use"] != "sig":
        raise Refused("use")
    if "key_ops" not in jwk:
        return is_private
    named = jwk["key_ops"]
    if type(named) is not list or not named or any(each not in ("sign", "verify") for each in named):
        raise Refused("key_ops")
    can_sign = is_private and "sign" in named
    if "verify" not in named and (kty == "oct" or not can_sign):
        raise Refused("key_ops")
    return can_sign


def _text(jwk: dict[str, Any], name: str) -> str:
    if type(jwk.get(name)) is not str:
        raise Refused(name)
    value: str = jwk[name]
    return value


def _octets(jwk: dict[str, Any], name: str, size: int | None = None) -> bytes:
    found = base64url.decode(_text(jwk, name))
    if not found or (size is not None and len(found) != size):
        raise Refused(name)
    return found


def _number(jwk: dict[str, Any], name: str) -> int:
    return int.from_bytes(_octets(jwk, name), "big")


def _check_secret(jwk: dict[str, Any], algorithm: str) -> None:
    secret = _octets(jwk, "k")
    if len(secret) < _SECRET_SIZES[algorithm]:
        raise Refused("k")
    if len(set(secret)) < 16 or secret.isascii():
        raise Unsure  # it may be somebody's placeholder


def _edwards(jwk: dict[str, Any]) -> dict[str, str]:
    x = _octets(jwk, "x", 32)
    seed = _octets(jwk, "d", 32) if "d" in jwk else None
    check_ed25519(x)
    if seed is not None and ed25519_public(seed) != x:
        raise Refused("d")
    return {"crv": "Ed25519", "kty": "OKP", "x": jwk["x"]}


def _weierstrass(jwk: dict[str, Any], curve: str) -> dict[str, str]:
    size = -(-CURVES[curve][0].bit_length() // 8)
    x, y = (int.from_bytes(_octets(jwk, name, size), "big") for name in ("x", "y"))
    d = int.from_bytes(_octets(jwk, "d", size), "big") if "d" in jwk else None
    check_point(curve, x, y)
    if d is not None:
        if curve != "P-256":
            raise Unsure
        if public_point(d) != (x, y):
            raise Refused("d")
    return {"crv": curve, "kty": "EC", "x": jwk["x"], "y": jwk["y"]}


def _rsa(jwk: dict[str, Any]) -> dict[str, str]:
    n, e = _number(jwk, "n"), _number(jwk, "e")
    if not 2048 <= n.bit_length() <= 16_384 or n % 2 == 0:
        raise Refused("n")
    if e < 65_537 or e % 2 == 0 or e.bit_length() > 64:
        raise Refused("e")
    if any(name in jwk for name in _RSA_PRIVATE):
        raise Unsure  # whether the factors are primes takes long to find out
    least = {name: base64url.encode(v.to_bytes(-(-v.bit_length() // 8), "big")) for name, v in (("e", e), ("n", n))}
    return {"kty": "RSA", **least}


def judge_remote(document: Mapping[str, Any]) -> dict[str, str]:
    """The algorithms of the keys that can be used of a set that somebody else publishes, by kid (RFC 7517 §5).

    A key that cannot be used is ignored; of two keys with one kid none is used; private members are for nobody's eyes.
    """
    if type(document.get("keys")) is not list or len(document["keys"]) > 1000:
        raise Refused("no set")
    found: dict[str, tuple[str, Any]] = {}
    ambiguous: set[str] = set()
    for jwk in document["keys"]:
        if type(jwk) is not dict or jwk.get("kid") is None or {*_RSA_PRIVATE, "oth", "k"} & jwk.keys():
            continue
        try:
            kid, algorithm, _ = judge_jwk(jwk)
        except Refused:
            continue
        key = algorithm, [jwk.get(name) for name in ("x", "y")], [_uint(jwk, name) for name in ("n", "e")]
        if found.setdefault(kid, (algorithm, key))[1] != key:
            ambiguous.add(kid)
    used = {kid: algorithm for kid, (algorithm, _) in found.items() if kid not in ambiguous}
    if not used:
        raise Refused("no key")
    return used


def _uint(jwk: dict[str, Any], name: str) -> int:
    return _number(jwk, name) if jwk["kty"] == "RSA" else 0
