"""Registered claims of other types and values (RFC 7519 §4.1, RFC 8725 §3.8–3.11)."""

import unicodedata
from collections.abc import Iterator
from typing import Any

from mintkey import Reason
from tests.security.attacks.case import LOGIN, Case
from tests.security.attacks.forge import ISSUER, NOW, Forge

__all__ = ["audiences", "issuers", "subjects", "times"]

_INVALID = Reason.CLAIM_INVALID
_LEEWAY = int(LOGIN.leeway.total_seconds())
_LATEST = 253_370_764_800
_NO_INSTANTS: list[Any] = [
    None,
    True,
    False,
    "",
    str(NOW + 540),
    f"{NOW + 540}.0",
    "2026-01-01T00:09:00Z",
    "never",
    "NaN",
    "Infinity",
    [],
    [NOW + 540],
    {},
    {"$date": NOW + 540},
    {"seconds": NOW + 540},
    -1,
    -0.5,
    -(10**30),
    (NOW + 540) * 1000,
    (NOW + 540) * 1_000_000,
    _LATEST + 1,
    2**63,
    2**64,
    10**30,
    1e300,
]


def times(forge: Forge) -> Iterator[Case]:
    """Types that are no NumericDate, and both sides of every border."""
    for claim in ("exp", "iat", "nbf"):
        for value in _NO_INSTANTS:
            label = f"{claim} is {type(value).__name__} {value}"
            why = "compared as something else, this token lives for ever"
            claims = {**forge.claims, claim: value}
            yield from forge.both(label, _INVALID, why, claims=claims, claim=claim)
    for claim in ("exp", "iat"):
        claims = {name: value for name, value in forge.claims.items() if name != claim}
        why = "a token without it does not exist"
        yield from forge.both(f"no {claim}", Reason.CLAIM_MISSING, why, claims=claims, claim=claim)
        renamed = {**claims, claim.upper(): forge.claims[claim]}
        yield from forge.both(f"{claim} in upper case", Reason.CLAIM_MISSING, why, claims=renamed, claim=claim)
    for name, changes, reason, claim in _borders():
        claims = {**forge.claims, **changes}
        why = "clocks differ by the leeway and not by more"
        yield from forge.both(name, reason, why, claims=claims, claim=claim)


def _borders() -> Iterator[tuple[str, dict[str, Any], Reason | None, str]]:
    expired, early = Reason.EXPIRED, Reason.NOT_YET_VALID
    yield "expired a leeway ago", {"exp": NOW - _LEEWAY}, expired, "exp"
    yield "expired within the leeway", {"exp": NOW - _LEEWAY + 1}, None, ""
    yield "expired, a fraction within", {"exp": NOW - _LEEWAY + 0.5}, None, ""
    yield "expired, a fraction beyond", {"exp": NOW - _LEEWAY - 0.5}, expired, "exp"
    yield "expired at the epoch", {"exp": 0}, expired, "exp"
    yield "expired at minus zero", {"exp": -0.0}, expired, "exp"
    yield "expired an hour ago", {"exp": NOW - 3600}, expired, "exp"
    yield "expires now", {"exp": NOW}, None, ""
    yield "as a fraction", {"exp": NOW + 540.75}, None, ""
    yield "with an exponent", {"exp": 1.8e9}, None, ""
    yield "the last instant", {"exp": _LATEST}, None, ""
    yield "after 2038", {"exp": 2**31}, None, ""
    yield "after 2106", {"exp": 2**32}, None, ""
    yield "issued now", {"iat": NOW}, None, ""
    yield "issued in the future, within", {"iat": NOW + _LEEWAY}, None, ""
    yield "issued in the future, beyond", {"iat": NOW + _LEEWAY + 1}, early, "iat"
    yield "issued far in the future", {"iat": _LATEST, "exp": _LATEST}, early, "iat"
    yield "issued at the epoch", {"iat": 0}, None, ""
    yield "issued after its end", {"iat": NOW + 5, "exp": NOW - 5}, None, ""
    yield "valid from now", {"nbf": NOW}, None, ""
    yield "valid in a moment, within", {"nbf": NOW + _LEEWAY}, None, ""
    yield "valid in a moment, beyond", {"nbf": NOW + _LEEWAY + 1}, early, "nbf"
    yield "valid after its end", {"nbf": NOW + 600}, early, "nbf"
    yield "valid since the epoch", {"nbf": 0}, None, ""
    yield "expired and not yet valid", {"exp": NOW - 60, "nbf": NOW + 60}, expired, "exp"


