"""Whole tokens, as a verifier takes them: hostile texts, and headers and claims that were signed after all.

Whoever has no key gets no further than the signature, and neither does a fuzzer that changes bytes. So `header` and
`payload` sign what they are given, as another issuer's library or a careless service with the right key would.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mintkey import Purpose, TokenService, TokenVerifier, VerificationCache
from mintkey.errors import InvalidTokenError
from mintkey.jose import verify_compact
from mintkey.keys import StaticKeyProvider
from mintkey.testing import FakeClock
from mintkey.tokens import PeekedToken, VerifiedToken
from tests.security.fuzz.mutating import json_mutator, spliced
from tests.security.fuzz.reference.base64url import encode
from tests.security.fuzz.reference.tokens import Rules, judge
from tests.security.fuzz.reference.verdict import Refused
from tests.security.fuzz.target import Finding, Target, check, exact, verdict_of

__all__ = ["HEADER", "PAYLOAD", "TEXT"]

_ISSUER = "https://issuer.example"
_NOW = 1_767_225_600
_SECRETS = {"a": hashlib.sha256(b"one").digest(), "b": hashlib.sha256(b"two").digest()}
_RFC_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
_RFC_PAYLOAD = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
_HEADER = b'{"alg":"HS256","kid":"a","typ":"%b"}'


@dataclass
class _Seat:
    """Claims with a type."""

    plan: str
    seats: int = 1
    share: float | None = None
    tags: list[str] = field(default_factory=list)
    kind: Literal["a", 1] = "a"
    limits: dict[str, int] = field(default_factory=dict)


def _seat(claims: dict[str, Any]) -> dict[str, Any]:
    """What a `_Seat` is made of, by hand."""
    found = {"seats": 1, "share": None, "tags": [], "kind": "a", "limits": {}} | {
        name: claims[name] for name in ("plan", "seats", "share", "tags", "kind", "limits") if name in claims
    }
    if type(found["share"]) is int:
        found["share"] = float(found["share"])
    fits = (
        type(found.get("plan")) is str
        and type(found["seats"]) is int
        and type(found["share"]) in {float, type(None)}
        and type(found["tags"]) is list
        and all(type(tag) is str for tag in found["tags"])
        and [type(found["kind"]), found["kind"]] in ([str, "a"], [int, 1])
        and type(found["limits"]) is dict
        and all(type(limit) is int for limit in found["limits"].values())
    )
    if not fits:
        raise Refused("claim_invalid")
    return found


@dataclass(frozen=True)
class _Profile:
    purpose: Purpose[Any]
    rules: Rules
    scopes: Sequence[str] = ()


def _profile(name: str, *, scopes: Sequence[str] = (), **asked: Any) -> _Profile:
    purpose = Purpose(name, lifetime=timedelta(hours=1), **asked)
    max_age = asked.get("max_age")
    rules = Rules(
        issuer=_ISSUER,
        secrets=_SECRETS,
        typ=asked.get("typ") or f"{name}+jwt",
        now=_NOW,
        audience=frozenset(purpose.audience),
        required=frozenset(asked.get("required", ())),
        optional=frozenset(asked.get("optional", ())),
        headers=frozenset(asked.get("headers", ())),
        scopes=frozenset(scopes),
        leeway=asked.get("leeway", timedelta(seconds=10)).total_seconds(),
        max_age=None if max_age is None else max_age.total_seconds(),
        private=_seat if asked.get("claims") is _Seat else dict,
    )
    return _Profile(purpose, rules, scopes)


_PROFILES = (
    _profile("plain"),
    _profile("scoped", audience="app", required=["sub", "plan"], scopes=["read", "write"]),
    _profile("several", audience=["app", 'ü"'], headers=["tenant", "x5t"], typ="at+jwt", max_age=timedelta(minutes=30)),
    _profile("lenient", optional=["jti"], leeway=timedelta(0), required=["nbf", "scope"]),
    _profile("typed", claims=_Seat),
)


def _verifier(cache: VerificationCache | None = None) -> TokenVerifier:
    return TokenVerifier(issuer=_ISSUER, keys=_KEYS, clock=FakeClock(_START), cache=cache)


_START = datetime.fromtimestamp(_NOW, UTC)
_KEYS = StaticKeyProvider(
    {"keys": [{"kty": "oct", "alg": "HS256", "kid": kid, "k": encode(key)} for kid, key in _SECRETS.items()]},
    active="a",
    clock=FakeClock(_START),
)
# Kept from one execution to the next: nothing that they remember may change a verdict.
_REMEMBERING = _verifier(VerificationCache())
_PLAIN = _verifier()


def _judge(token: str, profile: _Profile) -> None:
    """The verifier's word on a token must be that of the reference, in verdict, reason and value."""
    expected = verdict_of(lambda: _as_said(judge(token, profile.rules)))
    found = asyncio.run(_words_of(token, profile))
    for about, word in found.items():
        check(expected, word, f"{profile.purpose.name}: {about}")


