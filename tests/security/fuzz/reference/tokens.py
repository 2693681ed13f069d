"""What becomes of a token, step by step as the contract lists them (RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3)."""

import hashlib
import hmac
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.fuzz.reference import base64url, json_text
from tests.security.fuzz.reference.verdict import Refused

__all__ = ["Rules", "judge"]

_KID = frozenset(string.ascii_letters + string.digits + "._~-")
_NEVER = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty"})
_UNSEEN = frozenset({"x5t", "x5t#S256"})
_LAST_INSTANT = 253_370_764_800  # the beginning of the year 9999


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is asked of a token."""

    issuer: str
    secrets: Mapping[str, bytes]
    typ: str
    now: float
    audience: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    leeway: float = 10
    max_age: float | None = None
    max_length: int = 16_384
    private: Callable[[dict[str, Any]], Any] = field(default=dict)


def judge(token: str, rules: Rules) -> dict[str, Any]:
    """All that an accepted token says; `Refused` if it is not to be accepted."""
    header, signed, payload, signature = _parts(token, rules)
    secret = rules.secrets.get(header["kid"])
    if secret is None:
        raise Refused("key_unknown")
    if header["alg"] != "HS256":
        raise Refused("algorithm_mismatch")
    if hmac.new(secret, signed.encode(), hashlib.sha256).digest() != signature:
        raise Refused("signature_invalid")
    if "typ" not in header or _media_type(header["typ"]) != _media_type(rules.typ):
        raise Refused("purpose_mismatch")
    claims = json_text.read(payload)
    found = _registered(claims, rules)
    _check_times(found, rules)
    if not rules.scopes <= found["scopes"]:
        raise Refused("insufficient_scope")
    names = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"}
    found["claims"] = rules.private({name: value for name, value in claims.items() if name not in names})
    found["headers"] = {
        name: value for name, value in header.items() if name not in {"alg", "kid", "typ"} and name not in _UNSEEN
    }
    found["key_id"] = header["kid"]
    return found


def _parts(token: str, rules: Rules) -> tuple[dict[str, Any], str, bytes, bytes]:
    if len(token) > rules.max_length:
        raise Refused("too_large")
    if token.count(".") != 2 or any(character > "\x7f" for character in token):
        raise Refused("malformed")
    first, second, third = token.split(".")
    payload, signature = base64url.decode(second), base64url.decode(third)
    return _header(first, rules), f"{first}.{second}", payload, signature


def _header(segment: str, rules: Rules) -> dict[str, Any]:
    header = json_text.read(base64url.decode(segment))
    others = header.keys() - {"alg", "kid", "typ"}
    if others & _NEVER or not others <= rules.headers:
        raise Refused("header_unsupported")
    if "alg" not in header or any(type(header[name]) is not str for name in ("alg", "kid", "typ") if name in header):
        raise Refused("malformed")
    typ = header.get("typ", "")
    if len(typ) > 128 or any(character > "\x7f" for character in typ):
        raise Refused("malformed")
    kid = header.get("kid", "")
    if not 1 <= len(kid) <= 128 or not set(kid) <= _KID:
        raise Refused("malformed")
    return header


def _media_type(typ: str) -> str:
    typ = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in typ)
    return typ if "/" in typ else "application/" + typ


def _registered(claims: dict[str, Any], rules: Rules) -> dict[str, Any]:
    needed = ({"iss", "exp", "iat", "jti"} - rules.optional) | rules.required | ({"aud"} if rules.audience else set())
    if not needed <= claims.keys():
        raise Refused("claim_missing")
    if type(claims["iss"]) is not str or claims["iss"] != rules.issuer:
        raise Refused("issuer_mismatch")
    return {
        "issuer": claims["iss"],
        "audience": _audience(claims, rules),
        "expires_at": _instant(claims, "exp"),
        "issued_at": _instant(claims, "iat"),
        "not_before": _instant(claims, "nbf") if "nbf" in claims else None,
        "id": _text(claims, "jti") if "jti" in claims else "",
        "subject": _text(claims, "sub") if "sub" in claims else None,
        "scopes": _scopes(claims),
    }


def _audience(claims: dict[str, Any], rules: Rules) -> tuple[str, ...]:
    if "aud" not in claims:
        return ()
    several = claims["aud"] if type(claims["aud"]) is list else [claims["aud"]]
    if not several or any(type(name) is not str or not name for name in several):
        raise Refused("claim_invalid")
    if not rules.audience & set(several):
        raise Refused("audience_mismatch")
    return tuple(several)


def _instant(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if type(value) not in {int, float} or value < 0 or value > _LAST_INSTANT:
        raise Refused("claim_invalid")
    return float(value)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims[name]
    if type(value) is not str or not value:
        raise Refused("claim_invalid")
    return value


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    if "scope" not in claims:
        return frozenset()
    if type(claims["scope"]) is not str:
        raise Refused("claim_invalid")
    return frozenset(word for word in claims["scope"].split(" ") if word)


def _check_times(found: dict[str, Any], rules: Rules) -> None:
    now, leeway = rules.now, rules.leeway
    if not now < found["expires_at"] + leeway:
        raise Refused("expired")
    if found["not_before"] is not None and now < found["not_before"] - leeway:
        raise Refused("not_yet_valid")
    if found["issued_at"] > now + leeway:
        raise Refused("not_yet_valid")
    if rules.max_age is not None and not now < found["issued_at"] + rules.max_age + leeway:
        raise Refused("expired")