def issuers(forge: Forge) -> Iterator[Case]:
    """What looks like our issuer, begins like it, or is our issuer in another type."""
    near = {
        "slash behind": f"{ISSUER}/",
        "in upper case": ISSUER.upper(),
        "host in upper case": ISSUER.replace("myapp", "MYAPP"),
        "other scheme": ISSUER.replace("https", "http"),
        "default port": ISSUER.replace(".example", ".example:443"),
        "other tenant": ISSUER[:-1] + "8",
        "longer tenant": f"{ISSUER}7",
        "cut short": ISSUER[:-1],
        "host alone": "https://myapp.example",
        "path upwards": f"{ISSUER}/../7",
        "percent-encoded": ISSUER.replace("tenants", "%74enants"),
        "query": f"{ISSUER}?",
        "fragment": f"{ISSUER}#",
        "user": ISSUER.replace("//", "//attacker@"),
        "as a user": ISSUER.replace("https://", "https://attacker.example@"),
        "subdomain": ISSUER.replace("myapp.example", "myapp.example.attacker.example"),
        "space in front": f" {ISSUER}",
        "space behind": f"{ISSUER} ",
        "newline behind": f"{ISSUER}\n",
        "NUL behind": f"{ISSUER}\0",
        "NUL and more": f"{ISSUER}\0.attacker.example",
        "zero-width space": f"{ISSUER}\u200b",
        "Cyrillic letter": ISSUER.replace("a", "\u0430"),
        "full width": unicodedata.normalize("NFKC", ISSUER).replace("7", "\uff17"),
        "pattern": "https://.*",
        "wildcard": "*",
        "empty": "",
        "two in one": f"{ISSUER},https://attacker.example",
        "another": "https://attacker.example",
    }
    values: dict[str, Any] = {
        **near,
        "null": None,
        "true": True,
        "number": 7,
        "empty list": [],
        "list": [ISSUER],
        "object": {ISSUER: 1},
    }
    values |= {"list of two": [ISSUER, "https://attacker.example"], "URL object": {"href": ISSUER}}
    for name, value in values.items():
        why = "an issuer is compared whole (RFC 7519 §4.1.1); others compared by `in`"
        claims = {**forge.claims, "iss": value}
        yield from forge.both(f"iss: {name}", Reason.ISSUER_MISMATCH, why, claims=claims, claim="iss")
    claims = {name: value for name, value in forge.claims.items() if name != "iss"}
    yield from forge.both("no iss", Reason.CLAIM_MISSING, "nobody's token", claims=claims, claim="iss")


def audiences(forge: Forge) -> Iterator[Case]:
    """For whom else a token may be, and in which shapes."""
    ours = "myapp.web"
    good = {
        "our other name": "myapp.admin",
        "a list": [ours],
        "a list of both": [ours, "myapp.admin"],
        "a list with a stranger": ["stranger", ours],
        "a list with us last": [*(f"stranger-{number}" for number in range(500)), ours],
        "twice": [ours, ours],
    }
    for name, value in good.items():
        yield from forge.both(f"aud: {name}", None, "we are named", claims={**forge.claims, "aud": value})
    mismatched: dict[str, Any] = {
        "another": "other.web",
        "prefix": "myapp",
        "suffix": f"{ours}.evil",
        "longer": f"{ours}2",
        "in upper case": ours.upper(),
        "space behind": f"{ours} ",
        "newline behind": f"{ours}\n",
        "NUL behind": f"{ours}\0",
        "pattern": "myapp.*",
        "any": "*",
        "dot for any": "myappxweb",
        "two in one": f"{ours} myapp.admin",
        "with a comma": f"{ours},myapp.admin",
        "JSON in text": f'["{ours}"]',
        "Cyrillic letter": ours.replace("a", "\u0430"),
        "list of others": ["stranger", "another"],
        "list of prefixes": ["m", "my", "myapp"],
        "letters": list(ours),
    }
    for name, value in mismatched.items():
        claims = {**forge.claims, "aud": value}
        why = "a token for somebody else (RFC 7519 §4.1.3)"
        yield from forge.both(f"aud: {name}", Reason.AUDIENCE_MISMATCH, why, claims=claims, claim="aud")
    invalid: dict[str, Any] = {
        "null": None,
        "true": True,
        "number": 7,
        "empty": "",
        "empty list": [],
        "list of null": [None],
        "list with null": [ours, None],
        "list with an empty name": [ours, ""],
        "list with a number": [7, ours],
        "list in a list": [[ours]],
        "list with a list": [ours, [ours]],
        "list of objects": [{"aud": ours}],
        "object": {ours: True},
        "object with numbers": {"0": ours},
    }
    for name, value in invalid.items():
        claims = {**forge.claims, "aud": value}
        yield from forge.both(f"aud: {name}", _INVALID, "no audience at all", claims=claims, claim="aud")
    claims = {name: value for name, value in forge.claims.items() if name != "aud"}
    yield from forge.both("no aud", Reason.CLAIM_MISSING, "for everybody", claims=claims, claim="aud")


def subjects(forge: Forge) -> Iterator[Case]:
    """`sub` and `jti`: text or nothing, and every text there is."""
    invalid: list[Any] = [None, True, False, 0, 20, 2.5, "", [], ["20"], {}, {"id": "20"}]
    for claim in ("sub", "jti"):
        for value in invalid:
            claims = {**forge.claims, claim: value}
            why = "20 and '20' are two users, or one, depending on who compares"
            yield from forge.both(f"{claim}: {value!r}", _INVALID, why, claims=claims, claim=claim)
        for name, value in {
            "letters of all scripts": "\u00fcser-\u4e2d\u6587-\u05d0",
            "emoji": "\U0001f511",
            "not normalised": "e\u0301",
            "spaces": " 20 ",
            "NUL": "20\0",
            "newline": "20\n",
            "markup": "<script>alert(1)</script>",
            "query": "'; DROP TABLE users; --",
            "format": "%s{0}",
            "pattern": "*",
            "quotes and backslashes": '"\\',
            "long": "2" * 5000,
            "dots": "..",
            "right-to-left": "\u202e20",
        }.items():
            yield from forge.both(f"{claim}: {name}", None, "a name is any text", claims={**forge.claims, claim: value})
    without = {name: value for name, value in forge.claims.items() if name != "jti"}
    yield from forge.both("no jti", Reason.CLAIM_MISSING, "it could not be spent", claims=without, claim="jti")
    without = {name: value for name, value in forge.claims.items() if name != "sub"}
    yield from forge.both("no sub", None, "not every token has a subject", claims=without)