def _as_said(found: dict[str, Any]) -> dict[str, Any]:
    instants = {name: _instant(found[name]) for name in ("issued_at", "expires_at")}
    claims = {"scopes": sorted(found["scopes"]), "claims": found["claims"]}
    return {name: found[name] for name in _SAID if name in found} | instants | claims


_SAID = ("subject", "issuer", "audience", "id", "key_id", "headers")


def _instant(seconds: float) -> int:
    """Milliseconds: a `datetime` rounds, and nobody needs more."""
    return round(seconds * 1000)


async def _words_of(token: str, profile: _Profile) -> Mapping[str, tuple[Any, ...]]:
    purpose, scopes = profile.purpose, profile.scopes
    return {
        "peek": await _word(_PLAIN.peek(token, purpose, scopes=scopes), token),
        "verify": await _word(_REMEMBERING.verify(token, purpose, scopes=scopes), token),
        "verify again": await _word(_REMEMBERING.verify(token, purpose, scopes=scopes), token),
    }


async def _word(asked: Any, token: str) -> tuple[Any, ...]:
    try:
        found: PeekedToken[Any] | VerifiedToken[Any] = await asked
    except InvalidTokenError as error:
        told = f"{error!r} {error} {error.details!r}"
        if any(len(segment) > 8 and segment in told for segment in token.split(".")):
            raise Finding("the error tells a part of the token") from error
        return "refused", str(error.reason)
    said = {name: getattr(found, name) for name in _SAID}
    said |= {name: _instant(getattr(found, name).timestamp()) for name in ("issued_at", "expires_at")}
    return "accepted", exact(said | {"scopes": sorted(found.scopes), "claims": found.claims})


def _signed(header: bytes, payload: bytes) -> str:
    """A token with any header and any claims, signed with the key that the header most probably names."""
    signed = f"{encode(header)}.{encode(payload)}"
    secret = _SECRETS["b" if b'"b"' in header else "a"]
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _chosen(data: bytes) -> tuple[_Profile, bytes]:
    """The first character says what the token is for."""
    return _PROFILES[(data[0] - ord("0")) % len(_PROFILES) if data else 0], data[1:]


def _run_text(data: bytes) -> None:
    profile, text = _chosen(data)
    for token in {text.decode("latin-1"), text.decode("utf-8", "surrogateescape")}:
        _judge(token, profile)
        _judge_bare(token)


def _judge_bare(token: str) -> None:
    """Nobody has the key of RFC 7515, appendix A.1, so nothing but its own token is authentic."""
    try:
        payload = verify_compact(token, _RFC_KEY, algorithms=["HS256"], max_bytes=4096)
    except InvalidTokenError:
        return
    check(_RFC_PAYLOAD, payload, "what a bare JWS says")


def _run_header(data: bytes) -> None:
    profile, header = _chosen(data)
    _judge(_signed(header, _payloads(profile)[0]), profile)


def _run_payload(data: bytes) -> None:
    profile, payload = _chosen(data)
    _judge(_signed(_HEADER % profile.rules.typ.encode(), payload), profile)


