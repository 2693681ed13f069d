"""A header that brings its own key, says where to fetch one, or how it wants to be read (RFC 8725 §3.8–3.10)."""

from collections.abc import Iterator
from typing import Any

from mintkey import Reason
from tests.security.attacks.case import Case, accepted, refused
from tests.security.attacks.forge import Forge

__all__ = ["critical", "embedded", "private_members"]

_CERTIFICATE = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"


def _urls(bait: str) -> dict[str, str]:
    """Ways to name a server that listens: every one of them would be noticed."""
    port = bait.rpartition(":")[2]
    return {
        "plain": f"{bait}/jwks.json",
        "by name": f"http://localhost:{port}/jwks.json",
        "with user and password": f"http://myapp.example@127.0.0.1:{port}/jwks.json",
        "with a fragment": f"{bait}/jwks.json#https://myapp.example",
        "with a query": f"{bait}/jwks.json?issuer=https://myapp.example/tenants/7",
        "without scheme": f"//127.0.0.1:{port}/jwks.json",
        "in upper case": f"HTTP://127.0.0.1:{port}/jwks.json",
        "as one number": f"http://2130706433:{port}/jwks.json",
        "in hex": f"http://0x7f000001:{port}/jwks.json",
        "as IPv6": f"http://[::ffff:127.0.0.1]:{port}/jwks.json",
        "over TLS": f"https://127.0.0.1:{port}/jwks.json",
        "file": "file:///etc/passwd",
        "data": "data:application/json,{}",
        "with a newline": f"{bait}/\r\nHost: myapp.example",
        "empty": "",
    }


def embedded(forge: Forge) -> Iterator[Case]:
    """Each once signed by the key that the header brings, as an attacker would, and once by the right one."""
    why = "a token that brings its own key proves nothing"
    keys: dict[str, Any] = {
        "attacker's public key": {name: value for name, value in _public(forge.other).items() if name != "kid"},
        "attacker's public key under our kid": {**_public(forge.other), "kid": forge.key.kid},
        "our own public key": forge.jwk,
        "secret": {"kty": "oct", "k": "AAAA"},
        "empty secret": {"kty": "oct", "k": ""},
        "key set": {"keys": [_public(forge.other)]},
        "list": [_public(forge.other)],
        "URL": f"{forge.bait}/jwk.json",
        "object with a URL": {"kty": "OKP", "jku": f"{forge.bait}/jwk.json"},
        "null": None,
        "empty object": {},
    }
    for name, value in keys.items():
        yield from _never(forge, f"jwk: {name}", {"jwk": value}, why)
    why = "a verifier that fetches what a token names is the attacker's browser"
    for member in ("jku", "x5u"):
        for name, url in _urls(forge.bait).items():
            yield from _never(forge, f"{member}: {name}", {member: url}, why)
        yield from _never(forge, f"{member}: a list", {member: [forge.bait]}, why)
        yield from _never(forge, f"{member}: null", {member: None}, why)
    for chain in ([], [_CERTIFICATE], [_CERTIFICATE] * 20, _CERTIFICATE, {"0": _CERTIFICATE}, None):
        label = f"{type(chain).__name__} of {len(chain) if chain else 0}"
        yield from _never(forge, f"x5c: {label}", {"x5c": chain}, "anybody can issue himself a certificate")
    together = {"jwk": _public(forge.other), "jku": forge.bait, "x5u": forge.bait, "x5c": [_CERTIFICATE]}
    yield from _never(forge, "all of them", together, why)
    for member in ("JKU", "Jku", "jku ", "j\u212au", "jwks", "jwks_uri", "url", "x5U", "certificate"):
        yield from _never(forge, f"{member!r}", {member: forge.bait}, "near a name that somebody knows")


def critical(forge: Forge) -> Iterator[Case]:
    """`crit`, `b64` and what belongs to encryption: another reading of the same bytes (RFC 7515 §4.1.11, RFC 7797)."""
    why = "who does not understand an extension that must be understood has to refuse (RFC 7515 §4.1.11)"
    crits: dict[str, Any] = {
        "empty": [],
        "unknown": ["urn:example:must-understand"],
        "known to everybody": ["exp"],
        "a member of the standard": ["alg"],
        "itself": ["crit"],
        "twice the same": ["b64", "b64"],
        "empty name": [""],
        "not a list": "b64",
        "list of numbers": [1],
        "list of lists": [["b64"]],
        "null": None,
        "false": False,
        "object": {"b64": True},
        "what a purpose allows": ["tenant"],
        "a thousand": [f"x{number}" for number in range(1000)],
    }
    for name, crit in crits.items():
        there = {"urn:example:must-understand": 1} if name == "unknown" else {}
        yield from _never(forge, f"crit: {name}", {"crit": crit, **there}, why)
    why = "an unencoded payload is another signing input (RFC 7797 §3)"
    for flag in (False, True, None, "false", 0):
        yield from _never(forge, f"b64 {flag!r}", {"b64": flag}, why)
        yield from _never(forge, f"b64 {flag!r}, critical", {"b64": flag, "crit": ["b64"]}, why)
    raw = f"{forge.segments[0]}.$.02.{forge.segments[2]}"
    yield refused("raw payload", raw, Reason.MALFORMED, why)
    why = "what belongs to encryption has no business here"
    for name, value in {
        "zip": "DEF",
        "enc": "A256GCM",
        "cty": "JWT",
        "epk": {"kty": "EC"},
        "apu": "QQ",
        "apv": "QQ",
        "iv": "AAAA",
        "tag": "AAAA",
        "p2s": "AAAA",
        "p2c": 2_147_483_647,
    }.items():
        yield from _never(forge, f"{name}: {value}", {name: value}, why)


def private_members(forge: Forge) -> Iterator[Case]:
    """Members that this purpose allows, with every kind of value, and those that it does not."""
    why = "the purpose allows this member"
    values: list[Any] = ["seven", "", 7, 7.5, -1, True, None, [], [1, [2]], {}, {"a": {"b": 1}}, "\u00fc\U0001f511"]
    for value in values:
        header = {**forge.header, "tenant": value}
        yield from forge.both(f"tenant: {value!r}", None, why, header=header, bare=Reason.HEADER_UNSUPPORTED)
    for member in ("x5t", "x5t#S256"):
        header = {**forge.header, member: "dGh1bWJwcmludA"}
        yield accepted(member, forge.token(header), "named to be ignored", bare=Reason.HEADER_UNSUPPORTED)
    why = "nobody asked for it"
    for member in ("Tenant", "TENANT", "tenant ", "tenants", "", "iss", "exp", "admin", "__proto__", "alg\0", "typ\0"):
        yield from _never(forge, f"a member {member!r}", {member: "seven"}, why)
    yield from _never(forge, "a hundred members", {f"m{number}": number for number in range(100)}, why)


def _never(forge: Forge, name: str, members: dict[str, Any], why: str) -> Iterator[Case]:
    header = {**forge.header, **members}
    yield refused(f"{name}, by the attacker", forge.token(header, by_other=True), Reason.HEADER_UNSUPPORTED, why)
    yield refused(f"{name}, by the issuer", forge.token(header), Reason.HEADER_UNSUPPORTED, "nobody may, not even he")


def _public(key: Any) -> dict[str, Any]:
    return dict(key.public_jwk or key.private_jwk)