def _payloads(profile: _Profile) -> list[bytes]:
    """Claims as we write them, and as others do."""
    audience = b"".join(b'"aud":"%b",' % name.encode() for name in profile.purpose.audience[:1])
    times = b'"iat":%d,"exp":%d,"jti":"x1"' % (_NOW, _NOW + 3600)
    more = b'"scope":"read write","plan":"pro"'
    several = b'"aud":["app","\\u00fc\\""],' if profile.purpose.audience else b""
    return [
        b'{"iss":"%b",%b"sub":"20",%b,"nbf":%d,%b}' % (_ISSUER.encode(), audience, times, _NOW, more),
        b'{"iss":"%b",%b"sub":"20",%b,%b}' % (_ISSUER.encode(), audience, times, more),
        b'{"iss":"%b",%b%b,%b}' % (_ISSUER.encode(), audience, times, more),
        b'{ "plan":"a",%b, %b "seats":2,"share":1, "sub":"20",%b"iss":"%b"} '
        % (times, more[:21] + b",", several, _ISSUER.encode()),
    ]


def _headers(profile: _Profile) -> list[bytes]:
    typ = profile.rules.typ.encode()
    return [
        _HEADER % typ,
        _HEADER % (b"application/" + typ.upper()),
        b'{"typ":"%b","tenant":{"a":[1.5]},"x5t":"AA","alg":"HS256","kid":"b"}' % typ,
    ]


def _numbered(texts: Any) -> list[bytes]:
    return [b"%d%b" % (number, text) for number, profile in enumerate(_PROFILES) for text in texts(profile)]


def _minted() -> list[bytes]:
    """Tokens of the library's own making."""

    async def mint() -> list[bytes]:
        clock = FakeClock(_START)
        async with TokenService(issuer=_ISSUER, keys=_KEYS, clock=clock) as tokens:
            seat: Any = {"plan": "pro", "n": [1, 2.5, None], "e": "é"}
            made = [
                await tokens.mint(
                    profile.purpose,
                    subject="20",
                    scopes=["read", "write"],
                    claims=_Seat("pro") if profile.purpose.claims is _Seat else seat,
                    not_before=_START,
                )
                for profile in _PROFILES
            ]
        return [b"%d%b" % (number, token.encode()) for number, token in enumerate(made)]

    return asyncio.run(mint())


def _texts() -> Iterable[bytes]:
    return _POOL


_POOL = _minted()
_NAMES = "iss sub aud exp nbf iat jti scope plan seats share tags kind limits".split()
_VALUES = (
    *(_ISSUER, "app", 'ü"', ["app"], ["other", "app"], "read", "write read", "read  write", ["read"], "x1", "a", "pro"),
    *(_NOW + step for step in (-3600, -1810, -1800, -11, -10, -9, -1, 0, 1, 9, 10, 11, 3600)),
    *(_NOW - 9.999, _NOW + 10.001, 253_370_764_800, 253_370_764_801, 99_999_999_999, 100_000_000_000, -0.5),
)
_HEADER_NAMES = "alg kid typ crit b64 jwk jku x5u x5c zip enc cty tenant x5t x5t#S256 exp".split()
_HEADER_VALUES = (
    *("HS256", "hs256", "none", "HS512", "EdDSA", "a", "b", "A", "a ", "../a", "at+jwt", "AT+JWT", "plain+jwt"),
    *("application/at+jwt", "APPLICATION/typed+jwt", "text/plain+jwt", ["exp"], "AA", "x" * 128, "x" * 129),
)


def _chosen_first(mutate: Any) -> Any:
    return lambda data, random: (
        (data[:1] if random.random() < 0.9 else b"%d" % random.randrange(5)) + mutate(data[1:], random)
    )


TEXT = Target(run=_run_text, seeds=_texts, mutate=_chosen_first(spliced([seed[1:] for seed in _POOL], b".")))
HEADER = Target(
    run=_run_header,
    seeds=lambda: _numbered(_headers),
    mutate=_chosen_first(json_mutator(_HEADER_NAMES, _HEADER_VALUES)),
)
PAYLOAD = Target(
    run=_run_payload, seeds=lambda: _numbered(_payloads), mutate=_chosen_first(json_mutator(_NAMES, _VALUES))
)
